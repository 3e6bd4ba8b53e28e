"""The engine's work on quality: causes (no model), metrics (several images at once), judging again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from images import phrases
from images.handlers import image_id_of, source_file
from images.models import Image
from images.quality import fingerprints
from images.quality import service as quality
from processing.algorithms.quality.causes import CAUSES, VERSION
from processing.algorithms.quality.specs import Score
from processing.engine.registry import Claim, Handler
from processing.handlers import input_limits
from processing.states import Queue
from processing.tasks import quality as measuring

BATCH = 8  # images claimed together: one tensor where they have one size
PURGED = {"notes": [phrases.PURGED_MEANWHILE]}


def _load_causes(claim: Claim, scratch: Path) -> tuple:
    path = source_file(claim, scratch)
    image = Image.objects.only("kind", "dpi_x").get(pk=image_id_of(claim))
    return path, image.kind == Image.Kind.FINGERPRINT, image.dpi_x, input_limits()


def _locked(claim: Claim) -> Image | None:
    """The row, locked: of two measurements of one image the second sees the rows of the first. None = purged."""
    image = Image.objects.select_for_update().defer("exif", "exif_raw").get(pk=image_id_of(claim))
    return None if image.status == Image.Status.PURGED else image


def _save_causes(claim: Claim, causes: measuring.Causes) -> dict[str, Any]:
    image = _locked(claim)
    if image is None:
        return PURGED
    rows: list[dict[str, Any]] = []
    for name, value in causes.values.items():
        row: dict[str, Any] = {"metric": name, "metric_version": VERSION}
        row |= {"input_size": causes.input_size, "duration_ms": causes.duration_ms}
        if value is None:
            row |= {"error_code": "not_measurable", "error_detail": CAUSES[name].unmeasurable}
        else:
            row |= {"value": value, "normalized": CAUSES[name].normalized(value)}
        rows.append(row)
    if causes.panel is not None:
        rows += fingerprints.score_rows(causes.panel)
    quality.save_rows(image, rows)
    quality.judge_images([image])
    return {"grade": image.quality_grade, "issues": [issue["code"] for issue in image.issues]}


def _load_metrics(claim: Claim, scratch: Path) -> tuple:
    return (
        source_file(claim, scratch),
        claim.parameters["metrics"],
        str(settings.ML_MODELS_DIR),
        input_limits(),
    )


def _save_metrics(claim: Claim, scores: Sequence[Score]) -> dict[str, Any]:
    image = _locked(claim)
    if image is None:
        return PURGED
    rows = [
        {
            "metric": score.metric,
            "value": score.value,
            "normalized": score.normalized,
            "metric_version": score.version,
            "weights_sha256": score.weights_sha256,
            "input_size": score.input_size,
            "duration_ms": score.duration_ms,
            "error_code": score.error_code,
            "error_detail": score.error_detail,
        }
        for score in scores
    ]
    quality.save_rows(image, rows)
    return {"scores": {score.metric: score.value for score in scores}}


def _nothing() -> None:
    """Judging is a matter of the database alone."""


def _save_judgement(claim: Claim, _value: None) -> dict[str, Any]:
    parameters = claim.parameters
    images = Image.objects.select_for_update().defer("exif", "exif_raw").order_by("pk")
    chosen = images.filter(kind=parameters["kind"], pk__gte=parameters["first"], pk__lte=parameters["last"])
    return {"changed": quality.judge_images(list(chosen.exclude(status=Image.Status.PURGED)))}


HANDLERS = (
    Handler("causes", Queue.DEFAULT, measuring.measure_file, load=_load_causes, save=_save_causes),
    Handler(
        "quality", Queue.ML, measuring.score_files, load=_load_metrics, save=_save_metrics, batch_size=BATCH
    ),
    Handler("judge", Queue.LIGHT, _nothing, save=_save_judgement, isolated=False),
)
