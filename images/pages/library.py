"""The pages of images: the library, its trash, one image."""

import logging
import uuid

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from api.core.errors import ApiError
from images import damage, duplicates, phrases, services
from images.models import Image
from images.pages import library_presenter as galleries
from images.pages.forms import EditForm, FilesForm, PinForm, SelectionForm
from images.pages.quality import quality_context
from images.pages.similar import similar_context
from images.quality import fingerprints
from images.readable import readable_image
from images.selection import check_expected
from images.vectors import text_search
from pixproject.web.access import needs, next_path, show_error
from pixproject.web.forms import read, sent
from processing.algorithms.errors import ProcessingError
from processing.models import OperationArtifact
from processing.pages import job_presenter
from processing.pages.result_presenter import Result

logger = logging.getLogger("pix.images")
MAX_TO_PROCESS = 100  # as many ids as fit into an address
JOBS_SHOWN = 10
RESULTS_SHOWN = 12
DONE = {"delete": "moved to the trash", "restore": "restored"}


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """The library, or its trash; htmx asks for the pages that follow."""
    is_trash = request.GET.get("view") == "trash"
    shown = galleries.page(request, is_trash=is_trash)
    context = {"page": shown, "is_trash": is_trash}
    if request.headers.get("HX-Request") and "after" in request.GET:
        return render(request, "images/_tiles.html", context)
    context |= {
        "has_text_search": not is_trash and text_search.is_available(),
        "duplicate_count": 0 if is_trash else duplicates.undecided().count(),
        "is_filtered": galleries.is_filtered(request.GET),
        "total": galleries.matching(request, is_trash=is_trash)[0].count(),
        "trash_count": services.library(is_trash=True).count(),
        "formats_present": galleries.formats_present(),
        "formats": settings.ALLOWED_EXTENSIONS,
        "kinds": Image.Kind.choices,
        "issues": galleries.ISSUES,
        "statuses": galleries.STATUSES,
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
    }
    return render(request, "images/gallery.html", context)


@require_POST
@needs("write")
def upload(request: HttpRequest) -> HttpResponse:
    """The upload form without scripts; refused files are named one by one."""
    files = read(FilesForm(request.POST, request.FILES))["file"]
    if not files:
        messages.error(request, phrases.CHOOSE_FILES)
    stored = 0
    for file in files:
        try:
            services.ingest(file, filename=file.name or "", uploaded_by=request.user, source=Image.Source.WEB)
            stored += 1
        except (ApiError, ProcessingError) as error:
            messages.error(request, f"{file.name}: {error.detail}")
    if stored:
        messages.success(request, phrases.uploaded(stored))
    return redirect("gallery")


@require_POST
def actions(request: HttpRequest) -> HttpResponseBase:
    """Apply an action to the selected images."""
    selection = read(SelectionForm(request.POST))
    images = galleries.selected(selection["image"])
    if not images:
        messages.error(request, phrases.SELECT_IMAGES)
        return redirect(next_path(request, reverse("gallery")))
    if selection["action"] == "process":
        return _process(request, images)
    try:
        check_expected(len(images), selection["expected"])
    except ApiError as error:
        show_error(request, error)
        return redirect(next_path(request, reverse("gallery")))
    return _apply(request, images, selection["action"])


@needs("process")
def _process(request: HttpRequest, images: list[Image]) -> HttpResponse:
    if len(images) > MAX_TO_PROCESS:
        messages.error(request, phrases.too_many_for_page(len(images), MAX_TO_PROCESS))
        return redirect(next_path(request, reverse("gallery")))
    return redirect(f"{reverse('home')}?images={','.join(image.pk.hex for image in images)}")


@needs("write")
def _apply(request: HttpRequest, images: list[Image], action: str) -> HttpResponse:
    if action not in DONE:
        messages.error(request, phrases.CHOOSE_ACTION)
        return redirect(next_path(request, reverse("gallery")))
    changed = services.apply_action(images, services.BulkAction(action), actor=request.user)
    messages.success(request, phrases.changed(len(changed), DONE[action]))
    return redirect(next_path(request, reverse("gallery")))


def _image(image_id: uuid.UUID) -> Image:
    images = Image.objects.exclude(status=Image.Status.PURGED).select_related("uploaded_by")
    image = readable_image(images.filter(pk=image_id))
    if image is None:
        raise Http404
    return image


@require_safe
def detail(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    image = _image(image_id)
    try:
        return _detail_page(request, image)
    except (
        Exception
    ):  # whatever is stored for this one image: it is told, and the image can be put into the trash
        logger.exception("The page of image %s cannot be shown", image.pk)
        return render(request, "images/unreadable.html", {"image": image})


def _detail_page(request: HttpRequest, image: Image, *, status: int = 200) -> HttpResponse:
    problem = damage.note(image)
    links = OperationArtifact.objects.filter(operation__image=image)
    links = links.select_related("artifact", "operation", "operation__image").order_by(
        "-operation_id", "role"
    )
    jobs = job_presenter.visible_jobs().filter(operations__image=image).distinct()[:JOBS_SHOWN]
    panel = fingerprints.panel_json(image)
    context = {
        "image": image,
        "is_missing": problem == damage.MISSING,
        "renditions": image.renditions.order_by("size", "format"),
        "results": [Result(link) for link in links[:RESULTS_SHOWN]],
        "cards": job_presenter.cards(jobs),
        "kinds": Image.Kind.choices,
        "sees_gps": has_scope(request.user, "write"),
        **quality_context(image),
        **similar_context(image),
        "megapixels": image.width * image.height / 1e6,
        "fingerprint": panel,
        "fingerprint_rows": fingerprints.rows_of(panel),
    }
    return render(request, "images/image.html", context, status=status)


@require_POST
@needs("write")
def edit(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Change title, note, tags and kind."""
    image = _image(image_id)
    try:
        services.update(image, actor=request.user, changes=sent(EditForm(request.POST)))
    except ApiError as error:
        show_error(request, error)
        return _detail_page(request, image, status=error.status or 400)
    messages.success(request, "Saved.")
    return redirect("image", image_id=image.pk)


@require_POST
@needs("write")
def trash(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    image = _image(image_id)
    if services.trash(image, actor=request.user):
        messages.success(request, phrases.trashed(image, settings.TRASH_DAYS))
    else:
        messages.info(request, f"“{image}” was already in the trash.")
    return redirect("image", image_id=image.pk)


@require_POST
@needs("write")
def restore(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    image = _image(image_id)
    if services.restore(image, actor=request.user):
        messages.success(request, f"“{image}” was restored.")
    else:
        messages.info(request, f"“{image}” was not in the trash.")
    return redirect("image", image_id=image.pk)


@require_POST
@needs("write")
def pin(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Pin an image so that no clean-up removes it, or unpin it."""
    image = _image(image_id)
    is_pinned = read(PinForm(request.POST))["pinned"]
    services.update(image, actor=request.user, changes={"pinned": is_pinned})
    messages.success(request, phrases.PINNED if is_pinned else phrases.UNPINNED)
    return redirect("image", image_id=image.pk)
