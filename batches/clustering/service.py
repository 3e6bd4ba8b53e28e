"""Start the grouping of a batch, and say beforehand what it takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.utils.translation import ngettext

from api.access import audit
from api.core.errors import ApiError, ErrorCode
from batches.clustering.parameters import (
    ACTIVATIONS,
    CLUSTERING,
    DEFAULTS,
    MODES,
    PARAMETERS,
    one_of,
    parse_grid,
    parse_parameters,
    stored_parameters,
)
from batches.clustering.run_status import sync_runs
from batches.clustering.times import analysis_seconds
from batches.history import changes
from batches.models import Batch, BatchImage, ClusterRun
from images.models import Embedding, Image
from images.vectors import embeddings
from pixproject.web.base import request_id
from processing import estimates
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job
from processing.states import Queue

__all__ = [
    "DEFAULTS",
    "PARAMETERS",
    "estimate_analysis",
    "is_quick",
    "parse_parameters",
    "stored_parameters",
    "submit_analysis",
]

JOB_KIND = OPERATION = "analyze"
QUICK_UP_TO = 500
Mode, RunStatus = ClusterRun.Mode, ClusterRun.Status


@dataclass(frozen=True)
class Work:
    """What an analysis finds: how many images, which lack a vector, how many cannot get one."""

    images: int
    to_embed: list[Any]
    unusable: int


def submit_analysis(
    batch: Batch,
    *,
    parameters: Mapping[str, Any],
    mode: str = "full",
    activate: str = "auto",
    actor: Any = None,
    source: str = "api",
    sizes: Sequence[Any] | None = None,
    samples: Sequence[Any] | None = None,
) -> ClusterRun:
    """Have a batch grouped by the model worker: missing vectors first, then the clustering, as one job.

    Args:
        parameters: from `parse_parameters`.
        mode: "full": everything anew; "incremental": images that came since join the groups that are there, the rest
            is clustered among itself; "sweep": only tries a grid of parameters.
        activate: whether the run becomes the batch's groups once it is done. "auto": where no person has placed,
            locked, confirmed or named anything; an incremental run always, since it moves nothing that is in a group.
        sizes, samples: the grid of a sweep: values of min_cluster_size and min_samples.

    Returns:
        The run, with its `job`.

    Raises:
        ApiError: 400 for wrong words and grids, 409 while another run is under way, for a closed batch, or for an
            incremental run without an active run of the same model and weights, 422 `model_unavailable`.
    """
    one_of("mode", mode, MODES)
    one_of("activate", activate, ACTIVATIONS)
    spec, sha256 = embeddings.usable(str(parameters["model"]))
    run_parameters = {name: parameters[name] for name in CLUSTERING}
    sync_runs(batch.pk)
    with transaction.atomic():
        locked = changes.lock(batch)
        changes.check_open(locked)
        _check_idle(locked)
        if mode == Mode.INCREMENTAL:
            run_parameters["base_run"] = _base(locked, spec.name, sha256).number
        if mode == Mode.SWEEP:
            run_parameters["sizes"], run_parameters["samples"] = parse_grid(sizes, samples)
            run_parameters["allow_single_cluster"] = False
        run = ClusterRun.objects.create(
            batch=locked,
            number=int(locked.runs.aggregate(last=Max("number"))["last"] or 0) + 1,
            mode=mode,
            model=spec.name,
            weights_sha256=sha256,
            parameters=run_parameters,
            activate="never" if mode == Mode.SWEEP else activate,
            created_by=actor if actor is not None and actor.pk else None,
        )
        run.job = _job(locked, run, actor=actor, source=source)
        run.save(update_fields=["job"])
        locked.status = Batch.Status.QUEUED
        if mode == Mode.FULL:  # what it was asked with is offered the next time
            kept = {name: parameters[name] for name in PARAMETERS}
            locked.parameters = {**locked.parameters, "analysis": kept}
        locked.save(update_fields=["status", "parameters", "updated_at"])
        detail = {"run": run.number, "mode": mode, "parameters": run_parameters, "job": str(run.job.pk)}
        audit.record("batch.analyze", locked, actor=actor, detail=detail)
    batch.status, batch.parameters = locked.status, locked.parameters
    return run


def _check_idle(batch: Batch) -> None:
    run = batch.runs.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING]).first()
    if run is not None:
        job = f"job {run.job_id}"
        detail = (
            f"Run {run.number} of this batch is {run.status} ({job}). Wait for it to finish or cancel it."
        )
        raise ApiError(ErrorCode.CONFLICT, detail)


def _base(batch: Batch, model: str, sha256: str) -> ClusterRun:
    """The full run that the active run goes back to."""
    active = batch.active_run
    if active is None:
        detail = "The batch has no active run that new images could join. Start a full analysis first."
        raise ApiError(ErrorCode.CONFLICT, detail)
    if active.model != model:
        detail = f"Run {active.number} used the model {active.model}, not {model}. Use it, or start a full analysis."
        raise ApiError(ErrorCode.CONFLICT, detail)
    if active.weights_sha256 != sha256:
        detail = f"Run {active.number} used different {model} weights. Start a full analysis to use the installed ones."
        raise ApiError(ErrorCode.CONFLICT, detail)
    number = active.parameters.get("base_run", active.number)
    return batch.runs.filter(number=number).first() or active


def _job(batch: Batch, run: ClusterRun, *, actor: Any, source: str) -> Job:
    missing = _work(batch, run.model, run.weights_sha256).to_embed
    return jobs.submit_job(
        kind=JOB_KIND,
        operations=[
            *embeddings.operations(missing, model=run.model),
            NewOperation(OPERATION, {"run": str(run.pk)}),
        ],
        priority=batch.priority,
        batch_id=batch.pk,
        parameters={"run": run.number, "mode": run.mode, "model": run.model, **run.parameters},
        requested_by=actor if actor is not None and actor.pk else None,
        source=source,
        request_id=request_id.current(),
    )


def _work(batch: Batch, model: str, sha256: str) -> Work:
    own = Embedding.objects.filter(image=OuterRef("pk"), model=model, weights_sha256=sha256)
    # An analysis looks at the present images that nobody rejected.
    members = batch.batch_images.present().exclude(decision=BatchImage.Decision.REJECTED)
    images = Image.objects.filter(pk__in=members.values("image")).annotate(has_vector=Exists(own))
    rows = list(images.order_by("pk").values_list("pk", "status", "has_vector"))
    without = [(key, status) for key, status, has_vector in rows if not has_vector]
    to_embed = [key for key, status in without if status == Image.Status.READY]
    return Work(len(rows), to_embed, len(without) - len(to_embed))


def estimate_analysis(batch: Batch, *, parameters: Mapping[str, Any], mode: str = "full") -> dict[str, Any]:
    """What an analysis would do and take, from what this installation measured; nothing is started.

    Returns:
        images, to_embed, unusable (damaged ones without a vector), seconds {p50, p90}, based_on (measured pieces of
        work), notes.

    Raises:
        ApiError: 400 for a wrong mode, 422 `model_unavailable`.
    """
    one_of("mode", mode, MODES)
    spec, sha256 = embeddings.usable(str(parameters["model"]))
    work = _work(batch, spec.name, sha256)
    vectors = estimates.estimate({(embeddings.OPERATION, Queue.ML): len(work.to_embed)})
    clustering = analysis_seconds(mode, work.images - work.unusable)
    return {
        "images": work.images,
        "to_embed": len(work.to_embed),
        "unusable": work.unusable,
        "seconds": {
            "p50": round(vectors.seconds_p50 + clustering.p50, 2),
            "p90": round(vectors.seconds_p90 + clustering.p90, 2),
        },
        "based_on": vectors.based_on + clustering.based_on,
        "notes": _notes(work, parameters),
    }


def _notes(work: Work, parameters: Mapping[str, Any]) -> list[str]:
    notes = []
    if work.unusable:
        sentence = ngettext("{} damaged image is left out.", "{} damaged images are left out.", work.unusable)
        notes.append(sentence.format(work.unusable))
    usable, least = work.images - work.unusable, int(parameters["min_cluster_size"])
    if usable < least:
        sentence = ngettext(
            "{} image is not enough for a group of at least {}. It stays unassigned.",
            "{} images are not enough for a group of at least {}. All stay unassigned.",
            usable,
        )
        notes.append(sentence.format(usable, least))
    return notes


def is_quick(batch: Batch, parameters: Mapping[str, Any]) -> bool:
    """Whether an analysis is done within seconds: all vectors are there, and at most 500 images."""
    spec, sha256 = embeddings.usable(str(parameters["model"]))
    work = _work(batch, spec.name, sha256)
    return not work.to_embed and work.images <= QUICK_UP_TO
