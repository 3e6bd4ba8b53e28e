"""Making batches and filling them: from uploads, from selected images, from a filter of the library."""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_POST

from api.core.errors import ApiError
from batches import phrases, services
from batches.membership import add_upload
from batches.models import Batch
from batches.pages import presenters
from batches.pages.forms import ChosenForm, ImagesForm, NewBatchForm
from batches.pages.presenters import find
from batches.pages.refusals import back, refusal, shows_refusals
from images.models import Image
from images.pages import library_presenter
from images.selection import check_expected
from images.services import ingest
from pixproject.web.access import needs, next_path
from pixproject.web.forms import read
from processing.algorithms.errors import ProcessingError
from processing.states import Priority

MAX_CHOSEN = 20_000
BATCHES_OFFERED = 100
SHOWN = 12


def _selected(request: HttpRequest) -> list[uuid.UUID]:
    ids: list[uuid.UUID] = read(ImagesForm(request.POST))["image"]
    return ids


def _query(request: HttpRequest) -> str:
    """The library's filter that a request carries, as in the library's address."""
    if request.method == "POST":
        return request.POST.get("query", "")
    query = request.GET.copy()
    return query.urlencode() if query.pop("filter", None) else ""


def _of_filter(request: HttpRequest, query: str) -> list[uuid.UUID]:
    """The images that a filter of the library finds, the oldest first.

    Raises:
        ApiError: 400 for a wrong filter or too many images.
    """
    images, errors = library_presenter.matching(request, is_trash=False, data=QueryDict(query))
    if errors:
        raise ApiError("invalid", errors[0])
    keys = list(images.order_by("created_at", "id").values_list("pk", flat=True)[: MAX_CHOSEN + 1])
    if len(keys) > MAX_CHOSEN:
        raise ApiError("invalid", phrases.too_many_found(MAX_CHOSEN))
    return keys


def _chosen(request: HttpRequest, values: Mapping[str, Any]) -> list[uuid.UUID]:
    """The images that a form names, and those of its filter: as many as the page showed."""
    ids = values["image"]
    if len(ids) > MAX_CHOSEN:
        raise ApiError("invalid", phrases.too_many_selected(len(ids), MAX_CHOSEN))
    by_filter = _of_filter(request, values["query"]) if "query" in request.POST else []
    chosen = list(dict.fromkeys([*ids, *by_filter]))
    check_expected(len(chosen), values["expected"])
    return chosen


def _page(request: HttpRequest, *, image_ids: list[uuid.UUID], status: int = 200) -> HttpResponse:
    has_filter = bool(request.GET.get("filter")) or "query" in request.POST
    chosen = image_ids
    if has_filter and not image_ids:
        try:
            chosen = _of_filter(request, _query(request))
        except ApiError as error:
            messages.error(request, refusal(error))
    open_batches = Batch.objects.present().exclude(status=Batch.Status.ARCHIVED)
    open_batches = open_batches.exclude(review_stage=Batch.Stage.APPROVED)
    context: dict[str, Any] = {
        "chosen_count": len(chosen),
        "chosen_first": Image.objects.in_bulk(chosen[:SHOWN]).values(),
        "image_ids": [] if has_filter else chosen,
        "has_filter": has_filter,
        "query": _query(request) if has_filter else "",
        "open_batches": open_batches.order_by("-created_at")[:BATCHES_OFFERED] if chosen else [],
        "people": presenters.people(),
        "priorities": Priority.choices,
        "typed": request.POST,
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
        "formats": settings.ALLOWED_EXTENSIONS,
    }
    return render(request, "batches/new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("write")
def new(request: HttpRequest) -> HttpResponse:
    """A new batch: described, and filled with what was chosen or with the files of the form."""
    if request.method != "POST":
        return _page(request, image_ids=[])
    chosen: list[uuid.UUID] = []
    try:
        values = read(NewBatchForm(request.POST))
        chosen = _chosen(request, values)
        described = {name: values[name] for name in ("batch_name", "note", "priority", "assignee")}
        batch = services.create_batch(owner=request.user, image_ids=chosen, **described)
    except ApiError as error:
        messages.error(request, refusal(error))
        return _page(request, image_ids=_selected(request)[:MAX_CHOSEN], status=error.status)
    stored = _take_files(request, batch)
    messages.success(request, phrases.created(len(chosen) + stored))
    return redirect("batch", batch_id=batch.pk)


@require_POST
@needs("write")
def from_selection(request: HttpRequest) -> HttpResponse:
    """The form for a batch of what was selected in the library."""
    ids = _selected(request)
    if not ids:
        messages.error(request, phrases.SELECT_IMAGES)
        return _library(request)
    return _page(request, image_ids=ids[:MAX_CHOSEN])


def _library(request: HttpRequest) -> HttpResponse:
    return redirect(next_path(request, reverse("gallery")))


@require_POST
@needs("write")
@shows_refusals(_library)
def add_chosen(request: HttpRequest) -> HttpResponse:
    """Put what was chosen into an existing batch."""
    values = read(ChosenForm(request.POST))
    batch = services.open_batch(values["batch"], field="batch")
    chosen = _chosen(request, values)
    added = services.add_images(batch, chosen, actor=request.user).count
    messages.success(request, phrases.added(added, len(chosen) - added))
    return redirect("batch", batch_id=batch.pk)


@require_POST
@needs("write")
def upload(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The upload form of a batch without scripts: refusals are listed file by file."""
    batch = find(batch_id)
    if not request.FILES:
        messages.error(request, phrases.SELECT_IMAGES)
    elif stored := _take_files(request, batch):
        messages.success(request, phrases.added(stored))
    return redirect("batch", batch_id=batch.pk)


def _take_files(request: HttpRequest, batch: Batch) -> int:
    stored = 0
    for file in request.FILES.getlist("file"):
        try:
            ingest(
                file,
                filename=file.name or "",
                uploaded_by=request.user,
                source=Image.Source.WEB,
                after=partial(add_upload, batch, by=request.user),
            )
            stored += 1
        except (ApiError, ProcessingError) as error:
            messages.error(request, f"{file.name}: {error.detail}")
    return stored


@require_POST
@needs("write")
@shows_refusals()
def remove(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Take selected images out of the batch; they stay in the library."""
    batch, values = find(batch_id), read(ImagesForm(request.POST))
    if not values["image"]:
        raise ApiError("required", phrases.SELECT_IMAGES)
    removed = services.remove_images(
        batch, values["image"], actor=request.user, expected_version=values["version"]
    )
    messages.success(request, phrases.removed(removed.count))
    return back(request, batch_id)


urlpatterns = [
    path("new/", new, name="batch-new"),
    path("from-selection/", from_selection, name="batch-from-selection"),
    path("add/", add_chosen, name="batch-add"),
    path("<uuid:batch_id>/upload/", upload, name="batch-upload"),
    path("<uuid:batch_id>/images/remove/", remove, name="batch-images-remove"),
]
