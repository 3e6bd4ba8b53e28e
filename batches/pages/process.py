"""Work on the pictures of a batch: which, what it would cost, then one job."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from api.core.errors import ApiError
from batches import processing, services
from batches.models import Batch, BatchImage
from batches.pages.presenters import find
from images.pages.library_presenter import ISSUES
from pixproject.web.access import needs, refusal_sentence
from pixproject.web.base import request_id
from processing.algorithms.errors import ProcessingError
from processing.pages import composer
from processing.services import Delivery, Work, parse_work
from processing.states import Priority

DECISIONS = [
    ("", "All but rejected"),
    (BatchImage.Decision.ACCEPTED, "Accepted"),
    (BatchImage.Decision.PENDING, "Not decided yet"),
    (BatchImage.Decision.REJECTED, "Rejected"),
    (processing.ANY, "All, rejected too"),
]
LABELS = {
    "filter.group": "Group",
    "filter.decision": "Decision",
    "filter.min_quality": "Grade from",
    "filter.issue": "Quality fault",
}  # what the form calls the filters
FILTERS = ("group", "decision", "min_quality", "issue")


def _work(request: HttpRequest) -> Work:
    steps = composer.steps_from_form(request.POST)
    is_pipeline = request.POST.get("mode") == "pipeline" and len(steps) > 1
    return parse_work(**{"pipeline" if is_pipeline else "operations": steps})


def _filters(request: HttpRequest) -> dict[str, Any]:
    given = request.POST if request.method == "POST" else request.GET
    return {name: text for name in FILTERS if (text := given.get(name, "").strip())}


def in_words(error: ApiError | ProcessingError) -> str:
    """The refusal, with the filter named as the form names it."""
    sentence = refusal_sentence(error)
    name, colon, rest = sentence.partition(": ")
    return f"{LABELS[name]}: {rest}" if colon and name in LABELS else sentence


def _page(request: HttpRequest, batch: Batch, *, status: int = 200) -> HttpResponse:
    context = {
        "batch": batch,
        "groups": composer.groups(),
        "recipes": composer.RECIPES,
        "batch_groups": sorted(batch.groups.all(), key=lambda group: group.title.lower()),
        "decisions": DECISIONS,
        "issues": ISSUES,
        "filters": _filters(request),
        "priorities": Priority.choices,
    }
    return render(request, "batches/process.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs("process")
def process(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Choose operations and pictures; the job starts with the post."""
    batch = find(batch_id)
    if request.method != "POST":
        return _page(request, batch)
    try:
        job = processing.process_batch(
            batch,
            _work(request),
            filters=_filters(request),
            delivery=_delivery(request),
            priority=services.priority_of(request.POST.get("priority", batch.priority)),
        )
    except (ApiError, ProcessingError) as error:
        messages.error(request, in_words(error))
        return _page(request, batch, status=getattr(error, "status", None) or 400)
    messages.success(request, "The job has started.")
    return redirect("job", job_id=job.pk)


def _delivery(request: HttpRequest) -> Delivery:
    return Delivery(
        output_folder=request.POST.get("output_folder", "").strip()[:200],
        filename_prefix=request.POST.get("filename_prefix", "").strip()[:100],
        requested_by=request.user,
        source="web",
        request_id=request_id.current(),
    )


@require_POST
@needs("process")
def estimate(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What the chosen work would cost, as a part of the page."""
    batch = find(batch_id)
    context: dict[str, Any]
    try:
        if not request.POST.getlist("operation"):
            count = processing.chosen_images(batch, _filters(request)).count()
            context = {"chosen_count": count}
        else:
            context = {
                "estimate": processing.estimate_batch(batch, _work(request), filters=_filters(request))
            }
    except (ApiError, ProcessingError) as error:
        context = {"error": in_words(error)}
    return render(request, "batches/_work_estimate.html", context)


urlpatterns = [
    path("<uuid:batch_id>/process/", process, name="batch-process"),
    path("<uuid:batch_id>/process/estimate/", estimate, name="batch-process-estimate"),
]
