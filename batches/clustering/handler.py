"""The engine's work on groupings: vectors in, groups computed in a subprocess, a run and its assignments out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.utils.translation import ngettext

from batches.clustering import batch_vectors, saving
from batches.clustering import compute as analysis_compute
from batches.clustering.batch_vectors import Vectors
from batches.clustering.compute import Context, Outcome, Task
from batches.clustering.run_status import OPEN, OPERATION, sync_runs
from batches.models import BatchImage, ClusterRun
from batches.phrases import images
from images.vectors import embeddings
from processing import model_availability
from processing.algorithms.embedding.embedders import EMBEDDERS
from processing.algorithms.errors import ProcessingError
from processing.engine.registry import Claim, Handler, NotYet
from processing.models import Operation
from processing.states import OPERATION_OPEN, Queue

NAMED = 5
Mode = ClusterRun.Mode


def _load(claim: Claim, scratch: Path) -> tuple[Task]:
    started = time.time()
    run = _run(claim)
    vector_work = Operation.objects.filter(job=claim.job_id, name=embeddings.OPERATION)
    if waiting := vector_work.filter(status__in=OPERATION_OPEN).count():
        sentence = ngettext(
            "{} vector is still being computed.", "{} vectors are still being computed.", waiting
        )
        raise NotYet(sentence.format(waiting))
    installed = model_availability.state(EMBEDDERS[run.model].weights).sha256
    if installed and installed != run.weights_sha256:
        # Vectors of weights that were replaced meanwhile are not made any more, so the run would miss images.
        detail = f"The weights of {run.model} were replaced after the analysis was requested. Start it again."
        raise ProcessingError(detail, code="model_unavailable")
    vectors = batch_vectors.load(run.batch_id, model=run.model, weights_sha256=run.weights_sha256)
    inputs, group_ids = {"vectors": vectors.numbers}, list[UUID]()
    if run.mode == Mode.INCREMENTAL:
        more, group_ids = _incremental_inputs(run, vectors)
        inputs |= more
    path = scratch / "inputs.npz"
    np.savez(path, **inputs)  # type: ignore[arg-type]
    context = Context(
        vectors.image_ids, vectors.sha256s, group_ids, _left_out(run, vectors.image_ids), started
    )
    return (Task(run.mode, str(path), run.parameters, run.seed, str(scratch), context),)


def _run(claim: Claim) -> ClusterRun:
    """The claim's run, running; one that failed or was cancelled is taken up again."""
    run = ClusterRun.objects.filter(pk=claim.parameters["run"]).first()
    if run is None:
        raise ProcessingError("The batch was deleted.", code="gone")
    sync_runs(run.batch_id)
    run.refresh_from_db()
    if run.status not in OPEN:
        detail = f"Run {run.number} is {run.status}, and another run of this batch is in progress."
        raise ProcessingError(detail, code="conflict")
    return run


def _left_out(run: ClusterRun, with_vector: Sequence[UUID]) -> list[str]:
    """A sentence on the images that have no vector, by their names."""
    rows = BatchImage.objects.filter(batch=run.batch_id).present()
    rows = rows.exclude(decision=BatchImage.Decision.REJECTED).order_by("position", "id")
    there = set(with_vector)
    names = list(rows.values_list("image_id", "image__original_filename"))
    missing = [name for image_id, name in names if image_id not in there]
    if not missing:
        return []
    listed = ", ".join(missing[:NAMED]) + (
        f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    )
    sentence = ngettext("{} of {} has no vector: {}.", "{} of {} have no vector: {}.", len(missing))
    return [sentence.format(len(missing), images(len(names)), listed)]


def _incremental_inputs(run: ClusterRun, vectors: Vectors) -> tuple[dict[str, np.ndarray], list[UUID]]:
    """Where the images are now, and which of them came since the full run that all goes back to."""
    batch = run.batch
    active = batch.active_run
    if active is None or (active.model, active.weights_sha256) != (run.model, run.weights_sha256):
        detail = "The batch's active run changed in the meantime. Try again, or start a full analysis."
        raise ProcessingError(detail, code="conflict")
    rows: dict[UUID, tuple[UUID | None, float | None, float | None]] = {
        image_id: (group_id, probability, score)
        for image_id, group_id, probability, score in batch.batch_images.values_list(
            "image_id", "group_id", "probability", "outlier_score"
        )
    }
    movable = set(batch.batch_images.movable().values_list("image_id", flat=True))
    base = batch.runs.filter(number=run.parameters["base_run"]).first() or active
    assigned = set(base.assignments.values_list("image_id", flat=True))
    places = [rows.get(key, (None, None, None)) for key in vectors.image_ids]
    group_ids = sorted({group_id for group_id, *_ in places if group_id is not None})
    number = {group_id: index for index, group_id in enumerate(group_ids)}
    is_free = [
        place[0] is None and key in movable for place, key in zip(places, vectors.image_ids, strict=True)
    ]
    is_new = [free and key not in assigned for free, key in zip(is_free, vectors.image_ids, strict=True)]
    width = vectors.numbers.shape[1]
    inputs = {
        "labels": np.array([-1 if place[0] is None else number[place[0]] for place in places], np.intp),
        "is_free": np.array(is_free, bool),
        "is_new": np.array(is_new, bool),
        "probabilities": np.array([_or(place[1], float(place[0] is not None)) for place in places]),
        "outlier_scores": np.array([_or(place[2], 0.0) for place in places]),
        "projection": np.frombuffer(bytes(active.projection), "<f4").reshape(3, width),
    }
    return inputs, group_ids


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _save(claim: Claim, outcome: Outcome) -> dict[str, Any]:
    return saving.save(UUID(str(claim.parameters["run"])), outcome)


HANDLERS = (Handler(OPERATION, Queue.ML, analysis_compute.analyse, load=_load, save=_save),)
