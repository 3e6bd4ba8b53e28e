"""The library in the admin."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.views import ChangeList

from api.access.permissions import missing
from api.core.errors import ApiError
from api.core.phrases import counted
from api.models import Scope
from images import services
from images.admin.forms import EditForm, UploadForm
from images.admin.process import process_page
from images.admin.quality import IssueFilter, QualityColumns
from images.admin.vectors import VectorActions, vectors_context
from images.models import Image, Rendition
from images.pages.quality import quality_context
from images.quality import fingerprints
from images.readable import readable, readable_image
from pixproject.web.admin import DefaultFilter, PixModelAdmin, add_refusal, go_back, may
from pixproject.web.templatetags.pix import byte_size, format_name
from pixproject.web.templatetags.pix_admin import STATUS_VARIANTS, by_and_source, unbroken, when
from processing.algorithms.errors import ProcessingError
from processing.filters import uuid_or_none
from processing.models import Artifact, Job, OperationArtifact

MOST_RESULTS = 24
MOST_JOBS = 10
MOST_SENTENCES = 10


class StatusFilter(DefaultFilter):
    """The library without its trash, unless asked for something else."""

    title = parameter_name = "status"
    default, default_title = "library", "in the library"

    def values(self) -> list[tuple[str, str]]:
        return list(Image.Status.choices)

    def default_rows(self, queryset: QuerySet) -> QuerySet:
        return queryset.filter(status__in=(Image.Status.READY, Image.Status.DAMAGED))


class ReadableChangeList(ChangeList):
    """A row with values that cannot be read is listed without them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = readable(self.result_list)  # type: ignore[has-type, arg-type]


