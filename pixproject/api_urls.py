"""Every address under /api/, with or without a slash at its end."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter

from api.core.handling import UnknownAddress
from api.views.access import ApiKeyViewSet, AuditViewSet, ErrorCodesView, MeView
from batches.api import BatchViewSet
from images.api.duplicates import DuplicateViewSet
from images.api.quality import MetricsView, ProfilePreviewView, ProfilesView, ProfileView
from images.api.viewset import ImageViewSet
from pixproject import health_api
from processing import api as processing_api

router = DefaultRouter()
router.trailing_slash = "/?"  # the constructor knows only with or without
router.include_format_suffixes = False
router.register("images", ImageViewSet, basename="image")
router.register("duplicates", DuplicateViewSet, basename="duplicate")
router.register("batches", BatchViewSet, basename="batch")
router.register("api-keys", ApiKeyViewSet, basename="api-key")
router.register("audit", AuditViewSet, basename="audit")
processing_api.register(router)

urlpatterns = [
    re_path(r"^me/?$", MeView.as_view(), name="me"),
    re_path(r"^errors/?$", ErrorCodesView.as_view(), name="error-codes"),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^docs/?$", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    re_path(r"^metrics/?$", MetricsView.as_view(), name="metrics-table"),
    re_path(r"^quality-profiles/?$", ProfilesView.as_view(), name="quality-profiles"),
    re_path(r"^quality-profiles/(?P<kind>[^/]+)/?$", ProfileView.as_view(), name="quality-profile"),
    re_path(
        r"^quality-profiles/(?P<kind>[^/]+)/preview/?$",
        ProfilePreviewView.as_view(),
        name="quality-profile-preview",
    ),
    re_path(r"^health/?$", health_api.HealthView.as_view(), name="health"),
    re_path(r"^health/live/?$", health_api.LiveView.as_view(), name="health-live"),
    re_path(r"^health/ready/?$", health_api.ReadyView.as_view(), name="health-ready"),
    *processing_api.urlpatterns,
    *router.urls,
    path("<path:address>", UnknownAddress.as_view()),
]
