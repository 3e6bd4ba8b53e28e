"""A run compared with the current groups: what it would change, taken over as a whole or group by group."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from batches import phrases
from batches.clustering import activation
from batches.models import Batch, ClusterRun
from batches.pages.forms import RunForm, TakeOverForm
from batches.pages.presenters import find
from batches.pages.refusals import shows_refusals
from pixproject.web.access import needs
from pixproject.web.forms import read

KINDS = ("changed", "new", "dissolved", "kept")


def _run(batch: Batch, run_number: int) -> ClusterRun:
    runs = batch.runs.defer("centroids", "projection", "grid")
    if run_number:
        run: ClusterRun = get_object_or_404(runs, number=run_number)
        return run
    last = runs.filter(status="completed").exclude(mode="sweep").order_by("-number").first()
    if last is None:
        raise Http404("This batch has no completed run yet.")
    return last


@require_safe
@never_cache
@shows_refusals()
def compare(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What a run would change, group by group."""
    batch = find(batch_id)
    run = _run(batch, read(RunForm(request.GET))["run"])
    diff = activation.plan(batch, run)
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


def _back_to_compare(request: HttpRequest, batch_id: uuid.UUID, run_number: int) -> HttpResponse:
    return redirect(f"{reverse('batch-compare', args=[batch_id])}?run={run_number}")


@require_POST
@needs("write")
@shows_refusals(_back_to_compare)
def take_over(request: HttpRequest, batch_id: uuid.UUID, run_number: int) -> HttpResponse:
    """Make a run's groups those of the batch: all of them, or the ones that are ticked."""
    batch = find(batch_id)
    run = _run(batch, run_number)
    values = read(TakeOverForm(request.POST))
    items = None if values["which"] == "all" else values["item"]
    change = activation.activate(
        batch, run, actor=request.user, items=items, expected_version=values["version"]
    )
    if change is None:
        messages.info(request, f"Run {run.number} is now in use. No image changed its group.")
    else:
        messages.success(request, phrases.step(change))
    return redirect("batch", batch_id=batch.pk)


urlpatterns = [
    path("<uuid:batch_id>/compare/", compare, name="batch-compare"),
    path("<uuid:batch_id>/runs/<int:run_number>/take-over/", take_over, name="batch-take-over"),
]
