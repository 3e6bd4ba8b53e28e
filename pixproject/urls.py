from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views import defaults
from django.views.generic import RedirectView

from api.handling import answering
from pixproject import metrics
from processing.links import linked_file

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("api.urls")),
    path("files/<uuid:link_id>/<str:name>", linked_file, name="linked-file"),
    path("health", login_not_required(RedirectView.as_view(url="/api/health/")), name="health-redirect"),
    path("docs", login_not_required(RedirectView.as_view(url="/api/docs/")), name="docs-redirect"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("pixproject.page_urls")),
]

handler400 = answering(400, defaults.bad_request)
handler403 = answering(403, defaults.permission_denied)
handler404 = answering(404, defaults.page_not_found)
handler500 = answering(500, defaults.server_error)
