"""Filtering along the ridges: clearer, true to the print, and nothing made up."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.raster import Raster
from processing.algorithms.errors import InvalidParameter, ProcessingError
from processing.algorithms.fingerprint.enhance import enhance
from processing.algorithms.fingerprint.gabor import enhance_gabor
from processing.algorithms.fingerprint.quality import panel
from processing.algorithms.fingerprint.ridges import on_pixels, ridges_of
from processing.algorithms.operations.table import OPERATIONS, validate_parameters
from tests.processing.algorithms.pictures import noise, real_folder, scene
from tests.processing.algorithms.prints import clean_print, finger, noisy, phase, ridge_agreement


def grey(path: Path) -> np.ndarray:
    return np.array(Image.open(path).convert("L"))


def inner(height: int = 560, width: int = 300) -> np.ndarray:
    return cv2.erode(finger(height, width).astype(np.uint8), np.ones((41, 41))).astype(bool)


def structure_kept(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Mean agreement of direction (cosine of twice the angle between) and share of equal ridge or valley."""
    old, new = ridges_of(before), ridges_of(after)
    sure = old.foreground & (old.coherence > 0.5)
    direction = np.cos(2 * (old.direction - new.direction))[sure].mean()
    inside = on_pixels(old.foreground.astype(np.float32), before.shape) > 0.5
    return float(direction), float((_is_ridge(before) == _is_ridge(after))[inside].mean())


def _is_ridge(pixels: np.ndarray) -> np.ndarray:
    picture = pixels.astype(np.float32)
    return cv2.GaussianBlur(picture, (0, 0), 1.2) < cv2.GaussianBlur(picture, (0, 0), 10)


@pytest.mark.parametrize("sigma", [30, 60, 90])
def test_gabor_brings_noisy_ridges_back_to_the_truth(sigma: float) -> None:
    worse = noisy(clean_print(), sigma)
    before, after = (ridge_agreement(pixels, phase(), inner()) for pixels in (worse, enhance_gabor(worse)))
    print(
        f"noise {sigma}: {100 * before:.1f} % of ridges and valleys right before, {100 * after:.1f} % after"
    )
    assert after > max(before, 0.9)


def test_gabor_keeps_the_minutiae_of_a_clean_print() -> None:
    result = enhance_gabor(clean_print())
    for row, column in ((120, 90), (300, 180), (360, 120), (220, 60), (420, 200)):
        around = np.zeros_like(inner())
        around[row - 20 : row + 20, column - 20 : column + 20] = True
        assert ridge_agreement(result, phase(), around & inner()) > 0.85, (row, column)


def test_gabor_leaves_paper_where_there_is_no_finger() -> None:
    result = enhance_gabor(noisy(clean_print(), 20))
    outside = cv2.dilate(finger().astype(np.uint8), np.ones((41, 41))) == 0
    assert result[outside].min() == 255


def test_gabor_takes_ridges_of_twice_the_size() -> None:
    source = clean_print(1120, 600, period_px=18)
    far_inside = inner(1120, 600)
    assert ridge_agreement(enhance_gabor(source), phase(1120, 600, period_px=18), far_inside) > 0.95


def test_gabor_filters_large_pictures_on_a_smaller_copy_and_keeps_their_size() -> None:
    source = clean_print(2240, 1200, period_px=30)
    result = enhance_gabor(source)
    assert (result.shape, result.dtype) == ((2240, 1200), np.uint8)
    assert ridge_agreement(result, phase(2240, 1200, period_px=30), inner(2240, 1200)) > 0.9


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((60, 50), 255, np.uint8),
        np.zeros((1, 1), np.uint8),
        noise(300, 200),
        scene(300, 300),
        noise(16_384, 1),
    ],
    ids=["blank", "one pixel", "noise", "colours", "a thread"],
)
def test_gabor_refuses_what_is_no_fingerprint(pixels: np.ndarray) -> None:
    with pytest.raises(ProcessingError, match=r"ridges on 0 % of the image, at least 15 %") as error:
        enhance_gabor(pixels)
    assert error.value.code == "no_ridges"


def test_gabor_is_deterministic_and_leaves_its_input_alone() -> None:
    source = clean_print()
    source.setflags(write=False)
    assert np.array_equal(enhance_gabor(source), enhance_gabor(source))


def test_operation_offers_both_methods_and_keeps_the_stated_one_as_default() -> None:
    spec = OPERATIONS["enhance_fingerprint"]
    raster = Raster(clean_print())
    standard, gabor = (
        spec.apply(raster, validate_parameters(spec.name, {"method": method}))
        for method in ("standard", "gabor")
    )
    assert np.array_equal(spec.apply(raster, validate_parameters(spec.name, {})).pixels, standard.pixels)
    assert np.array_equal(standard.pixels, enhance(raster.pixels))
    assert np.array_equal(gabor.pixels, enhance_gabor(raster.pixels))


def test_operation_takes_a_transparent_background_for_paper() -> None:
    spec = OPERATIONS["enhance_fingerprint"]
    hidden = np.where(finger(), clean_print(), 0).astype(np.uint8)
    raster = Raster(hidden, np.where(finger(), 255, 0).astype(np.uint8))
    assert spec.apply(raster, validate_parameters(spec.name, {"method": "gabor"})).pixels[0, 0] == 255


def test_operation_refuses_steps_of_the_other_method() -> None:
    with pytest.raises(
        InvalidParameter, match="clip_limit is only available for the method standard"
    ) as error:
        validate_parameters("enhance_fingerprint", {"method": "gabor", "clip_limit": 3})
    assert error.value.field == "clip_limit"
    values = validate_parameters("enhance_fingerprint", {"method": "gabor", "clip_limit": 2, "tiles": 8})
    assert values["method"] == "gabor"


@pytest.mark.check
def test_gabor_raises_the_score_of_real_prints_and_keeps_their_structure() -> None:
    files = sorted(real_folder("fingerprints/FVC2002_DB2_B").glob("*.tif"))[::3]  # all: in the bench
    raised: dict[str, int] = {"standard": 0, "gabor": 0}
    kept = []
    for path in files:
        source = grey(path)
        result = enhance_gabor(source)
        before = panel(source).score
        raised["standard"] += panel(enhance(source)).score > before
        raised["gabor"] += panel(result).score > before
        kept.append(structure_kept(source, result))
    direction, ridges = np.min(kept, axis=0)
    print(
        f"score raised on {raised} of {len(files)}; direction {direction:.3f}, ridges {ridges:.2f} at the least"
    )
    assert raised["gabor"] == len(files) == 14
    assert 4 <= raised["standard"] <= 10  # about half: it raises contrast and also roughness
    assert direction > 0.98
    assert ridges > 0.7
