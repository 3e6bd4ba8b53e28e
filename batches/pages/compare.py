"""A run beside the groups that are there: what it would change, taken over as a whole or group by group."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from api.core.errors import ApiError
from batches.clustering import activation
from batches.models import Batch, ClusterRun
from batches.pages.presenters import find, number, seen
from pixproject.web.access import needs, tell

KINDS = ("changed", "new", "dissolved", "kept")


def _run(batch: Batch, run_number: int) -> ClusterRun:
    runs = batch.runs.defer("centroids", "projection", "grid")
    if run_number:
        found: ClusterRun = get_object_or_404(runs, number=run_number)
        return found
    last = runs.filter(status="completed").exclude(mode="sweep").order_by("-number").first()
    if last is None:
        raise Http404("No run of this batch is done yet.")
    return last


@require_safe
@never_cache
def compare(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What a run would change, group by group."""
    batch = find(batch_id)
    run = _run(batch, number(request, "run", 0))
    try:
        diff = activation.plan(batch, run)
    except ApiError as error:
        tell(request, error)
        return redirect("batch", batch_id=batch.pk)
    context: dict[str, Any] = {
        "batch": batch,
        "run": run,
        "diff": diff,
        "changing": [item for item in diff.items if item.kind != "kept"],
        "kept": [item for item in diff.items if item.kind == "kept"],
        "may_take": has_scope(request.user, "write") and batch.is_open,
        "is_active": run.pk == batch.active_run_id,
    }
    return render(request, "batches/compare.html", context)


@require_POST
@needs("write")
def take_over(request: HttpRequest, batch_id: uuid.UUID, run_number: int) -> HttpResponse:
    """Make a run's groups those of the batch: all of them, or the ones that are ticked."""
    batch = find(batch_id)
    run = _run(batch, run_number)
    items = None if request.POST.get("which") == "all" else request.POST.getlist("item")
    here = f"{reverse('batch-compare', args=[batch.pk])}?run={run.number}"
    try:
        change = activation.activate(batch, run, actor=request.user, items=items, seen=seen(request))
    except ApiError as error:
        tell(request, error)
        return redirect(here)
    if change is None:
        messages.info(request, f"Run {run.number} is in use now; no picture changed its group.")
    else:
        messages.success(request, f"{change.summary[:1].upper()}{change.summary[1:]}.")
    return redirect("batch", batch_id=batch.pk)


urlpatterns = [
    path("<uuid:batch_id>/compare/", compare, name="batch-compare"),
    path("<uuid:batch_id>/runs/<int:run_number>/take-over/", take_over, name="batch-take-over"),
]
