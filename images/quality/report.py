"""The report of an image's quality: every measure with its number, its mark and its meaning."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from images.models import Image, QualityScore
from images.quality import fingerprints, profiles
from images.quality import service as quality
from processing.algorithms.quality import causes
from processing.algorithms.quality.causes import CAUSES, Cause
from processing.algorithms.quality.grading import is_fault, limits
from processing.algorithms.quality.metrics import METRICS
from processing.algorithms.quality.specs import MetricSpec

EMPTY_ROW = {
    "value": None,
    "normalized": None,
    "version": "",
    "weights_sha256": "",
    "input_size": None,
    "duration_ms": None,
    "error_code": "",
    "error_detail": "",
}


def as_json(image: Image) -> dict[str, Any]:
    """Everything that was measured of an image; default metrics that were not are listed with the reason."""
    rows = {row.metric: row for row in image.quality_scores.all()}
    cutoffs = profiles.profile_of(image.kind).cutoffs
    named = [name for name in METRICS if name in rows or name in settings.QUALITY_METRICS]
    return {
        "image": image.pk,
        "kind": image.kind,
        "grade": image.quality_grade,
        "profile": image.quality_profile,
        "issues": image.issues,
        "causes": [_cause(cause, rows.get(cause.name), cutoffs) for cause in CAUSES.values()],
        "metrics": [_metric(METRICS[name], rows.get(name)) for name in named],
        "fingerprint": fingerprints.panel_json(image),
    }


def _row(row: QualityScore | None, version: str) -> dict[str, Any]:
    if row is None:
        return {**EMPTY_ROW, "is_stale": False}
    return {
        "value": row.value,
        "normalized": row.normalized,
        "version": row.metric_version,
        "is_stale": bool(version) and row.metric_version != version,
        "weights_sha256": row.weights_sha256,
        "input_size": row.input_size,
        "duration_ms": row.duration_ms,
        "error_code": row.error_code,
        "error_detail": row.error_detail,
    }


def _cause(cause: Cause, row: QualityScore | None, cutoffs: Mapping[str, float | None]) -> dict[str, Any]:
    cutoff = cutoffs.get(cause.name)
    value = row.value if row else None
    return {
        **_row(row, causes.VERSION),
        "name": cause.name,
        "title": cause.title,
        "direction": "higher" if cause.bad_side == "below" else "lower",
        "range": list(limits(cause)),
        "code": cause.code,
        "unit": cause.unit,
        "threshold": cutoff,
        "is_fault": value is not None and cutoff is not None and is_fault(cause, value, cutoff),
        "is_available": True,
        "why_not": "",
        "command": "",
    }


def _metric(spec: MetricSpec, row: QualityScore | None) -> dict[str, Any]:
    availability = quality.availability(spec.name)
    return {
        **_row(row, availability.version),
        "name": spec.name,
        "title": spec.title,
        "direction": spec.better,
        "range": [spec.low, spec.high],
        "is_available": availability.is_available,
        "why_not": availability.why_not,
        "command": availability.command,
    }


def table() -> list[dict[str, Any]]:
    """Every metric and cause as `/api/metrics/` lists it."""
    return [*map(_metric_row, METRICS.values()), *map(_cause_row, CAUSES.values())]


def _metric_row(spec: MetricSpec) -> dict[str, Any]:
    availability = quality.availability(spec.name)
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "family": "metric",
        "direction": spec.better,
        "range": [spec.low, spec.high],
        "unit": "",
        "is_default": spec.name in settings.QUALITY_METRICS,
        "long_side_px": spec.long_side_px,
        "min_side_px": spec.min_side_px,
        "weights": list(spec.weights),
        "version": availability.version,
        "available": availability.is_available,
        "why_not": availability.why_not,
        "command": availability.command,
    }


def _cause_row(cause: Cause) -> dict[str, Any]:
    return {
        "name": cause.name,
        "title": cause.title,
        "description": cause.description,
        "family": "cause",
        "direction": "higher" if cause.bad_side == "below" else "lower",
        "range": list(limits(cause)),
        "unit": cause.unit,
        "is_default": True,
        "long_side_px": causes.LONG_SIDE_PX,
        "min_side_px": 1,
        "weights": [],
        "version": causes.VERSION,
        "available": True,
        "why_not": "",
        "command": "",
    }
