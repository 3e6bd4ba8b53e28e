from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views import defaults
from django.views.generic import RedirectView

from api.core.handling import answering, failing
from pixproject import metrics
from processing.storage.links import linked_file

to_health = login_not_required(RedirectView.as_view(url="/api/health/"))
to_docs = login_not_required(RedirectView.as_view(url="/api/docs/"))

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("pixproject.api_urls")),
    path("files/<uuid:link_id>/<str:name>", linked_file, name="linked-file"),
    path("health", to_health, name="health-redirect"),
    path("health/", to_health),
    path("docs", to_docs, name="docs-redirect"),
    path("docs/", to_docs),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("pixproject.page_urls")),
]

handler400 = answering(400, defaults.bad_request)
handler403 = answering(403, defaults.permission_denied)
handler404 = answering(404, defaults.page_not_found)
handler500 = failing(defaults.server_error)
