"""What is shown of an image of kind fingerprint: its panel out of the stored measures, and its ridges as an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache

from api.core.errors import ApiError, ErrorCode
from images import phrases
from images.models import Image
from processing import files
from processing.algorithms.fingerprint.quality import (
    DISCLAIMER,
    USUAL_DPI,
    VERSION,
    FingerprintPanel,
    advice_on,
    is_plausible_dpi,
)
from processing.engine.subprocesses import run_isolated
from processing.handlers import input_limits
from processing.phrases import NO_ORIGINAL
from processing.tasks.fingerprint import draw_ridge_map

MAP_SECONDS = 86_400
# Measure: what people call it, and how its number is shown.
SHOWN = {
    "clarity": ("Ridge clarity", "{:.2f}"),
    "coherence": ("Ridge direction coherence", "{:.2f}"),
    "contrast": ("Contrast between ridges and valleys", "{:.2f}"),
    "frequency": ("Ridges per mm", "{:.2f}"),
    "regularity": ("Share with typical ridge spacing", "{:.0f} %"),
    "foreground": ("Share of the image with ridges", "{:.0f} %"),
    "area_mm2": ("Area with ridges (approx.)", "{:.0f} mm²"),
    "ridge_share": ("Ridge share (low: dry, high: wet)", "{:.2f}"),
}


@dataclass(frozen=True)
class MeasureRow:
    """One measure on the page; `worth` is 0 to 1, where it has one."""

    title: str
    shown: str
    worth: float | None
    is_wrong: bool


def is_fingerprint(image: Image) -> bool:
    return image.kind == Image.Kind.FINGERPRINT


def score_rows(panel: FingerprintPanel) -> list[dict[str, Any]]:
    """The fields of a `QualityScore` for each measure of a panel."""
    return [
        {"metric": metric, "value": value, "normalized": worth, "metric_version": VERSION}
        for metric, (value, worth) in panel.metrics().items()
    ]


def issues_of(image: Image, values: Mapping[str, float]) -> list[dict[str, Any]]:
    """The advice on a print as entries of `Image.issues`; none for other kinds or before it was measured.

    Args:
        values: stored values by metric; others than the panel's are passed over.
    """
    if not is_fingerprint(image):
        return []
    is_dpi_assumed = not is_plausible_dpi(image.dpi_x)
    return [entry.as_dict() for entry in advice_on(values, is_dpi_assumed=is_dpi_assumed)]


def panel_json(image: Image) -> dict[str, Any] | None:
    """The panel as the API and the page show it; None for other kinds and before it was measured."""
    if not is_fingerprint(image):
        return None
    rows = image.quality_scores.filter(metric__startswith="fp_", metric_version=VERSION)
    values = {row.metric: row.value for row in rows if row.value is not None}
    if "fp_score" not in values:
        return None
    is_dpi_assumed = not is_plausible_dpi(image.dpi_x)
    return {
        "score": values["fp_score"],
        "measures": {name.removeprefix("fp_"): value for name, value in sorted(values.items())},
        "normalized": {row.metric.removeprefix("fp_"): row.normalized for row in rows},
        "dpi": USUAL_DPI if is_dpi_assumed else image.dpi_x,
        "is_dpi_assumed": is_dpi_assumed,
        "advice": issues_of(image, values),
        "version": VERSION,
        "map": f"/api/images/{image.pk}/ridge-map/",
        "disclaimer": DISCLAIMER,
    }


def rows_of(panel: Mapping[str, Any] | None) -> list[MeasureRow]:
    """The measures of a panel (`panel_json`) as rows of the page."""
    if panel is None:
        return []
    wrong = {entry["measure"] for entry in panel["advice"]}
    return [
        MeasureRow(
            title,
            form.format(panel["measures"][name] * (100 if form.endswith("%") else 1)),
            panel["normalized"][name],
            f"fp_{name}" in wrong,
        )
        for name, (title, form) in SHOWN.items()
        if name in panel["measures"]
    ]


def ridge_map_png(image: Image) -> bytes:
    """The ridges as an image; drawn in a subprocess on the first request, then kept in the cache.

    Raises:
        ApiError: 404 for images of other kinds and without a file, 410 after a purge.
        ProcessingError: the image cannot be read any more.
    """
    if not is_fingerprint(image):
        raise ApiError(
            ErrorCode.NOT_FOUND,
            f"Only fingerprint images have a ridge map; this image is of kind {image.kind}.",
        )
    if image.status == Image.Status.PURGED:
        raise ApiError(ErrorCode.GONE, phrases.PURGED)
    key = f"ridge-map:{VERSION}:{image.sha256}"
    kept: bytes | None = cache.get(key)
    if kept is not None:
        return kept
    if not files.has_size(image.file, image.byte_size):
        raise ApiError(ErrorCode.FILE_MISSING, NO_ORIGINAL)
    with files.local_copy(image.file) as path:
        drawn: bytes = run_isolated(
            draw_ridge_map,
            str(path),
            input_limits(),
            timeout_s=settings.DECODE_TIMEOUT_SECONDS,
            memory_bytes=settings.DECODE_MEMORY_BYTES,
        )
    cache.set(key, drawn, MAP_SECONDS)
    return drawn
