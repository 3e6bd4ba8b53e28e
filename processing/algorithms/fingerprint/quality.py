"""How good a fingerprint is: five measures, a score out of them, and what to do better when it is taken again.

This is not NFIQ 2 and its score is not comparable with NFIQ 2's: that one is trained on how well matchers did
(ISO/IEC 29794-4), this one is a formula over a few measures that a person can check. It judges ridges, so an image
that is full of fine even stripes (a shirt) passes for a print, where leaves, fruit, faces and noise do not.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import cv2
import numpy as np

from processing.algorithms.fingerprint.advice import STORED_AS, Issue, advice_for
from processing.algorithms.fingerprint.ridges import Ridges, on_pixels, reduced, ridges_of
from processing.algorithms.pixels.tone import grayscale

VERSION = "fingerprint-1"  # raised whenever the same print would get other numbers
DISCLAIMER = "This is not NFIQ 2: it is a formula over a few measures, not a trained prediction of matcher performance."
USUAL_DPI = 500.0  # what sensors of fingerprints have
PLAUSIBLE_DPI = (100.0, 4000.0)  # files that know nothing say 1 or 72
WORKING_DPI, WORKING_SIDE_PX, LARGEST_SIDE_PX = 700.0, 1200, 4000
ADVISED_ON = (
    "foreground",
    "area_mm2",
    "ridge_share",
    "contrast",
    "coherence",
    "clarity",
    "regularity",
    "ridges_per_mm",
)
SQUARE_PERIOD_MM2 = 0.2  # ridges are about 0.45 mm apart


@dataclass(frozen=True)
class FingerprintPanel:
    """What was measured of one print; means and medians are over its foreground.

    Attributes:
        score: 0 to 100, see `score_of`.
        coherence: 0 to 1, mean agreement of the ridges' direction (Bazen and Gerez).
        clarity: 0 to 1, mean share of the grey values' variance that one wave across the ridges explains.
        contrast: 0 to 1, median difference of ridge and valley over the range of grey values.
        foreground: 0 to 1, share of the image that shows ridges.
        extent: foreground as a number of square ridge periods: a size that needs no resolution.
        ridge_share: 0 to 1, share of the foreground that is ridge (dark): little in dry prints, much in wet ones.
        period_px: median distance from ridge to ridge in px of the image; 0 without ridges.
        regularity: 0 to 1, share of points whose period is within a third of the median.
        ridges_per_mm: median frequency at `dpi`.
        dpi: dots per inch of the image, or `USUAL_DPI` where `is_dpi_assumed`.
        advice: what to do better, worst first.
    """

    score: float
    coherence: float
    clarity: float
    contrast: float
    foreground: float
    extent: float
    ridge_share: float
    period_px: float
    regularity: float
    ridges_per_mm: float
    dpi: float
    is_dpi_assumed: bool
    advice: tuple[Issue, ...] = ()

    def metrics(self) -> dict[str, tuple[float, float | None]]:
        """Value and worth (0 to 1, where it has one) of each measure by the name under which it is stored."""
        worth = worths(asdict(self), is_dpi_assumed=self.is_dpi_assumed)
        return {
            "fp_score": (self.score, self.score / 100),
            "fp_coherence": (self.coherence, worth["coherence"]),
            "fp_frequency": (self.ridges_per_mm, worth["frequency"]),
            "fp_foreground": (self.foreground, worth["foreground"]),
            "fp_contrast": (self.contrast, worth["contrast"]),
            "fp_clarity": (self.clarity, worth["clarity"]),
            "fp_regularity": (self.regularity, worth["regularity"]),
            "fp_area_mm2": (round(self.extent * SQUARE_PERIOD_MM2, 2), worth["extent"]),
            "fp_ridge_share": (self.ridge_share, None),
            "fp_period_px": (self.period_px, None),
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with the sentence about NFIQ 2."""
        return asdict(self) | {"advice": [asdict(entry) for entry in self.advice], "disclaimer": DISCLAIMER}


# Measure: (worthless, good); between them the worth grows in a straight line from 0 to 1.
WORTH: Mapping[str, tuple[float, float]] = {
    "coherence": (0.25, 0.9),
    "clarity": (0.1, 0.8),
    "contrast": (0.0, 0.35),
    "regularity": (0.4, 0.9),
    "extent": (50.0, 900.0),
    "foreground": (0.15, 0.4),
}
# Ridges per mm: worthless, good from, good to, worthless.
PLAUSIBLE_PER_MM = (0.6, 1.3, 3.8, 5.5)
# How much each counts; the lower one of extent and foreground stands for the size.
WEIGHTS: Mapping[str, float] = {
    "coherence": 0.25,
    "clarity": 0.25,
    "size": 0.2,
    "contrast": 0.1,
    "regularity": 0.1,
    "frequency": 0.1,
}


