"""Grouping by machine: the form with its estimate, the run under way, the grid of parameters, the runs so far."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from api.core.errors import ApiError
from batches import phrases
from batches.clustering import run_status
from batches.clustering import service as analysis
from batches.clustering.parameters import DEFAULT_SAMPLES, DEFAULT_SIZES, FIELDS, LABELS
from batches.models import Batch, BatchImage, ClusterAssignment, ClusterRun
from batches.pages import history, presenters
from batches.pages.forms import AnalysisForm
from batches.pages.presenters import find
from batches.pages.refusals import refusal, shows_refusals
from images.vectors import embeddings
from pixproject.web.access import needs
from pixproject.web.forms import read
from processing import estimates, model_availability
from processing.algorithms.embedding.embedders import EMBEDDERS
from processing.algorithms.errors import ProcessingError
from processing.models import add_running
from processing.pages import job_presenter
from processing.pages.forms import PollForm

RUNS_SHOWN = 12
CHANGES_SHOWN = 6
OPEN = (ClusterRun.Status.QUEUED, ClusterRun.Status.RUNNING)


@dataclass(frozen=True)
class ModelChoice:
    value: str
    title: str
    why_not: str = ""


def _models() -> list[ModelChoice]:
    default = embeddings.default_embedder()
    choices = [ModelChoice(embeddings.AUTO, f"Automatic ({EMBEDDERS[default].title})")]
    for spec in EMBEDDERS.values():
        choices.append(ModelChoice(spec.name, spec.title, model_availability.state(spec.weights).why_not))
    return choices


def card_context(batch: Batch, user: Any, *, step: int = 0, progress: int = -1) -> dict[str, Any]:
    """What the card of the analysis and the table of runs show."""
    runs = list(
        batch.runs.select_related("job", "created_by").defer("centroids", "projection", "groups")[:RUNS_SHOWN]
    )
    under_way = next((run for run in runs if run.status in OPEN), None)
    parameters = analysis.parse_parameters({}, fallback=analysis.stored_parameters(batch.parameters))
    sweeps = [run for run in runs if run.mode == "sweep" and run.status == "completed"]
    context: dict[str, Any] = {
        "runs": runs,
        "run": under_way,
        "last_run": next((run for run in runs if run.mode != "sweep" and run.status not in OPEN), None),
        "sweep": sweeps[0] if sweeps and (under_way is None) else None,
        "heat": heat_table(sweeps[0]) if sweeps else None,
        "waiting": waiting(batch),
        "asked": parameters,
        "models": _models(),
        "fields": FIELDS,
        "labels": LABELS,
        "sizes": ", ".join(map(str, DEFAULT_SIZES)),
        "samples": ", ".join(map(str, DEFAULT_SAMPLES)),
        "may_analyze": has_scope(user, "process") and batch.is_open,
    }
    if under_way is not None and under_way.job is not None:
        add_running([under_way.job])
        context["eta"] = estimates.job_eta(under_way.job)
        context["poll"] = job_presenter.next_poll(under_way.job, step=step, progress=progress)
    elif context["may_analyze"]:
        context |= _estimated(batch, parameters, "full")
        if context["waiting"] and batch.active_run is not None:
            shown = {**parameters, "model": batch.active_run.model}
            context["placing"] = _estimated(batch, shown, "incremental")
    return context


def waiting(batch: Batch) -> int:
    """How many images came after the active run and wait for a group."""
    if batch.active_run_id is None:
        return 0
    rows = BatchImage.objects.filter(batch=batch, group=None, assigned_by="").present()
    rows = rows.exclude(decision=BatchImage.Decision.REJECTED)
    assigned = ClusterAssignment.objects.filter(run=batch.active_run_id).values("image_id")
    return int(rows.exclude(image__in=assigned).count())


def _estimated(batch: Batch, parameters: dict[str, Any], mode: str) -> dict[str, Any]:
    try:
        return {"estimate": analysis.estimate_analysis(batch, parameters=parameters, mode=mode)}
    except (ApiError, ProcessingError) as error:
        return {"estimate_error": refusal(error)}


@dataclass(frozen=True)
class Cell:
    """One pair of parameters in the grid, and how good it looks beside the others: 0 to 4."""

    trial: dict[str, Any]
    heat: int

    @property
    def key(self) -> str:
        samples = self.trial["min_samples"]
        return f"{self.trial['min_cluster_size']},{'' if samples is None else samples}"


def heat_table(run: ClusterRun) -> dict[str, Any]:
    """The grid of a sweep as rows of cells: group sizes down, numbers of neighbours across."""
    trials = {(trial["min_cluster_size"], trial["min_samples"]): trial for trial in run.grid}
    sizes = list(dict.fromkeys(size for size, _ in trials))
    samples = list(dict.fromkeys(samples for _, samples in trials))
    values = [trial["validity"] for trial in run.grid if trial.get("validity") is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    cells = {}
    for key, trial in trials.items():
        value, heat = trial.get("validity"), 0
        if value is not None:
            heat = 4 if high <= low else round(4 * (value - low) / (high - low))
        cells[key] = Cell(trial, heat)
    rows = [(size, [cells[size, n] for n in samples if (size, n) in cells]) for size in sizes]
    return {"samples": samples, "rows": rows}


@require_safe
@never_cache
def live(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The card of the analysis; it asks for itself until the run is over, then brings what the run changed."""
    run_status.sync_runs(batch_id)
    batch = find(batch_id)
    context = {"batch": batch, **card_context(batch, request.user, **read(PollForm(request.GET)))}
    if context["run"] is not None:
        return render(request, "batches/_analysis.html", context)
    context |= figures(batch) | {
        "is_over": True,
        "changes": history.steps_of(batch)[:CHANGES_SHOWN],
        "next_url": f"/batches/{batch.pk}/",
    }
    answer = render(request, "batches/_after_run.html", context)
    answer["HX-Trigger"] = "pictures-changed"  # the images below load again, with their groups
    return answer


