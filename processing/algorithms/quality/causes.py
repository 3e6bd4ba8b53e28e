"""What may be wrong with an image, as numbers: no weights, no reference. uint8 RGB (H, W, 3) or grey (H, W) in.

`judging.py` compares the numbers with cut-offs. Everything but blockiness and the size is measured on a copy whose
longer side has at most `LONG_SIDE_PX`, which is how people look at images, and keeps an image's numbers steady
when it is stored larger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from processing.algorithms.denoise.noise import estimate_sigma

VERSION = "causes-1"  # raised whenever the same image would get other numbers
LONG_SIDE_PX = 1024
_GRID_CROP_PX = 2048  # JPEG's grid shows as well on a part of a large image
_GRID_PX = 8
_FINE_PX, _COARSE_PX = 1.0, 2.0
_MIN_EDGES = 50
_MOST_COLOURFUL = 109.0  # "extremely colourful" in the source


@dataclass(frozen=True, eq=False)
class Views:
    """One image as the measures want it.

    Attributes:
        pixels: uint8, the whole image.
        bounded: uint8, its longer side at most `LONG_SIDE_PX`.
        luma: float32 (H, W) of `bounded`, 0-255 (Rec. 601 weights).
        spread: the distance between the 2nd and the 98th percentile of `luma`.
    """

    pixels: np.ndarray
    bounded: np.ndarray
    luma: np.ndarray
    spread: float


@dataclass(frozen=True)
class Cause:
    """One row of `CAUSES`.

    Attributes:
        name: of the measure, as it is stored.
        code: of the fault.
        fault: how an image with this fault is called.
        quantity: what the number is called in the sentence.
        title, description: for people.
        bad_side: the fault lies below or above the cut-off.
        worst, good: the numbers at which an image is as bad as can be, or faultless in this respect.
        unit: of the number; empty for a share of 1.
        digits: decimals that are shown.
        weight: how much it counts in the grade, 0 to 1.
        measure: gives the number, or None where the image offers nothing to measure.
        unmeasurable: why there may be no number.
    """

    name: str
    code: str
    fault: str
    quantity: str
    title: str
    description: str
    bad_side: Literal["below", "above"]
    worst: float
    good: float
    measure: Callable[[Views], float | None]
    unit: str = ""
    digits: int = 2
    weight: float = 1.0
    unmeasurable: str = ""

    def normalized(self, value: float) -> float:
        """0 at `worst` (or beyond), 1 at `good` (or beyond), straight between them."""
        return float(np.clip((value - self.worst) / (self.good - self.worst), 0, 1))


@dataclass(frozen=True)
class Measured:
    """The numbers of one image by the names of their measures; None = nothing to measure.

    `input_size` is the longer side in px that was looked at.
    """

    values: Mapping[str, float | None]
    input_size: int


def measure_causes(pixels: np.ndarray) -> Measured:
    """Measure everything that `CAUSES` names.

    Args:
        pixels: uint8 RGB or grey, at least 1 × 1 px.
    """
    bounded = bound(pixels, long_side_px=LONG_SIDE_PX)
    luma = _luma(bounded)
    low, high = np.percentile(luma, (2, 98))
    views = Views(pixels, bounded, luma, float(high - low))
    return Measured({c.name: c.measure(views) for c in CAUSES.values()}, max(bounded.shape[:2]))


def bound(pixels: np.ndarray, *, long_side_px: int) -> np.ndarray:
    """Reduce an image by averaging areas until its longer side fits; a smaller one is returned as it is."""
    height, width = pixels.shape[:2]
    scale = long_side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _luma(pixels: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    return grey.astype(np.float32)


def sharpness(views: Views) -> float | None:
    """How much steeper the strongest edges are at a fine scale than at a coarse one, 0 (soft) to 1.

    At an edge of width s the gradients at the scales 1 and 2 px are in the ratio sqrt((4 + s²) / (1 + s²)): 2 for a
    step, 1 for a wide ramp; the number is that ratio less 1. Only local maxima of the coarse gradient that stand out
    of the noise count, of them the stronger half. Mostly vertical and mostly horizontal edges are measured apart and
    the softer ones decide, so that shaking in one direction shows. Noise of 8 grey levels leaves the median of 75
    photographs where it was (0.74 without and with it); shrinking them to a half or a quarter, too.

    Source: the ratio is that of Zhuo & Sim, "Defocus map estimation from a single image" (2011).
    """
    fine, coarse = _gradients(views.luma, _FINE_PX), _gradients(views.luma, _COARSE_PX)
    strength = np.hypot(*coarse)
    floor = max(0.75, 0.01 * views.spread, 0.3 * estimate_sigma(views.luma.astype(np.uint8)))
    is_edge = (strength >= cv2.dilate(strength, np.ones((3, 3), np.uint8))) & (strength > floor)
    is_edge[:4] = is_edge[-4:] = is_edge[:, :4] = is_edge[:, -4:] = False
    ratio = np.hypot(*fine)[is_edge] / strength[is_edge]
    is_vertical = np.abs(coarse[0][is_edge]) > np.abs(coarse[1][is_edge])
    medians = [
        np.median(ratio[group][strength[is_edge][group] >= np.median(strength[is_edge][group])])
        for group in (is_vertical, ~is_vertical)
        if group.sum() >= _MIN_EDGES
    ]
    return float(np.clip(min(medians) - 1, 0, 1)) if medians else None


def _gradients(luma: np.ndarray, sigma_px: float) -> tuple[np.ndarray, np.ndarray]:
    smooth = cv2.GaussianBlur(luma, (0, 0), sigma_px)
    return cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1)


def highlights(views: Views) -> float:
    """What only 5 % of the image exceed in their strongest channel, 0 to 1: low where even the bright parts are dark.

    Not luma, by which a red cap in full light is dark.
    """
    strongest = views.bounded if views.bounded.ndim == 2 else views.bounded.max(axis=2)
    return float(np.percentile(strongest, 95)) / 255


def brightness(views: Views) -> float:
    """Mean luma, 0 to 1."""
    return float(views.luma.mean()) / 255


def contrast(views: Views) -> float:
    """Distance between the 2nd and the 98th percentile of luma, 0 to 1."""
    return views.spread / 255


def noise(views: Views) -> float:
    """Standard deviation of the noise in grey levels of 255, as seen at the bounded size."""
    return estimate_sigma(views.bounded)


def blockiness(views: Views) -> float:
    """How much stronger steps are on a grid of 8 px than beside it, 0 to 1: the traces of strong JPEG compression.

    Measured in the middle of the image in its own size, since any other size blurs the grid. The grid may begin
    anywhere, as in an image that was cropped. One grey level is added below, or all but flat areas would count.

    Source: after Wang, Bovik & Evans, "Blind measurement of blocking artifacts in images" (2000), with ratios of
    steps instead of their spectrum.
    """
    height, width = views.pixels.shape[:2]
    top, left = (max(0, (side - _GRID_CROP_PX) // 2) for side in (height, width))
    part = _luma(views.pixels[top : top + _GRID_CROP_PX, left : left + _GRID_CROP_PX])
    return (_grid_steps(part) + _grid_steps(part.T)) / 2


def _grid_steps(luma: np.ndarray) -> float:
    steps = np.abs(np.diff(luma, axis=1)).mean(axis=0)
    usable = len(steps) - len(steps) % _GRID_PX
    if usable < 4 * _GRID_PX:
        return 0.0
    by_phase = steps[:usable].reshape(-1, _GRID_PX).mean(axis=0)
    strongest, usual = float(by_phase.max()), float(np.median(by_phase))
    return (strongest - usual) / (strongest + usual + 1)


def colourfulness(views: Views) -> float:
    """Spread and strength of the colours as 0 (grey) to 1 (extremely colourful, 109 in the source's unit).

    Source: Hasler & Suesstrunk, "Measuring colourfulness in natural images" (2003).
    """
    if views.bounded.ndim == 2:
        return 0.0
    red, green, blue = (views.bounded[..., index].astype(np.float32) for index in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    strength = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(min(1.0, (spread + 0.3 * strength) / _MOST_COLOURFUL))


def information(views: Views) -> float:
    """Entropy of the grey levels, 0 (one level) to 1 (8 bits, all levels alike)."""
    counts = np.bincount(views.luma.astype(np.uint8).ravel(), minlength=256)
    shares = counts[counts > 0] / views.luma.size
    return abs(float(-(shares * np.log2(shares)).sum()) / 8)


def short_side(views: Views) -> float:
    """The shorter side in px."""
    return float(min(views.pixels.shape[:2]))


def squareness(views: Views) -> float:
    """The shorter side divided by the longer one: 1 = square, near 0 = a strip."""
    height, width = views.pixels.shape[:2]
    return float(min(height, width) / max(height, width))


CAUSES: dict[str, Cause] = {
    cause.name: cause
    for cause in (
        Cause(
            "sharpness", "blurred", "blurred", "sharpness", "Sharpness",
            "Steepness of the strongest edges; 0.5 is an edge blurred by 1.3 px.",
            "below", 0.1, 0.65, sharpness, weight=1.0,
            unmeasurable=f"Fewer than {_MIN_EDGES} edges stand out from the noise.",
        ),
        Cause(
            "exposure_dark", "dark", "dark", "brightness of the bright parts", "Bright parts",
            "Brightness of the brightest 5 % of the image, in its strongest channel.",
            "below", 0.1, 0.7, highlights, weight=1.0,
        ),
        Cause(
            "exposure_light", "light", "too light", "mean brightness", "Mean brightness",
            "High if most of the image is near white.",
            "above", 1.0, 0.65, brightness, weight=1.0,
        ),
        Cause(
            "contrast", "low_contrast", "low in contrast", "contrast", "Contrast",
            "Difference between dark and bright parts (2nd and 98th percentiles).",
            "below", 0.05, 0.7, contrast, weight=0.8,
        ),
        Cause(
            "noise", "noisy", "noisy", "noise", "Noise",
            "Standard deviation in the smoothest areas, in grey levels (0 to 255).",
            "above", 40.0, 2.0, noise, unit="grey levels", digits=1, weight=0.8,
        ),
        Cause(
            "blockiness", "blocky", "blocky", "blockiness", "JPEG blocks",
            "How much stronger edges are on an 8 px grid, a sign of strong compression.",
            "above", 0.6, 0.1, blockiness, weight=0.7,
        ),
        Cause(
            "colourfulness", "colourless", "colourless", "colourfulness", "Colourfulness",
            "0 is grey, 1 is extremely colourful (109 on the scale of Hasler and Suesstrunk).",
            "below", 0.0, 0.2, colourfulness, weight=0.3,
        ),
        Cause(
            "information", "low_information", "nearly empty", "information", "Information",
            "Entropy of the grey levels; 0 means a single level.",
            "below", 0.05, 0.8, information, weight=0.8,
        ),
        Cause(
            "size", "odd_size", "small", "shorter side", "Size",
            "Length of the shorter side in pixels.",
            "below", 16.0, 400.0, short_side, unit="px", digits=0, weight=0.5,
        ),
        Cause(
            "aspect", "odd_aspect", "unusually long", "side ratio", "Shape",
            "Shorter side divided by the longer side; 1 is a square.",
            "below", 0.02, 0.5, squareness, weight=0.4,
        ),
    )
}  # fmt: skip
