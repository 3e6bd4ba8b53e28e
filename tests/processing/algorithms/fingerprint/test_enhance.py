"""The seven steps of the fingerprint enhancement."""

from typing import Any

import numpy as np

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.fingerprint.enhance import enhance
from processing.algorithms.operations.table import validate_parameters
from processing.algorithms.pixels.sharpness import blur, sharpen
from processing.algorithms.pixels.tone import brightness, clahe, contrast, grayscale
from tests.processing.algorithms.pictures import LIMITS, noise, real_folder, scene

NEUTRAL: dict[str, Any] = {
    "sharpen_amount": 0,
    "contrast_factor": 1,
    "brightness_factor": 1,
    "unsharp_amount": 0,
    "smooth_sigma_px": 0,
    "final_sharpen_amount": 0,
}


def test_enhance_is_the_documented_chain_of_steps() -> None:
    step = clahe(grayscale(noise(60, 40, 3)), clip_limit=2.0, tiles=8)
    step = sharpen(step, amount=1.0)
    step = contrast(step, factor=1.5)
    step = brightness(step, factor=1.1)
    step = sharpen(step, amount=1.5, radius_px=2.0, threshold=3)
    step = sharpen(blur(step, sigma_px=0.5), amount=1.0)
    assert np.array_equal(enhance(noise(60, 40, 3)), step)


def test_enhance_neutral_parameters_leave_clahe_alone() -> None:
    assert np.array_equal(enhance(noise(60, 40), **NEUTRAL), clahe(noise(60, 40)))


def test_enhance_every_parameter_has_an_effect() -> None:
    pixels = grayscale(scene(128, 160) // 3 + noise(128, 160, 3) // 16)
    default = enhance(pixels)
    changes: dict[str, Any] = NEUTRAL | {
        "clip_limit": 10.0,
        "tiles": 2,
        "unsharp_radius_px": 5.0,
        "unsharp_threshold": 100,
    }
    for name, value in changes.items():
        assert not np.array_equal(enhance(pixels, **{name: value}), default), name


def test_enhance_defaults_are_those_of_the_schema() -> None:
    parameters = validate_parameters("enhance_fingerprint", {})
    assert parameters.pop("format") == "bmp"
    assert parameters.pop("method") == "standard"
    assert np.array_equal(enhance(noise(60, 40), **parameters), enhance(noise(60, 40)))
    assert len(parameters) == 10


def test_enhance_makes_the_ridges_of_a_real_print_stand_out() -> None:
    file = sorted(real_folder("fingerprints/FVC2002_DB2_B").rglob("*.tif"))[0]
    with file.open("rb") as stream:
        pixels = decode(stream, limits=LIMITS).pixels
    enhanced = enhance(pixels)
    assert (enhanced.shape, enhanced.dtype) == (pixels.shape, np.uint8)
    assert enhanced.std() > 1.5 * pixels.std()
