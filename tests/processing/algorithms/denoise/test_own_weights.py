"""The weights that come with Pix do their work, with nothing installed."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from processing.algorithms.codecs.raster import Raster
from processing.algorithms.context import ExecutionContext
from processing.algorithms.denoise.denoise import denoise
from processing.algorithms.embedding.embedders import EMBEDDERS, load_embedder
from processing.algorithms.embedding.inputs import prepare
from processing.algorithms.pixels.comparison import psnr


def picture(*, is_grey: bool) -> np.ndarray:
    """A crop of a photograph, which scikit-image carries."""
    crop = data.astronaut()[100:292, 120:376]
    return np.ascontiguousarray(crop[:, :, 1] if is_grey else crop)


def noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("is_grey", "model"), [(False, "dncnn_colour"), (True, "dncnn_grey")])
@pytest.mark.parametrize(("sigma", "gain_db"), [(15, 5), (25, 7), (50, 9)])
def test_noise_is_removed(tmp_path: Path, is_grey: bool, model: str, sigma: float, gain_db: float) -> None:
    clean = picture(is_grey=is_grey)
    worse = noisy(clean, sigma)

    result = denoise(Raster(worse), context=ExecutionContext(tmp_path))

    assert result.facts["model"] == model
    assert psnr(result.pixels, clean) > psnr(worse, clean) + gain_db


def test_a_copy_is_nearer_than_another_picture(tmp_path: Path) -> None:
    embedder = load_embedder("pix_small", tmp_path)
    recipe = EMBEDDERS["pix_small"].recipe
    views = [data.astronaut(), data.astronaut()[10:-10, 20:], data.chelsea(), data.rocket(), data.coffee()]

    vectors = embedder.embed([prepare(Raster(np.ascontiguousarray(view)), recipe) for view in views])

    likeness = vectors @ vectors[0]
    assert vectors.shape == (5, 384)
    assert likeness[1] > 0.8 > 0.5 > likeness[2:].max()