@admin.register(Image)
class ImageAdmin(VectorActions, QualityColumns, PixModelAdmin):
    """Every change goes through `images.services`, as at every other interface."""

    add_scope = Scope.WRITE
    list_display = ("picture", "format", "dimensions", "size", "kind", "grade", "state", "uploaded", "added")
    list_filter = (StatusFilter, IssueFilter, "format", "kind", "source", "pinned", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("original_filename", "title", "reference", "^sha256")
    search_help_text = "File name, title, reference, SHA-256 or ID"
    uuid_search = ("pk",)
    fields = ("original_filename",)
    actions = ("process", "remeasure", "reembed", "remake_thumbnails", "trash", "restore", "purge")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        return services.listed(super().get_queryset(request))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ReadableChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Image | None:
        key = uuid_or_none(object_id)
        return None if key is None else readable_image(self.get_queryset(request).filter(pk=key))

    @display(description="Image", ordering="original_filename")
    def picture(self, image: Image) -> SafeString:
        return SafeString(render_to_string("admin/images/image/_cell.html", {"image": image}))

    @display(description="Pixels")
    def dimensions(self, image: Image) -> SafeString:
        return unbroken(f"{image.width} × {image.height}")

    @display(description="Size", ordering="byte_size")
    def size(self, image: Image) -> SafeString:
        return unbroken(byte_size(image.byte_size))

    @display(description="Status", ordering="status", label=STATUS_VARIANTS)
    def state(self, image: Image) -> tuple[str, str]:
        return image.status, image.get_status_display()

    @display(description="Uploaded by", ordering="uploaded_by__username")
    def uploaded(self, image: Image) -> SafeString:
        return by_and_source(image.uploaded_by, image.source)

    @display(description="Added", ordering="created_at")
    def added(self, image: Image) -> SafeString:
        return when(image.created_at)

    # --- one image ------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        image = self.get_object(request, object_id)
        if image is None:
            missed: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return missed
        initial = {name: getattr(image, name) for name in EditForm.base_fields}
        form = EditForm(request.POST if request.method == "POST" else None, initial=initial)
        if request.method == "POST":
            if not may(request, Scope.WRITE):
                raise PermissionDenied(missing(Scope.WRITE))
            if form.is_valid():
                try:
                    services.update(image, actor=request.user, changes=form.cleaned_data)
                except ApiError as error:
                    add_refusal(form, error)
                else:
                    messages.success(request, "Saved.")
                    return redirect(request.get_full_path())
            request.method = "GET"  # the refused form is shown again by the same view
        context = {**_details(request, image), "edit_form": form, **(extra_context or {})}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    # --- upload ---------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.check_add(request)
        is_sent = request.method == "POST"
        form = UploadForm(request.POST if is_sent else None, request.FILES if is_sent else None)
        if is_sent and form.is_valid() and self._ingest(request, form):
            return redirect("admin:images_image_changelist")
        limits = (
            f"Up to {settings.MAX_FILES_PER_REQUEST} files of at most "
            f"{byte_size(settings.MAX_UPLOAD_BYTES)} and {settings.MAX_IMAGE_PIXELS / 1e6:g} megapixels "
            f"each: {', '.join(map(format_name, settings.ALLOWED_EXTENSIONS))}."
        )
        context = self.page(request, "Upload images") | {
            "form": form,
            "intro": limits,
            "submit_text": "Upload",
        }
        return TemplateResponse(request, "admin/form_page.html", context)

    def _ingest(self, request: HttpRequest, form: UploadForm) -> int:
        """Take the files in one by one; a refused one says why and does not hold up the others."""
        values = {name: form.cleaned_data[name] for name in ("kind", "tags", "reference")}
        new, existing, refusals = 0, 0, []
        for file in form.cleaned_data["pictures"]:
            try:
                ingested = services.ingest(
                    file, filename=file.name, uploaded_by=request.user, source=Image.Source.ADMIN, **values
                )
            except (ApiError, ProcessingError) as error:
                refusals.append(f"{file.name}: {error.detail}")
                continue
            new, existing = new + (not ingested.is_duplicate), existing + ingested.is_duplicate
        if new:
            messages.success(request, f"{counted(new, 'image')} stored.")
        if existing:
            messages.info(request, f"{counted(existing, 'image')} already in the library.")
        for sentence in refusals[:MOST_SENTENCES]:
            if new or existing:
                messages.error(request, sentence)
            else:
                form.add_error("pictures", sentence)
        return new + existing

    # --- actions --------------------------------------------------------------------------------------

    @action(description="Process…", permissions=["process"])
    def process(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse:
        return process_page(request, queryset, self.page(request, "Process images"))

    @action(description="Regenerate thumbnails", permissions=["process"])
    def remake_thumbnails(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        chosen = list(queryset)
        whole = [image for image in chosen if image.status in (Image.Status.READY, Image.Status.TRASHED)]
        if whole:
            job = services.submit_thumbnails(whole, requested_by=request.user, source=Image.Source.ADMIN)
            self.audit(request, "image.thumbnails", job, {"images": len(whole)})
        self.say(
            request, len(whole), len(chosen), "queued for new thumbnails", why_not="files missing or damaged"
        )
        return go_back(request)

    @action(description="Move to the trash", permissions=["write"])
    def trash(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        return self._each(
            request, queryset, services.trash, "moved to the trash", "already in the trash or purged"
        )

    @action(description="Restore from the trash", permissions=["write"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        return self._each(request, queryset, services.restore, "restored", "not in the trash")

    @action(description="Purge…", permissions=["admin"])
    def purge(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        if request.POST.get("confirmed") == "yes":
            return self._each(request, queryset, services.purge, "purged", "already purged or in use")
        to_purge = queryset.exclude(status=Image.Status.PURGED)
        thumbnails = Rendition.objects.filter(image__in=to_purge.values("pk"))
        results = Artifact.objects.filter(image__in=to_purge.values("pk"))
        sizes = [rows.aggregate(size=Sum("byte_size"))["size"] for rows in (to_purge, thumbnails, results)]
        context = self.page(request, "Purge images") | {
            "count": to_purge.count(),
            "results": results.count(),
            "byte_size": sum(size or 0 for size in sizes),
            "pictures": to_purge[:12],
            "selected": request.POST.getlist("_selected_action"),
        }
        return TemplateResponse(request, "admin/images/image/purge.html", context)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Image],
        change: Callable[..., bool],
        done: str,
        why_not: str,
    ) -> HttpResponse | None:
        """Change every chosen image; the service audits each. Refusals are shown with their reason."""
        chosen = list(queryset)
        changed, refusals = 0, []
        for image in chosen:
            try:
                changed += change(image, actor=request.user)
            except ApiError as error:
                refusals.append(f"{image.original_filename}: {error.detail}")
        self.say(request, changed, len(chosen), done, why_not=why_not)
        for sentence in refusals[:MOST_SENTENCES]:
            messages.error(request, sentence)
        return go_back(request) or redirect(request.get_full_path())


def _details(request: HttpRequest, image: Image) -> dict[str, Any]:
    """What the page of one image shows. Where it was taken is for those who may write."""
    operations = image.operations.values("job")
    links = OperationArtifact.objects.filter(operation__image=image).select_related("artifact", "operation")
    return {
        "renditions": image.renditions.order_by("size", "format"),
        "jobs": Job.objects.filter(pk__in=operations).select_related("image", "requested_by")[:MOST_JOBS],
        "links": links.order_by("-artifact__created_at")[:MOST_RESULTS],
        "batch_members": image.batch_images.select_related("batch"),
        **vectors_context(image),
        **quality_context(image),
        "fingerprint_rows": fingerprints.rows_of(fingerprints.panel_json(image)),
        "may_write": may(request, Scope.WRITE),
        "may_process": may(request, Scope.PROCESS),
        "may_purge": may(request, Scope.ADMIN),
    }
