"""The pages of batches: the list, one batch, and what is done with a batch as a whole."""

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import PermissionDenied as NotAllowed

from api.core.errors import ApiError
from batches import services, stages
from batches.clustering import run_status
from batches.models import Batch, BatchImage
from batches.pages import analysis, compare, history, new, presenters, process
from batches.pages.presenters import find, number, seen
from images.models import Image
from pixproject.web.access import needs, next_path, tell
from processing.pages import job_presenter
from processing.states import Priority

BATCHES_PER_PAGE = 20
IMAGES_PER_PAGE = 48
JOBS_SHOWN = 8


@require_safe
@never_cache
def batch_list(request: HttpRequest) -> HttpResponse:
    """Every batch that the filters leave, the newest first."""
    found = presenters.wanted(request.GET, user=request.user)
    page = Paginator(found, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
    filters = ("search", "status", "stage", "assignee", "whose")
    context = {
        "page": page,
        "lines": presenters.lines(page.object_list),
        "view": request.GET.get("view", ""),
        "is_filtered": any(request.GET.get(name) for name in filters),
        "statuses": [status for status in Batch.Status.values if status != Batch.Status.ARCHIVED],
        "stages": Batch.Stage.values,
        "people": presenters.people(),
    }
    return render(request, "batches/list.html", context)


@require_safe
@never_cache
def card(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """One batch in the list; it asks for itself while a job works on it."""
    batch = find(batch_id, is_deleted=None)
    (line,) = presenters.lines([batch], step=number(request, "step", 0), seen=number(request, "seen", -1))
    return render(request, "batches/_card.html", {"line": line})


@require_safe
@never_cache
def overview(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What a batch is, where it stands and what can be done with it."""
    run_status.sync_runs(batch_id)
    batch = find(batch_id)
    jobs = job_presenter.visible_jobs().filter(batch=batch)[:JOBS_SHOWN]
    context = {
        "batch": batch,
        "moves": [] if batch.is_archived else stages.moves_open_to(batch, request.user),
        "cards": job_presenter.cards(jobs),
        "changes": history.told(batch)[: analysis.CHANGES_SHOWN],
        "stages": Batch.Stage.values,
        "people": presenters.people(),
        "priorities": Priority.choices,
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
        "formats": settings.ALLOWED_EXTENSIONS,
        **analysis.figures(batch),
        **analysis.card_context(batch, request.user),
        **images_context(request, batch),
    }
    return render(request, "batches/batch.html", context)


def images_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    members = BatchImage.objects.filter(batch=batch, image__status__in=Image.PRESENT)
    members = members.select_related("image", "group").order_by("position", "id")
    page = Paginator(members, IMAGES_PER_PAGE).get_page(request.GET.get("page"))
    return {"images_page": page}


@require_POST
@needs("write")
def edit(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Change name, note, priority, assignee and reviewer."""
    batch = find(batch_id)
    names = ("batch_name", "note", "assignee", "reviewer")
    values: dict[str, Any] = {name: request.POST[name] for name in names if name in request.POST}
    try:
        if "priority" in request.POST:
            values["priority"] = services.priority_of(request.POST["priority"])
        services.update_batch(batch, actor=request.user, values=values)
        messages.success(request, "Saved.")
    except ApiError as error:
        tell(request, error)
    return back(request, batch)


def back(request: HttpRequest, batch: Batch) -> HttpResponse:
    return redirect(next_path(request, reverse("batch", args=[batch.pk])))


@require_POST
def stage(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Hand the batch on, send it back or open it again."""
    batch, name = find(batch_id), request.POST.get("move", "")
    if name not in stages.MOVES:
        messages.error(request, "Choose what is to happen with the batch.")
        return back(request, batch)
    reason = request.POST.get("reason", "")
    if name == "reject" and not reason.strip():
        messages.error(request, "Say why the batch goes back.")
        return back(request, batch)
    try:
        moved = stages.move(batch, name, actor=request.user, reason=reason, seen=seen(request))
        messages.success(request, STAGE_SENTENCES[name, moved.review_stage])
    except ApiError as error:
        tell(request, error)
    except NotAllowed as error:
        raise PermissionDenied(str(error.detail)) from error  # pages have their own sentence for it
    return back(request, batch)


STAGE_SENTENCES: dict[tuple[str, str], str] = {
    ("submit", "validation"): "Submitted: it waits for its validation.",
    ("approve", "acceptance"): "Validated: it waits for its acceptance.",
    ("approve", "approved"): "Approved. Nothing changes in it until somebody opens it again.",
    ("reject", "work"): "Sent back to work, with your reason in its history.",
    ("reopen", "work"): "Open again: it is back in work.",
}


def _whole(
    act: Callable[..., object], sentence: str, *, scope: str, target: str = "batch", is_deleted: bool = False
) -> Callable[..., HttpResponseBase]:
    """A view of one button that does something with the whole batch."""

    @require_POST
    @needs(scope)
    def view(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        batch = find(batch_id, is_deleted=is_deleted)
        try:
            act(batch, actor=request.user)
            messages.success(request, sentence.format(batch.batch_name))
        except ApiError as error:
            tell(request, error)
            return redirect("batches") if is_deleted else back(request, batch)
        return redirect("batches") if target == "batches" else redirect("batch", batch_id=batch.pk)

    return view


archive = _whole(services.archive, "“{}” is archived.", scope="process", target="batches")
unarchive = _whole(services.unarchive, "“{}” is out of the archive.", scope="process")
delete = _whole(
    services.delete_batch,
    "“{}” is deleted. Its pictures stay in the library, and it can be restored.",
    scope="process",
    target="batches",
)
restore = _whole(services.restore_batch, "“{}” is back.", scope="process", is_deleted=True)


urlpatterns = [
    path("", batch_list, name="batches"),
    path("<uuid:batch_id>/", overview, name="batch"),
    path("<uuid:batch_id>/card/", card, name="batch-card"),
    path("<uuid:batch_id>/edit/", edit, name="batch-edit"),
    path("<uuid:batch_id>/stage/", stage, name="batch-stage"),
    path("<uuid:batch_id>/archive/", archive, name="batch-archive"),
    path("<uuid:batch_id>/unarchive/", unarchive, name="batch-unarchive"),
    path("<uuid:batch_id>/delete/", delete, name="batch-delete"),
    path("<uuid:batch_id>/restore/", restore, name="batch-restore"),
    *new.urlpatterns,
    *history.urlpatterns,
    *analysis.urlpatterns,
    *compare.urlpatterns,
    *process.urlpatterns,
]
