"""The map of a batch: every image as a point."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from api.access.permissions import has_scope
from batches.clustering import projection
from batches.models import Batch, ClusterRun

MAX_RUNS = 50
LONGEST_NUMBER = 9


@require_safe
def batch_map(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The page; the points themselves are fetched from the API."""
    batch = get_object_or_404(Batch.objects.present(), pk=batch_id)
    runs = list(projection.placing_runs(batch)[:MAX_RUNS])
    run, problem = _asked_run(request.GET.get("run", ""), batch, runs)
    context = {
        "batch": batch,
        "runs": runs,
        "run": run,
        "problem": problem,
        "groups": batch.groups.with_counts(),
        "unassigned": batch.batch_images.filter(group=None).present().count(),
        "may_edit": has_scope(request.user, "write") and batch.is_open,
        "is_open": batch.is_open,
    }
    return render(request, "batches/map.html", context, status=404 if problem else 200)


def _asked_run(text: str, batch: Batch, runs: list[ClusterRun]) -> tuple[ClusterRun | None, str]:
    """The run of the address, else the active one; and a sentence where the address names none that has a map."""
    usual = next((run for run in runs if run.pk == batch.active_run_id), runs[0] if runs else None)
    if not text:
        return usual, ""
    is_number = text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
    chosen = next((run for run in runs if is_number and run.number == int(text)), None)
    if chosen is None:
        return usual, f"This batch has no run {text[:20]} with a map."
    return chosen, ""


urlpatterns = [path("<uuid:batch_id>/map/", batch_map, name="batch-map")]
