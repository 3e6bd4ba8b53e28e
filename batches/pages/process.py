"""Work on the images of a batch: which, what it would cost, then one job."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from api.core.errors import ApiError
from batches import phrases, processing
from batches.models import Batch, BatchImage
from batches.pages.forms import FILTERS, FiltersForm, ProcessForm
from batches.pages.presenters import find
from batches.pages.refusals import refusal
from images.pages.library_presenter import ISSUES
from pixproject.web.access import needs
from pixproject.web.base import request_id
from pixproject.web.forms import read
from processing.algorithms.errors import ProcessingError
from processing.pages import composer
from processing.services import Delivery
from processing.states import Priority

DECISIONS = [
    ("", "All but rejected"),
    (BatchImage.Decision.ACCEPTED, "Accepted"),
    (BatchImage.Decision.PENDING, "Not decided"),
    (BatchImage.Decision.REJECTED, "Rejected"),
    (processing.ANY, "All, including rejected"),
]


def _filters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in FILTERS if values[name]}


def _page(request: HttpRequest, batch: Batch, *, status: int = 200) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    context = {
        "batch": batch,
        "groups": composer.groups(posted),
        "recipes": composer.RECIPES,
        "batch_groups": sorted(batch.groups.all(), key=lambda group: group.title.lower()),
        "decisions": DECISIONS,
        "issues": ISSUES,
        "filters": _filters(read(FiltersForm(posted or request.GET))),
        "priorities": Priority.choices,
    }
    return render(request, "batches/process.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("process")
def process(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Choose operations and images; the job starts with the post."""
    batch = find(batch_id)
    if request.method != "POST":
        return _page(request, batch)
    try:
        values = read(ProcessForm(request.POST))
        job = processing.process_batch(
            batch,
            composer.work_of(request.POST),
            filters=_filters(values),
            delivery=Delivery(
                output_folder=values["output_folder"],
                filename_prefix=values["filename_prefix"],
                requested_by=request.user,
                source="web",
                request_id=request_id.current(),
            ),
            priority=values["priority"],
        )
    except (ApiError, ProcessingError) as error:
        messages.error(request, refusal(error))
        return _page(request, batch, status=getattr(error, "status", None) or 400)
    messages.success(request, phrases.JOB_STARTED)
    return redirect("job", job_id=job.pk)


@require_POST
@needs("process")
def estimate(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What the chosen work would cost, as a part of the page."""
    batch = find(batch_id)
    context: dict[str, Any]
    try:
        values = read(ProcessForm(request.POST))
        filters = _filters(values)
        if "operation" in request.POST:
            estimated = processing.estimate_batch(batch, composer.work_of(request.POST), filters=filters)
            context = {"estimate": estimated}
        else:
            context = {"chosen_count": processing.chosen_images(batch, filters).count()}
    except (ApiError, ProcessingError) as error:
        context = {"error": refusal(error)}
    return render(request, "batches/_work_estimate.html", context)


urlpatterns = [
    path("<uuid:batch_id>/process/", process, name="batch-process"),
    path("<uuid:batch_id>/process/estimate/", estimate, name="batch-process-estimate"),
]
