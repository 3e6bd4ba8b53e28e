"""Batches in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import display

from batches.models import Batch
from pixproject.admin_site import PixModelAdmin
from pixproject.templatetags.pix_admin import STATUS_VARIANTS, when

MOST_PICTURES = 60
MOST_JOBS = 10


@admin.register(Batch)
class BatchAdmin(PixModelAdmin):
    """What a batch holds and what was done with it."""

    list_display = ("batch_name", "state", "image_count", "owner", "created", "updated")
    list_filter = ("status", "created_at")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    search_fields = ("batch_name", "note")
    uuid_search = ("pk",)
    fields = ("batch_name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        batches: QuerySet[Batch] = super().get_queryset(request)
        return batches.select_related("owner").annotate(images_total=Count("batch_images"))

    @display(description="Status", ordering="status", label=STATUS_VARIANTS)
    def state(self, batch: Batch) -> tuple[str, str]:
        return batch.status, batch.get_status_display()

    @display(description="Images", ordering="images_total")
    def image_count(self, batch: Batch) -> int:
        return int(batch.images_total)  # type: ignore[attr-defined]

    @display(description="Created", ordering="created_at")
    def created(self, batch: Batch) -> SafeString:
        return when(batch.created_at)

    @display(description="Changed", ordering="updated_at")
    def updated(self, batch: Batch) -> SafeString:
        return when(batch.updated_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        batch = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if batch is not None:
            context["pictures"] = batch.batch_images.select_related("image")[:MOST_PICTURES]
            context["jobs"] = batch.jobs.select_related("image", "requested_by")[:MOST_JOBS]
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response
