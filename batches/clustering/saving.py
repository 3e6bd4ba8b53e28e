"""Write what an analysis found: the run, its row for each image and, if requested, the batch's groups."""

import hashlib
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from django.utils import timezone

from api.core.errors import ApiError
from batches.clustering import activation
from batches.clustering.compute import Context, Outcome
from batches.clustering.run_status import OPEN, set_batch_status
from batches.models import Batch, ClusterRun
from images.models import Image
from processing.algorithms.errors import ProcessingError

Mode = ClusterRun.Mode
HELD_BACK = (
    "The groups of this run are not in use yet, because people have placed, locked, confirmed or named something in "
    "the batch. Compare and accept them first."
)
_COPY = (
    "COPY batches_clusterassignment (run_id, image_id, label, probability, outlier_score, x, y) FROM STDIN"
)


def save(run_id: UUID, outcome: Outcome) -> dict[str, Any]:
    """Complete a run; the caller's transaction makes this and the operation's completion one.

    Raises:
        ProcessingError: the batch is gone, or the run was ended meanwhile.
    """
    # The batch is locked first, as everywhere.
    batch = Batch.objects.select_for_update(no_key=True).filter(runs=run_id).first()
    run = ClusterRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if batch is None or run is None:
        raise ProcessingError("The batch was deleted in the meantime.", code="gone")
    if run.status not in OPEN:
        raise ProcessingError(f"Run {run.number} is already {run.status}.", code="conflict")
    context = outcome.context
    assert context is not None
    _describe(run, outcome, context)
    if run.mode != Mode.SWEEP:
        _write_assignments(run, outcome, context.image_ids)
    run.save()
    is_active = _activate(batch, run)
    run.duration_ms = round(1000 * (time.time() - context.started))
    run.save(update_fields=["notes", "duration_ms"])
    is_done = run.mode != Mode.SWEEP or batch.active_run_id is not None
    set_batch_status(batch, Batch.Status.COMPLETE if is_done else Batch.Status.DRAFT)
    return {
        "run": run.number,
        "groups": run.n_groups,
        "in_no_group": run.n_noise,
        "is_active": is_active,
        "notes": run.notes,
    }


def _describe(run: ClusterRun, outcome: Outcome, context: Context) -> None:
    run.status, run.finished_at = ClusterRun.Status.COMPLETED, timezone.now()
    run.error_code = run.error_detail = ""
    run.library_versions = dict(outcome.versions)
    run.image_set_sha256 = hashlib.sha256("\n".join(context.sha256s).encode()).hexdigest()
    run.n_images = len(context.image_ids)
    run.n_groups = len(outcome.groups)
    run.n_noise = int(np.count_nonzero(outcome.labels < 0))
    run.validity = outcome.validity
    run.notes = [*context.notes, *outcome.notes]
    # The first labels of an incremental run are groups that were there.
    known = dict(enumerate(map(str, context.group_ids)))
    run.groups = [
        {
            **row,
            "medoid": str(context.image_ids[row["medoid"]]),
            "group": known.get(row["label"]),
            "is_new": row["label"] not in known,
        }
        for row in outcome.groups
    ]
    run.centroids = outcome.centroids.astype("<f4").tobytes()
    run.projection = outcome.projection.astype("<f4").tobytes()
    run.grid = list(outcome.grid)
    if not context.image_ids:
        run.notes = [*context.notes, "There are no images to group."]


def _write_assignments(run: ClusterRun, outcome: Outcome, ids: Sequence[UUID]) -> None:
    """By COPY, which writes thousands of rows in the time of one; images whose row is gone are left out."""
    there = set(Image.objects.filter(pk__in=ids).values_list("pk", flat=True))
    rows = zip(
        ids,
        outcome.labels.tolist(),
        outcome.probabilities.tolist(),
        outcome.outlier_scores.tolist(),
        outcome.coordinates.tolist(),
        strict=True,
    )
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for image_id, label, probability, score, (x, y) in rows:
            if image_id in there:
                copy.write_row((run.pk, image_id, label, probability, score, x, y))


def _activate(batch: Batch, run: ClusterRun) -> bool:
    if run.mode == Mode.SWEEP or run.activate == "never":
        return False
    if run.activate == "auto" and run.mode == Mode.FULL and activation.touched_by_people(batch):
        run.notes = [*run.notes, HELD_BACK]
        return False
    try:
        activation.activate(batch, run, actor=run.created_by)
    except ApiError as error:  # approved or deleted meanwhile: the run is there for later
        run.notes = [*run.notes, f"The groups of this run were not applied. {error.detail}"]
        return False
    return True