def figures(batch: Batch) -> dict[str, Any]:
    """The bars of groups and grades."""
    group_bars, more_groups = presenters.group_bars(batch)
    quality_bars, unmeasured = presenters.quality_bars(batch)
    return {
        "group_bars": group_bars,
        "more_groups": more_groups,
        "quality_bars": quality_bars,
        "quality_label": ", ".join(f"{bar.title}: {bar.count}" for bar in quality_bars if bar.count),
        "unmeasured": unmeasured,
    }


def _parameters(form: AnalysisForm, batch: Batch) -> dict[str, Any]:
    """The parameters of the form, for the others those of the last time."""
    return analysis.parse_parameters(form.parameters(), fallback=analysis.stored_parameters(batch.parameters))


@require_safe
@never_cache
@needs("process")
def estimate(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What the form's parameters would cost, as a part of the page."""
    batch = find(batch_id)
    try:
        form = AnalysisForm(request.GET)
        mode = read(form)["mode"]
        context = _estimated(batch, _parameters(form, batch), mode)
    except (ApiError, ProcessingError) as error:
        context = {"estimate_error": refusal(error)}
    return render(request, "batches/_analysis_estimate.html", context)


@require_POST
@needs("process")
@shows_refusals()
def analyze(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Start a run, of the mode that the pressed button names."""
    batch, form = find(batch_id), AnalysisForm(request.POST)
    values = read(form)
    run = analysis.submit_analysis(
        batch,
        parameters=_parameters(form, batch),
        mode=values["mode"],
        actor=request.user,
        source="web",
        sizes=values["sizes"],
        samples=values["samples"],
    )
    messages.success(request, phrases.run_started(run.number))
    return redirect("batch", batch_id=batch.pk)


@require_POST
@needs("process")
@shows_refusals()
def adopt(request: HttpRequest, batch_id: uuid.UUID, run_number: int) -> HttpResponse:
    """Group the batch by the pair of parameters that was chosen in a grid."""
    batch = find(batch_id)
    sweep = get_object_or_404(batch.runs.filter(mode="sweep", status="completed"), number=run_number)
    size, _, samples = read(AnalysisForm(request.POST))["cell"].partition(",")
    named = {name: sweep.parameters[name] for name in analysis.PARAMETERS if name in sweep.parameters}
    named |= {"model": sweep.model, "min_cluster_size": size, "min_samples": samples}
    run = analysis.submit_analysis(
        batch,
        parameters=analysis.parse_parameters(named),
        actor=request.user,
        source="web",
    )
    messages.success(request, phrases.run_started(run.number))
    return redirect("batch", batch_id=batch.pk)


urlpatterns = [
    path("<uuid:batch_id>/analysis/", live, name="batch-analysis"),
    path("<uuid:batch_id>/analyze/", analyze, name="batch-analyze"),
    path("<uuid:batch_id>/analyze/estimate/", estimate, name="batch-analyze-estimate"),
    path("<uuid:batch_id>/runs/<int:run_number>/adopt/", adopt, name="batch-adopt"),
]
