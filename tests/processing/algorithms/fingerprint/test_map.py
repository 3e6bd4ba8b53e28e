"""The image of the ridges: strokes on the print, none beside it."""

import numpy as np
import pytest

from processing.algorithms.fingerprint.map import ridge_map
from tests.processing.algorithms.pictures import noise
from tests.processing.algorithms.prints import clean_print, finger, noisy


def coloured(picture: np.ndarray) -> np.ndarray:
    return np.ptp(picture.astype(int), axis=2) > 40


def test_map_draws_strokes_on_the_print_only() -> None:
    drawn = ridge_map(clean_print())
    assert (drawn.shape, drawn.dtype) == ((1120, 600, 3), np.uint8)
    inside = np.repeat(np.repeat(finger(), 2, axis=0), 2, axis=1)
    assert coloured(drawn)[inside].mean() > 0.05
    assert not coloured(drawn)[:20, :20].any()


def test_map_is_greener_where_ridges_are_clearer() -> None:
    pictures = ridge_map(clean_print()).astype(int), ridge_map(noisy(clean_print(), 90)).astype(int)
    clear, unclear = (
        (drawn[coloured(drawn)][:, 1] - drawn[coloured(drawn)][:, 0]).mean() for drawn in pictures
    )
    assert clear > 60
    assert unclear < clear - 50


@pytest.mark.parametrize(
    "pixels", [np.zeros((1, 1), np.uint8), noise(40, 30, 3), np.full((9, 700), 255, np.uint8)]
)
def test_map_of_what_is_no_print_has_no_strokes(pixels: np.ndarray) -> None:
    assert not coloured(ridge_map(pixels)).any()


def test_map_of_a_large_print_is_drawn_from_a_smaller_copy() -> None:
    assert ridge_map(clean_print(2400, 1200, period_px=24)).shape == (1200, 600, 3)
