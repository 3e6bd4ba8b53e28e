"""PSNR and SSIM against skimage's, which follows the same paper."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from processing.algorithms.pixels import comparison


def noisy_pair(height: int, width: int, channels: int | None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    shape = (height, width) if channels is None else (height, width, channels)
    smooth = np.broadcast_to(
        np.linspace(20, 220, width)[:, None] if channels else np.linspace(20, 220, width), shape
    )
    noise = rng.normal(0, 12, shape)
    return smooth.astype(np.uint8), np.clip(smooth + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("height", [64, comparison.STRIP_ROWS, comparison.STRIP_ROWS * 2 + 9])
def test_agrees_with_skimage(height, channels):
    a, b = noisy_pair(height, 80, channels)

    found = comparison.compare(a, b)

    assert found.psnr_db == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-6)
    axis = None if channels is None else 2
    # skimage leaves the borders out of the mean and takes sample variances unless told otherwise.
    _, whole = structural_similarity(
        a,
        b,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=axis,
        full=True,
    )
    assert found.ssim == pytest.approx(float(whole.mean()), abs=2e-3)


def test_equal_pictures():
    picture = noisy_pair(40, 30, 3)[0]

    assert comparison.compare(picture, picture) == comparison.Comparison(None, pytest.approx(1))


def test_strips_change_nothing(monkeypatch):
    a, b = noisy_pair(200, 50, 3)
    whole = comparison.ssim(a, b)
    monkeypatch.setattr(comparison, "STRIP_ROWS", 7)

    assert comparison.ssim(a, b) == pytest.approx(whole, abs=1e-7)


def test_one_pixel_and_grey_beside_colour():
    grey = np.full((1, 1), 100, np.uint8)

    assert comparison.compare(grey, np.full((1, 1, 3), 100, np.uint8)).psnr_db is None
    assert comparison.compare(grey, np.full((1, 1), 110, np.uint8)).psnr_db == pytest.approx(28.13, abs=0.01)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="30 × 40 and 30 × 41"):
        comparison.compare(np.zeros((40, 30), np.uint8), np.zeros((41, 30), np.uint8))
