"""The estimate of an image's noise."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.denoise.noise import estimate_sigma

DATA = Path(os.environ.get("PIX_TEST_DATA", "/nonexistent"))


def _with_noise(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


def _gradient() -> np.ndarray:
    columns = np.linspace(60, 190, 240)
    return np.repeat(np.repeat(columns[None, :, None], 200, axis=0), 3, axis=2)


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_estimate_of_a_gradient_with_noise(sigma: float) -> None:
    assert estimate_sigma(_with_noise(_gradient(), sigma)) == pytest.approx(sigma, rel=0.06)


def test_estimate_of_a_clean_gradient_is_small() -> None:
    assert estimate_sigma(np.rint(_gradient()).astype(np.uint8)) < 0.5


def test_estimate_of_grey_is_that_of_the_same_colour() -> None:
    grey = _with_noise(_gradient()[:, :, 0], 10)

    assert estimate_sigma(grey) == pytest.approx(estimate_sigma(np.repeat(grey[:, :, None], 3, axis=2)))


def test_black_and_white_areas_do_not_hide_the_noise() -> None:
    noisy = _with_noise(_gradient(), 12)
    noisy[:, :60] = 0
    noisy[:, -60:] = 255

    assert estimate_sigma(noisy) == pytest.approx(12, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50, 3), (2, 2, 3), (3, 3), (20, 20, 3), (17, 400)])
def test_tiny_pictures_have_an_estimate(shape: tuple[int, ...]) -> None:
    assert estimate_sigma(np.full(shape, 7, np.uint8)) == 0.0


@pytest.mark.skipif(not DATA.is_dir(), reason="PIX_TEST_DATA names no folder")
@pytest.mark.parametrize(("sigma", "low", "high"), [(0, 0, 1.5), (5, 5, 6), (15, 14.5, 15.7), (25, 24, 25.5)])
def test_mean_estimate_on_photographs(sigma: float, low: float, high: float) -> None:
    paths = sorted((DATA / "denoise" / "CBSD68").glob("*.png"))[::4]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]

    mean = np.mean([estimate_sigma(_with_noise(picture, sigma)) for picture in pictures])

    assert low <= mean <= high
