"""A batch as a JSON manifest: hashes, parameters, versions and decisions, enough to repeat its groups."""

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from batches.exports.rows import ROWS_AT_ONCE, members
from batches.models import Batch, ClusterAssignment, ClusterRun

VERSION = 1
_IMAGE_FIELDS = {
    "id": "image",
    "original_filename": "image__original_filename",
    "sha256": "image__sha256",
    "format": "image__format",
    "width": "image__width",
    "height": "image__height",
    "byte_size": "image__byte_size",
    "captured_at": "image__captured_at",
    "reference": "image__reference",
    "tags": "image__tags",
    "quality_grade": "image__quality_grade",
    "quality_profile": "image__quality_profile",
    "issues": "image__issues",
    "position": "position",
    "group_label": "group__label",
    "assigned_by": "assigned_by",
    "locked": "locked",
    "probability": "probability",
    "outlier_score": "outlier_score",
    "decision": "decision",
    "reject_reason": "reject_reason",
    "run_label": "run_label",
}


def manifest_parts(batch: Batch) -> Iterator[str]:
    """The text of the manifest, piece by piece."""
    groups: list[Any] = list(batch.groups.with_counts())
    head = {
        "format": "pix-batch",
        "format_version": VERSION,
        "exported_at": timezone.now().isoformat(),
        "batch": _batch(batch),
        "run": _run(batch.active_run),
        "groups": [
            {
                "id": str(group.pk),
                "label": group.label,
                "name": group.name,
                "title": group.title,
                "colour": group.colour,
                "cover": group.cover_id and str(group.cover_id),
                "status": group.status,
                "count": group.count,
            }
            for group in groups
        ],
    }
    yield json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + ',\n "images": ['
    # Each image with what the active run said of it, which people may have changed since.
    assignments = ClusterAssignment.objects.filter(run=batch.active_run_id, image=OuterRef("image"))
    rows = members(batch).annotate(run_label=Subquery(assignments.values("label")[:1]))
    mark = "\n  "
    for values in rows.values_list(*_IMAGE_FIELDS.values()).iterator(chunk_size=ROWS_AT_ONCE):
        row = dict(zip(_IMAGE_FIELDS, values, strict=True))
        row["captured_at"] = row["captured_at"] and row["captured_at"].isoformat()
        yield mark + json.dumps(row, ensure_ascii=False, default=str)
        mark = ",\n  "
    yield "\n ]\n}\n"


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "id": str(batch.pk),
        "batch_name": batch.batch_name,
        "kind": batch.kind,
        "status": batch.status,
        "review_stage": batch.review_stage,
        "version": batch.version,
        "parameters": batch.parameters,
        "note": batch.note,
        "owner": batch.owner.get_username() if batch.owner else None,
        "created_at": batch.created_at.isoformat(),
        "image_count": members(batch).count(),
    }


def _run(run: ClusterRun | None) -> dict[str, Any] | None:
    """With the parameters, seed, weights and versions that give these labels again."""
    if run is None:
        return None
    return {
        "number": run.number,
        "mode": run.mode,
        "model": run.model,
        "weights_sha256": run.weights_sha256,
        "parameters": run.parameters,
        "seed": run.seed,
        "library_versions": run.library_versions,
        "image_set_sha256": run.image_set_sha256,
        "n_images": run.n_images,
        "n_groups": run.n_groups,
        "n_noise": run.n_noise,
        "validity": run.validity,
        "notes": run.notes,
        "groups": run.groups,
        "finished_at": run.finished_at and run.finished_at.isoformat(),
    }
