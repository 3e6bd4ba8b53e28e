"""Make the ridges of a fingerprint stand out with filters that are turned along them and tuned to their distance."""

from dataclasses import dataclass

import cv2
import numpy as np

from processing.algorithms.errors import ProcessingError
from processing.algorithms.fingerprint.ridges import Ridges, on_pixels, reduced, ridges_of
from processing.algorithms.pixels.tone import grayscale

DIRECTIONS, PERIODS = 16, 3
# Width of a filter's bell, in periods. Hong, Wan and Jain take 4 px where ridges are about 9 px apart; longer
# bells close gaps that are minutiae.
SIGMA_PERIODS = 0.45
SMOOTH_DIRECTION_STEPS, SMOOTH_PERIOD_STEPS = 0.8, 4.0
LEAST_FOREGROUND = 0.15
WORKING_SIDE_PX = 1600
PAPER = 255
_SWING = 0.9  # of the range of grey values, for clear ridges


@dataclass(frozen=True, eq=False)
class _Fields:
    """For every pixel: direction (radians), period (px), 0-1 how sure the ridges are, 0-1 how much of a print."""

    direction: np.ndarray
    period_px: np.ndarray
    trust: np.ndarray
    mask: np.ndarray


def enhance_gabor(pixels: np.ndarray) -> np.ndarray:
    """Filter each place along its ridges; what is no fingerprint becomes white.

    1. Grey, brought to zero mean and unit deviation around each pixel (dry and dark parts alike).
    2. Direction and period of the ridges on a grid, smoothed; periods between sure points are filled in.
    3. A bank of Gabor filters, 16 directions by 3 periods; every pixel takes the mixture of its two nearest
       directions at its nearest period.
    4. Where the direction is unsure the answer is faded towards grey: no ridges are made up. Gaps narrower than a
       ridge are closed, and places where hardly a ridge shows become white, which also costs dry prints their rim:
       the result is for reading and matching, the original remains the evidence.

    Args:
        pixels: uint8 RGB (H, W, 3) or grey (H, W), ridges dark on light.

    Returns:
        uint8 grey (H, W), ridges dark. Images of more than `WORKING_SIDE_PX` are filtered on a smaller copy.

    Raises:
        ProcessingError (no_ridges): less than `LEAST_FOREGROUND` of the image shows ridges.

    Source: Hong, Wan and Jain, Fingerprint image enhancement, IEEE PAMI 20 (1998) 777-789.
    """
    grey = grayscale(pixels)
    working = reduced(grey, WORKING_SIDE_PX / max(grey.shape))
    ridges = ridges_of(working)
    share = float(ridges.foreground.mean())
    if share < LEAST_FOREGROUND:
        raise ProcessingError(
            f"No fingerprint was found: ridges on {100 * share:.0f} % of the image, "
            f"at least {100 * LEAST_FOREGROUND:.0f} % are required.",
            code="no_ridges",
        )
    median = float(np.median(ridges.period_px[ridges.foreground]))
    fields = _fields(ridges, working.shape, median)
    enhanced = _toned(_filtered(_normalised(working, median), fields), fields, median)
    if enhanced.shape == grey.shape:
        return enhanced
    return cv2.resize(enhanced, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)


def _normalised(grey: np.ndarray, period_px: float) -> np.ndarray:
    """Zero mean and unit deviation around each pixel, over about three ridges."""
    picture = grey.astype(np.float32)
    sigma = 1.5 * period_px
    centred = picture - cv2.GaussianBlur(picture, (0, 0), sigma)
    deviation = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), sigma))
    return np.clip(centred / np.maximum(deviation, 2.0), -3, 3)


def _fields(ridges: Ridges, shape: tuple[int, ...], median: float) -> _Fields:
    cosine, sine = (
        cv2.GaussianBlur(part(2 * ridges.direction) * ridges.coherence, (0, 0), SMOOTH_DIRECTION_STEPS)
        for part in (np.cos, np.sin)
    )
    length = np.hypot(cosine, sine)
    doubled = np.arctan2(on_pixels(sine, shape), on_pixels(cosine, shape))
    inside = ridges.foreground.astype(np.float32)
    return _Fields(
        np.mod(doubled / 2, np.pi),
        on_pixels(_periods(ridges, median), shape),
        np.clip((on_pixels(length, shape) - 0.05) / 0.25, 0, 1),
        np.clip(cv2.GaussianBlur(on_pixels(inside, shape), (0, 0), median / 2) * 2 - 0.5, 0, 1),
    )


def _periods(ridges: Ridges, median: float) -> np.ndarray:
    """Periods weighed by how clear they are, spread over the gaps; strange ones count as the median."""
    is_usual = np.abs(np.log(ridges.period_px / median)) < np.log(1.6)
    weight = ridges.clarity * ridges.foreground * is_usual + 1e-3
    period = np.where(is_usual, ridges.period_px, median).astype(np.float32)
    total = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), SMOOTH_PERIOD_STEPS)
    spread = cv2.GaussianBlur((period * weight).astype(np.float32), (0, 0), SMOOTH_PERIOD_STEPS)
    return np.asarray(spread / total, dtype=np.float32)


def _filtered(picture: np.ndarray, fields: _Fields) -> np.ndarray:
    """The answer of each pixel's own filter, mixed from the two nearest directions of the bank."""
    low, high = np.percentile(fields.period_px[fields.mask > 0], (5, 95))
    periods = np.geomspace(low, max(high, low * 1.01), PERIODS)
    nearest = np.abs(np.log(fields.period_px[..., None] / periods.astype(np.float32))).argmin(axis=-1)
    place = fields.direction / (np.pi / DIRECTIONS)
    answer = np.zeros_like(picture)
    for index, period in enumerate(periods):
        at_period = nearest == index
        for turn in range(DIRECTIONS):
            off = np.abs(place - turn)
            share = np.maximum(1 - np.minimum(off, DIRECTIONS - off), 0) * at_period
            if share.any():
                kernel = _kernel(float(period), turn * np.pi / DIRECTIONS)
                answer += share * cv2.filter2D(picture, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
    return answer


def _kernel(period_px: float, direction: float) -> np.ndarray:
    """Even Gabor filter along `direction` without answer to flat grey; answers 1 to a wave of height 1."""
    sigma = SIGMA_PERIODS * period_px
    reach = int(np.ceil(2.5 * sigma))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    across = -x * np.sin(direction) + y * np.cos(direction)
    bell = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    wave = np.cos(2 * np.pi * across / period_px)
    kernel = bell * wave - bell * (bell * wave).sum() / bell.sum()
    return np.asarray(kernel / (kernel * wave).sum(), dtype=np.float32)


def _toned(answer: np.ndarray, fields: _Fields, period_px: float) -> np.ndarray:
    """Grey values: clear ridges alike in depth, unsure ones faint, outside paper."""
    strength = np.sqrt(2 * cv2.GaussianBlur(answer**2, (0, 0), 1.5 * period_px))
    usual = float(np.median(strength[fields.mask > 0.5]))
    wave = np.tanh(1.5 * answer / np.maximum(strength, 0.5 * usual))
    shade = 127.5 * (1 + _SWING * wave * fields.trust)
    toned = PAPER + (shade - PAPER) * fields.mask
    return np.asarray(np.clip(np.rint(toned), 0, 255), dtype=np.uint8)
