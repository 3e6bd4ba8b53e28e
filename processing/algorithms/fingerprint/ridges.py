"""The ridges of a fingerprint as fields: direction, coherence, period, clarity, and where there are any.

Lengths are px of the image; a ridge and its valley together are one period (about 9 px at 500 dpi).
"""

from dataclasses import dataclass

import cv2
import numpy as np

STEP_PX = 8
# Ridges of grown-ups and children at 500 dpi have 5 to 15 px; twice that is what 1000 dpi gives.
SHORTEST_PX, LONGEST_PX = 4.0, 25.0
GRADIENT_SIGMA_PX, TENSOR_SIGMA_PX = 1.5, 7.0
WINDOW_ACROSS_PX, WINDOW_ALONG_PX = 48, 17
# What counts as ridges; set on prints, blank pages, noise and photographs (tests/.../test_fingerprint_quality.py).
LEAST_CLARITY, LEAST_SWING, LEAST_COHERENCE = 0.24, 6.0, 0.35
LEAST_PATCH = 30  # points of the grid; smaller patches are specks
LARGEST_HOLE = 120
_SPECTRUM = 256  # zero-padded: lines of the spectrum


@dataclass(frozen=True, eq=False)
class Ridges:
    """Fields over a grid of points, `STEP_PX` apart, the first at half a step from the upper left corner.

    Attributes:
        direction: float32 (h, w), along the ridges, radians from 0 to pi, x to the right, y down.
        coherence: float32 (h, w), 0 = no direction, 1 = one direction (Bazen and Gerez).
        period_px: float32 (h, w), of the strongest wave across the ridges.
        clarity: float32 (h, w), 0 to 1: how much of the grey values' variance that one wave explains.
        swing: float32 (h, w), grey levels from the middle of a ridge to the middle of a valley, 0 to 255.
        foreground: bool (h, w), where there are ridges, one connected patch or a few.
    """

    direction: np.ndarray
    coherence: np.ndarray
    period_px: np.ndarray
    clarity: np.ndarray
    swing: np.ndarray
    foreground: np.ndarray


def ridges_of(grey: np.ndarray) -> Ridges:
    """Measure the ridges of an image.

    Args:
        grey: uint8 or float32 (H, W), 0 to 255, ridges dark.

    Sources: structure tensor: Bazen and Gerez, IEEE PAMI 24 (2002) 905-919; oriented window and its signature
    across the ridges: Hong, Wan and Jain, IEEE PAMI 20 (1998) 777-789, with the strongest line of the signature's
    spectrum in place of the mean distance of its peaks, which noise shifts less.
    """
    picture = np.ascontiguousarray(grey, dtype=np.float32)
    direction, coherence = _orientation(picture)
    period, clarity, swing = _waves(picture, direction)
    is_ridge = (
        (cv2.blur(clarity, (3, 3)) >= LEAST_CLARITY)
        & (cv2.blur(swing, (3, 3)) >= LEAST_SWING)
        & (cv2.blur(coherence, (3, 3)) >= LEAST_COHERENCE)
        & (cv2.medianBlur(period, 3) < LONGEST_PX)
        & (min(picture.shape) >= LONGEST_PX)
    )
    return Ridges(direction, coherence, period, clarity, swing, _patches(is_ridge))


def reduced(grey: np.ndarray, scale: float) -> np.ndarray:
    """A smaller copy, at least 1 px either way; a scale of 1 or more returns the image itself."""
    if scale >= 1:
        return grey
    height, width = grey.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def grid_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Points down and across for an image of this shape."""
    return max(1, shape[0] // STEP_PX), max(1, shape[1] // STEP_PX)


def on_pixels(field: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A field of the grid for every pixel, by linear interpolation."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    column, line = (x - STEP_PX / 2) / STEP_PX, (y - STEP_PX / 2) / STEP_PX
    return cv2.remap(field, column, line, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _points(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """x and y in px of the grid's points, both (h, w)."""
    rows, columns = grid_shape(shape)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    return x * STEP_PX + STEP_PX / 2, y * STEP_PX + STEP_PX / 2