def panel(pixels: np.ndarray, dpi: float | None = None) -> FingerprintPanel:
    """Measure a fingerprint.

    Args:
        pixels: uint8 RGB (H, W, 3) or grey (H, W), ridges dark on light.
        dpi: dots per inch, where the file tells; implausible values count as unknown.

    Images of more than `WORKING_DPI`, of unknown resolution and more than `WORKING_SIDE_PX`, or of more than
    `LARGEST_SIDE_PX` are measured on a smaller copy.
    """
    grey = grayscale(pixels)
    is_known = is_plausible_dpi(dpi)
    resolution = float(dpi) if is_known and dpi is not None else USUAL_DPI
    largest_px = LARGEST_SIDE_PX if is_known else WORKING_SIDE_PX
    scale = min(
        USUAL_DPI / resolution if resolution > WORKING_DPI else 1.0, largest_px / max(grey.shape), 1.0
    )
    grey = reduced(grey, scale)
    measures = _measures(grey, ridges_of(grey))
    measures["period_px"] /= scale
    period = measures["period_px"]
    measures["ridges_per_mm"] = resolution / 25.4 / period if period else 0.0
    measured = FingerprintPanel(
        score=round(score_of(measures, is_dpi_assumed=not is_known), 1),
        **{name: round(value, 4) for name, value in measures.items()},
        dpi=resolution,
        is_dpi_assumed=not is_known,
        advice=(),
    )
    stored = {name: value for name, (value, _worth) in measured.metrics().items()}
    return replace(measured, advice=advice_on(stored, is_dpi_assumed=not is_known))


def score_of(measures: Mapping[str, float], *, is_dpi_assumed: bool) -> float:
    """0 to 100: 100 times the product of each worth (0 to 1) to the power of its weight.

    Worths are by `WORTH` and `PLAUSIBLE_PER_MM`, and the weights add up to 1: a weighted geometric mean, in which
    nothing makes up for what is missing altogether.
    """
    worth = worths(measures, is_dpi_assumed=is_dpi_assumed)
    worth["size"] = min(worth["extent"], worth["foreground"])
    return 100 * float(np.prod([worth[name] ** weight for name, weight in WEIGHTS.items()]))


def worths(measures: Mapping[str, Any], *, is_dpi_assumed: bool) -> dict[str, float]:
    """0 to 1 for each measure of `WORTH`, and for the frequency, which counts only where the resolution is known."""
    worth = {
        name: float(np.clip((measures[name] - low) / (good - low), 0, 1))
        for name, (low, good) in WORTH.items()
    }
    frequency = np.interp(measures["ridges_per_mm"], PLAUSIBLE_PER_MM, (0, 1, 1, 0))
    return worth | {"frequency": 1.0 if is_dpi_assumed else float(frequency)}


def advice_on(metrics: Mapping[str, float], *, is_dpi_assumed: bool) -> tuple[Issue, ...]:
    """The advice that follows from stored measures (`FingerprintPanel.metrics`); none where one is missing."""
    names = {STORED_AS.get(name, f"fp_{name}"): name for name in ADVISED_ON}
    if not names.keys() <= metrics.keys():
        return ()
    measures = {name: metrics[stored] for stored, name in names.items()}
    return advice_for(measures, is_dpi_assumed=is_dpi_assumed)


def is_plausible_dpi(dpi: float | None) -> bool:
    """Whether a file's resolution can be true of a fingerprint."""
    return dpi is not None and PLAUSIBLE_DPI[0] <= dpi <= PLAUSIBLE_DPI[1]


def _measures(grey: np.ndarray, ridges: Ridges) -> dict[str, float]:
    inside = ridges.foreground
    names = (
        "coherence",
        "clarity",
        "contrast",
        "foreground",
        "extent",
        "ridge_share",
        "period_px",
        "regularity",
    )
    if not inside.any():
        return dict.fromkeys(names, 0.0)
    period = ridges.period_px[inside]
    median = float(np.median(period))
    share = float(inside.mean())
    values = (
        ridges.coherence[inside].mean(),
        ridges.clarity[inside].mean(),
        min(float(np.median(ridges.swing[inside])) / 255, 1),
        share,
        share * grey.size / median**2,
        _ridge_share(grey, inside, median),
        median,
        (np.abs(np.log(period / median)) <= np.log(4 / 3)).mean(),
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _ridge_share(grey: np.ndarray, inside: np.ndarray, period_px: float) -> float:
    """Share of the foreground darker than halfway between the darkest and lightest grey nearby."""
    soft = cv2.GaussianBlur(grey, (0, 0), period_px / 9)
    size = int(period_px * 1.5) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    dark, light = (
        cv2.GaussianBlur(change(soft, disc).astype(np.float32), (0, 0), period_px)
        for change in (cv2.erode, cv2.dilate)
    )
    is_inside = on_pixels(inside.astype(np.float32), grey.shape) > 0.5
    return float((soft < (dark + light) / 2)[is_inside].mean()) if is_inside.any() else 0.0
