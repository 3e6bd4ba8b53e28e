"""The history of a batch for people: every step in a sentence, undo of any, redo."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.core.errors import ApiError, ErrorCode
from batches import phrases
from batches.history import changes
from batches.models import Batch, GroupingChange
from batches.pages.forms import UndoForm, VersionForm
from batches.pages.presenters import find
from batches.pages.refusals import back, shows_refusals
from pixproject.web.access import needs
from pixproject.web.forms import read

CHANGES_PER_PAGE = 50


def steps_of(batch: Batch) -> QuerySet[GroupingChange]:
    """The history, the newest first."""
    steps: QuerySet[GroupingChange] = changes.history(batch)
    return steps


@require_safe
@never_cache
def history(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    batch = find(batch_id)
    page = Paginator(steps_of(batch), CHANGES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "batches/history.html", {"batch": batch, "page": page})


@require_safe
@never_cache
def steps(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The undo and redo buttons with the last step's sentence, for pages that changed something by script."""
    context = {"batch": find(batch_id), "next_url": request.GET.get("next", "")}
    return render(request, "batches/steps.html", context)


@dataclass(frozen=True)
class RefusedUndo:
    """Why a step cannot be taken back as a whole."""

    step: GroupingChange
    detail: str
    sentences: list[str]
    rest: int  # images that can still be taken back


@require_POST
@needs("write")
@shows_refusals()
def undo(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Take back the last step, or the one that the form names."""
    batch, values = find(batch_id), read(UndoForm(request.POST))
    number = values["sequence"]
    try:
        change = changes.undo(
            batch,
            actor=request.user,
            sequence=number,
            expected_version=values["version"] if number is None else None,
            skip_conflicts=values["skip_conflicts"] == "1",
        )
    except ApiError as error:
        if error.code == ErrorCode.CONFLICT and error.errors:
            return _conflict_page(request, batch, number, error)
        raise
    messages.success(request, phrases.step(change))
    return back(request, batch_id)


def _conflict_page(request: HttpRequest, batch: Batch, number: int | None, error: ApiError) -> HttpResponse:
    step = changes.next_undo(batch) if number is None else batch.changes.filter(sequence=number).first()
    if step is None:
        raise error
    sentences = [entry.detail for entry in error.errors]
    touched = {entry.field for entry in error.errors if entry.field.startswith("images.")}
    conflict = RefusedUndo(step, str(error.detail), sentences, max(0, step.image_count - len(touched)))
    context: dict[str, Any] = {"batch": batch, "conflict": conflict, "next_url": request.POST.get("next", "")}
    return render(request, "batches/conflict.html", context, status=409)


@require_POST
@needs("write")
@shows_refusals()
def redo(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Redo what was undone last."""
    version = read(VersionForm(request.POST))["version"]
    change = changes.redo(find(batch_id), actor=request.user, expected_version=version)
    messages.success(request, phrases.step(change))
    return back(request, batch_id)


urlpatterns = [
    path("<uuid:batch_id>/history/", history, name="batch-history"),
    path("<uuid:batch_id>/steps/", steps, name="batch-steps"),
    path("<uuid:batch_id>/undo/", undo, name="batch-undo"),
    path("<uuid:batch_id>/redo/", redo, name="batch-redo"),
]
