"""The REST API of work: jobs, results, operations, queues, workers, models, clean-up."""

from django.urls import URLPattern, re_path
from rest_framework.routers import BaseRouter

from processing.api import system, weights
from processing.api.artifacts import ArtifactViewSet
from processing.api.jobs import ImageProcessView, JobViewSet

__all__ = ["ImageProcessView", "register", "urlpatterns"]

_UUID = "[0-9a-fA-F-]{36}"


def register(router: BaseRouter) -> None:
    """Add the resources that a router can route."""
    router.register("jobs", JobViewSet, basename="job")
    router.register("artifacts", ArtifactViewSet, basename="artifact")


urlpatterns: list[URLPattern] = [
    re_path(r"^process/?$", JobViewSet.as_view({"post": "create"}), name="process"),
    re_path(rf"^images/(?P<pk>{_UUID})/process/?$", ImageProcessView.as_view(), name="image-process"),
    re_path(r"^operations/?$", system.OperationsView.as_view(), name="operations"),
    re_path(r"^operations/(?P<name>[^/]+)/?$", system.OperationView.as_view(), name="operation"),
    re_path(r"^queues/?$", system.QueuesView.as_view(), name="queues"),
    re_path(r"^queues/(?P<name>[^/]+)/?$", system.QueueView.as_view(), name="queue"),
    re_path(r"^workers/?$", system.WorkersView.as_view(), name="workers"),
    re_path(r"^models/?$", weights.ModelsView.as_view(), name="models"),
    re_path(r"^models/(?P<name>[^/]+)/?$", weights.ModelView.as_view(), name="model"),
    re_path(r"^cleanup/?$", system.CleanupView.as_view(), name="cleanup"),
]
