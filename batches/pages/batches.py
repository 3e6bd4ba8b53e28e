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
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from rest_framework.exceptions import PermissionDenied as NotAllowed

from api.core.errors import ApiError
from batches import phrases, services, stages
from batches.clustering import run_status
from batches.models import Batch, BatchImage
from batches.pages import analysis, compare, history, new, presenters, process
from batches.pages.forms import EditForm, StageForm
from batches.pages.presenters import find
from batches.pages.refusals import back, shows_refusals
from images.models import Image
from pixproject.web.access import needs
from pixproject.web.forms import read, sent
from processing.pages import job_presenter
from processing.pages.forms import PollForm
from processing.states import Priority

BATCHES_PER_PAGE = 20
IMAGES_PER_PAGE = 48
JOBS_SHOWN = 8


@require_safe
@never_cache
def batch_list(request: HttpRequest) -> HttpResponse:
    """Every batch that the filters leave, the newest first."""
    batches = presenters.batches_matching(request.GET, user=request.user)
    page = Paginator(batches, BATCHES_PER_PAGE).get_page(request.GET.get("page"))
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
    (line,) = presenters.lines([batch], **read(PollForm(request.GET)))
    return render(request, "batches/_card.html", {"line": line})


@require_safe
@never_cache
def overview(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What a batch is, where it stands and what can be done with it."""
    run_status.sync_runs(batch_id)
    batch = find(batch_id)
    jobs = job_presenter.visible_jobs().filter(batch=batch)[:JOBS_SHOWN]
    moves = [] if batch.is_archived else stages.moves_open_to(batch, request.user)
    context = {
        "batch": batch,
        "moves": moves,
        "unfinished": stages.unfinished(batch) if "approve" in moves else None,
        "cards": job_presenter.cards(jobs),
        "changes": history.steps_of(batch)[: analysis.CHANGES_SHOWN],
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
@shows_refusals()
def edit(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Change name, note, priority, assignee and reviewer."""
    services.update_batch(find(batch_id), actor=request.user, values=sent(EditForm(request.POST)))
    messages.success(request, "Saved.")
    return back(request, batch_id)


@require_POST
@shows_refusals()
def stage(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Hand the batch on, send it back or reopen it."""
    batch, values = find(batch_id), read(StageForm(request.POST))
    name = values["move"]
    if name not in stages.MOVES:
        raise ApiError("invalid_choice", phrases.CHOOSE_ACTION)
    try:
        moved = stages.move(
            batch,
            name,
            actor=request.user,
            reason=values["reason"],
            confirm=bool(values["confirm"]),
            expected_version=values["version"],
        )
    except NotAllowed as error:
        raise PermissionDenied(str(error.detail)) from error  # pages have their own sentence for it
    messages.success(request, STAGE_SENTENCES[name, moved.review_stage])
    return back(request, batch_id)


STAGE_SENTENCES: dict[tuple[str, str], str] = {
    ("submit", "validation"): "Submitted. The batch now waits for validation.",
    ("approve", "acceptance"): "Validated. The batch now waits for acceptance.",
    ("approve", "approved"): "Approved. The batch cannot be changed until it is reopened.",
    ("reject", "work"): "Sent back to work. The history shows your reason.",
    ("reopen", "work"): "Reopened. The batch is back in work.",
}


def _to_list(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    return redirect("batches")


def _whole(
    act: Callable[..., object], sentence: str, *, scope: str, target: str = "batch", is_deleted: bool = False
) -> Callable[..., HttpResponseBase]:
    """A view of one button that does something with the whole batch."""

    @require_POST
    @needs(scope)
    @shows_refusals(_to_list if is_deleted else back)
    def view(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
        batch = find(batch_id, is_deleted=is_deleted)
        act(batch, actor=request.user)
        messages.success(request, sentence.format(batch.batch_name))
        return redirect("batches") if target == "batches" else redirect("batch", batch_id=batch.pk)

    return view


archive = _whole(services.archive, "“{}” was archived.", scope="process", target="batches")
unarchive = _whole(services.unarchive, "“{}” was unarchived.", scope="process")
delete = _whole(
    services.delete_batch,
    "“{}” was deleted. It can be restored, and its images stay in the library.",
    scope="process",
    target="batches",
)
restore = _whole(services.restore_batch, "“{}” was restored.", scope="process", is_deleted=True)


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