def _orientation(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    soft = cv2.GaussianBlur(picture, (0, 0), GRADIENT_SIGMA_PX)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    parts = (across * across - down * down, 2 * across * down, across * across + down * down)
    smooth = (cv2.GaussianBlur(part, (0, 0), TENSOR_SIGMA_PX) for part in parts)
    x, y = _points(picture.shape)
    cosine, sine, power = (
        cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for part in smooth
    )
    coherence = np.sqrt(cosine**2 + sine**2) / np.maximum(power, 1e-6)
    direction = np.mod(np.arctan2(sine, cosine) / 2 + np.pi / 2, np.pi)
    return direction.astype(np.float32), np.minimum(coherence, 1).astype(np.float32)


def _waves(picture: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Period, clarity and swing of the strongest wave across the ridges, row of the grid by row."""
    x, y = _points(picture.shape)
    rows = [_waves_at(picture, *row) for row in zip(x, y, direction, strict=True)]
    period, clarity, swing = (np.stack(parts).astype(np.float32) for parts in zip(*rows, strict=True))
    return period, clarity, swing


def _waves_at(
    picture: np.ndarray, x: np.ndarray, y: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    windows = _oriented_windows(picture, x, y, direction)
    across = np.hanning(WINDOW_ACROSS_PX + 2)[1:-1].astype(np.float32)
    mean = np.einsum("nal,a->n", windows, across) / (across.sum() * WINDOW_ALONG_PX)
    windows = windows - mean[:, None, None]
    total = np.einsum("nal,a->n", windows**2, across) / (across.sum() * WINDOW_ALONG_PX)
    spectrum = np.abs(np.fft.rfft(windows.mean(axis=2) * across, _SPECTRUM)) * 2 / across.sum()
    period, amplitude = _strongest(spectrum)
    clarity = (amplitude**2 / 2) / np.maximum(total, 1e-3)
    return period, np.minimum(clarity, 1), 2 * amplitude


def _oriented_windows(picture: np.ndarray, x: np.ndarray, y: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Windows (n, across, along) that are turned so that ridges run along their last axis."""
    across = np.arange(WINDOW_ACROSS_PX, dtype=np.float32) - (WINDOW_ACROSS_PX - 1) / 2
    along = np.arange(WINDOW_ALONG_PX, dtype=np.float32) - (WINDOW_ALONG_PX - 1) / 2
    cosine, sine = (part(direction)[:, None, None] for part in (np.cos, np.sin))
    columns = x[:, None, None] + along[None, None] * cosine - across[None, :, None] * sine
    lines = y[:, None, None] + along[None, None] * sine + across[None, :, None] * cosine
    shape = columns.shape
    flat = (columns.reshape(shape[0], -1), lines.reshape(shape[0], -1))
    return cv2.remap(picture, *flat, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).reshape(shape)


def _strongest(spectrum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Period in px and amplitude of each signature's strongest line between the shortest and longest period.

    Where the longest is the strongest, the peak lies beyond: light and shade, not ridges.
    """
    first, last = int(_SPECTRUM / LONGEST_PX), int(_SPECTRUM / SHORTEST_PX)
    line = first + spectrum[:, first : last + 1].argmax(axis=1)
    chosen = np.arange(len(spectrum))
    return _SPECTRUM / (line + _offset(spectrum, line)), spectrum[chosen, line]


def _offset(spectrum: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Where between two lines the peak lies, by a parabola through its neighbours: -0.5 to 0.5."""
    chosen = np.arange(len(spectrum))
    left, middle, right = (spectrum[chosen, line + shift] for shift in (-1, 0, 1))
    bend = 2 * middle - left - right
    return np.where(bend > 0, np.clip((right - left) / np.maximum(2 * bend, 1e-9), -0.5, 0.5), 0)


def _patches(is_ridge: np.ndarray) -> np.ndarray:
    """Drop specks, close holes; the decision at a single point is noisy."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    mask = cv2.morphologyEx(is_ridge.astype(np.uint8), cv2.MORPH_OPEN, disc)
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    large = np.flatnonzero(sizes[:, cv2.CC_STAT_AREA] >= LEAST_PATCH)
    kept = np.isin(labels, large[large > 0]).astype(np.uint8)
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    padded = cv2.copyMakeBorder(kept, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, wide)[4:-4, 4:-4]
    return _without_holes(closed).astype(bool)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """Fill what is enclosed by ridges up to `LARGEST_HOLE`."""
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = np.flatnonzero(sizes[:, cv2.CC_STAT_AREA] <= LARGEST_HOLE)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return mask | np.isin(labels, np.setdiff1d(small[small > 0], edge)).astype(np.uint8)
