"""The map of a batch: every image as a point."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from api.access.permissions import has_scope
from batches.clustering import projection
from batches.models import Batch
from batches.pages.forms import RunForm
from pixproject.web.forms import read

MAX_RUNS = 50


@require_safe
def batch_map(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The page; the points themselves are fetched from the API."""
    batch = get_object_or_404(Batch.objects.present(), pk=batch_id)
    runs = list(projection.placing_runs(batch)[:MAX_RUNS])
    form = RunForm(request.GET)
    number, asked = read(form)["run"], form["run"].data
    run = next((run for run in runs if run.number == number), None)
    problem = f"This batch has no run {asked[:20]} with a map." if asked and run is None else ""
    if run is None:
        run = next((run for run in runs if run.pk == batch.active_run_id), runs[0] if runs else None)
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


urlpatterns = [path("<uuid:batch_id>/map/", batch_map, name="batch-map")]
