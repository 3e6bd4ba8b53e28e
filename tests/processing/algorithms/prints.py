"""Fingerprints made in code: ridges as a phase, whose spirals are minutiae, so that the truth is known."""

import numpy as np

PERIOD_PX = 9.0
MINUTIAE = ((120, 90), (300, 180), (360, 120), (220, 60), (420, 200))  # row, column


def phase(height: int = 560, width: int = 300, *, period_px: float = PERIOD_PX) -> np.ndarray:
    """Arches around a point below the image, with a ridge that ends at each of `MINUTIAE`."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    waves = 2 * np.pi * np.hypot(y - 1.25 * height, 1.3 * (x - width / 2)) / period_px
    for index, (row, column) in enumerate(MINUTIAE):
        waves += (-1) ** index * np.arctan2(y - row * height / 560, x - column * width / 300)
    return waves


def finger(height: int = 560, width: int = 300) -> np.ndarray:
    """bool (H, W): an oval of skin on the sensor."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return x**2 / 0.9 + y**2 / 0.9 < 1


def clean_print(height: int = 560, width: int = 300, *, period_px: float = PERIOD_PX) -> np.ndarray:
    """uint8 (H, W): dark ridges on light, white around."""
    ridges = 128 + 90 * np.tanh(2 * np.cos(phase(height, width, period_px=period_px)))
    return np.where(finger(height, width), ridges, 235).round().astype(np.uint8)


def noisy(pixels: np.ndarray, sigma: float, *, seed: int = 3) -> np.ndarray:
    """Gaussian noise of this many grey levels, clipped."""
    added = pixels + np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(added), 0, 255).astype(np.uint8)


def ridge_agreement(pixels: np.ndarray, truth: np.ndarray, inside: np.ndarray) -> float:
    """Share of `inside` that is dark where the true phase is a ridge, light where it is a valley.

    The places between the two, where the true wave is near its middle, do not count.
    """
    wave = np.cos(truth)
    counts = inside & (np.abs(wave) > 0.5)
    return float(((pixels > 127) == (wave > 0))[counts].mean())
