"""Causes: each made in photographs on purpose. The photographs are scikit-image's own (in its wheel)."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from processing.algorithms.errors import ProcessingError
from processing.algorithms.quality.causes import CAUSES, bound, measure_causes
from processing.algorithms.quality.grading import DEFAULT_CUTOFFS, check_cutoffs, is_fault, judge, score

DATA = Path(os.environ.get("PIX_TEST_DATA", ""))
needs_data = pytest.mark.skipif(not os.environ.get("PIX_TEST_DATA"), reason="PIX_TEST_DATA is not set")
PHOTO = DEFAULT_CUTOFFS["photo"]


def photographs() -> list[np.ndarray]:
    from skimage import data

    return [bound(picture, long_side_px=480) for picture in (data.chelsea(), data.coffee(), data.astronaut())]


@cache
def real_photographs(per_folder: int) -> list[np.ndarray]:
    files = [
        file
        for pattern in ("photos/clothing/**/*.jpg", "photos/grocery/**/*.jpg", "denoise/CBSD68/**/*.png")
        for file in _spread(sorted(DATA.glob(pattern)), per_folder)
    ]
    return [np.asarray(Image.open(file).convert("RGB")) for file in files]


@cache
def clean_values(per_folder: int) -> list[dict[str, float | None]]:
    return [measure_causes(pixels).values for pixels in real_photographs(per_folder)]


def _spread(files: list[Path], count: int) -> list[Path]:
    return files[:: max(1, len(files) // count)][:count]


def _exposed(pixels: np.ndarray, stops: float) -> np.ndarray:
    linear = (pixels / 255) ** 2.2 * 2.0**stops
    return (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def _noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def _jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _flattened(pixels: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(pixels.mean() + (pixels - pixels.mean()) * factor, 0, 255).astype(np.uint8)


def _faded(pixels: np.ndarray, share: float) -> np.ndarray:
    return (pixels.mean(axis=2, keepdims=True) * (1 - share) + pixels * share).astype(np.uint8)


# Measure to what makes it worse, and how strongly: each step worse than the one before, the last one a sure fault.
WORSE: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, ...]]] = {
    "sharpness": (lambda pixels, sigma: cv2.GaussianBlur(pixels, (0, 0), sigma), (1, 1.5, 2, 3)),
    "exposure_dark": (lambda pixels, stops: _exposed(pixels, -stops), (1, 2, 3, 4)),
    "exposure_light": (_exposed, (1, 2, 3, 5)),
    "contrast": (_flattened, (0.7, 0.5, 0.3, 0.15)),
    "noise": (_noisy, (5, 10, 15, 25)),
    "blockiness": (lambda pixels, quality: _jpeg(pixels, int(quality)), (40, 20, 10, 5)),
    "colourfulness": (_faded, (0.5, 0.25, 0.1, 0)),
    "information": (lambda pixels, step: pixels // int(step) * int(step), (16, 32, 64, 128)),
    "size": (lambda pixels, side: pixels[: int(side), : int(side)], (250, 180, 100, 40)),
    "aspect": (lambda pixels, height: pixels[: int(height)], (200, 140, 80, 30)),
}


def area_under_curve(good: list[float], bad: list[float], *, bad_side: str) -> float:
    """How often a degraded image's number is on the bad side of a good one's; 0.5 = chance."""
    better, worse = (
        (np.array(good), np.array(bad)) if bad_side == "below" else (np.array(bad), np.array(good))
    )
    difference = better[:, None] - worse[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_grows_with_its_fault_and_fires(name: str) -> None:
    degrade, steps = WORSE[name]
    cause, cutoff = CAUSES[name], PHOTO[name]
    assert cutoff is not None
    for pixels in photographs():
        values = [measure_causes(pixels).values[name]]
        values += [measure_causes(degrade(pixels, step)).values[name] for step in steps]
        scores = [cause.normalized(value) for value in values if value is not None]
        assert len(scores) == len(steps) + 1
        assert scores == sorted(scores, reverse=True), values
        assert not is_fault(cause, values[0], cutoff), values
        assert is_fault(cause, values[-1], cutoff), values


@needs_data
@pytest.mark.parametrize("name", [name for name in CAUSES if name not in ("size", "aspect")])
def test_degraded_photographs_are_told_from_clean_ones(name: str) -> None:
    degrade, steps = WORSE[name]
    photos = real_photographs(8)
    clean = [value for values in clean_values(8) if (value := values[name]) is not None]
    figures = []
    for step in steps:
        degraded = [measure_causes(degrade(pixels, step)).values[name] for pixels in photos]
        bad = [value for value in degraded if value is not None]
        figures.append(area_under_curve(clean, bad, bad_side=CAUSES[name].bad_side))
    print(name, "AUC of each step:", [round(figure, 3) for figure in figures])
    assert figures[0] > 0.7
    assert figures[-1] > 0.97
    assert sorted(figures) == figures


@needs_data
def test_few_clean_photographs_are_flagged() -> None:
    flagged = [judge(values, PHOTO) for values in clean_values(40)]
    share = sum(bool(judgement.issues) for judgement in flagged) / len(flagged)
    print(f"{share:.1%} of {len(flagged)} clean photographs are flagged")
    assert share < 0.05  # of all 1084: 3.0 %, among them soft and dull ones that are flagged with reason


@needs_data
@pytest.mark.parametrize(
    ("file", "codes"),
    [
        ("image_101.png", {"colourless"}),
        ("image_103.png", set()),
        ("image_142.png", set()),
        ("image_417.png", {"dark", "low_contrast", "low_information", "colourless", "blocky"}),
        ("image_588.png", {"light", "low_contrast", "low_information", "colourless"}),
        ("image_591.png", {"light", "low_information"}),
        ("image_601.png", {"blurred"}),
        ("image_604.png", {"odd_aspect", "low_contrast", "low_information", "blocky"}),
    ],
)
def test_pictures_with_known_issues_are_flagged(file: str, codes: set[str]) -> None:
    picture = Image.open(DATA / "odd_files" / "issues" / file)
    judgement = judge(measure_causes(np.asarray(picture)).values, PHOTO)
    assert {issue.code for issue in judgement.issues} == codes


def test_sharpness_bears_noise_and_size() -> None:
    for pixels in photographs():
        sharp = measure_causes(pixels).values["sharpness"]
        noisy = measure_causes(_noisy(pixels, 8)).values["sharpness"]
        soft_and_noisy = measure_causes(_noisy(cv2.GaussianBlur(pixels, (0, 0), 2), 8)).values["sharpness"]
        enlarged = cv2.resize(pixels, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        assert noisy == pytest.approx(sharp, abs=0.15)
        assert soft_and_noisy < 0.6 * sharp
        assert measure_causes(enlarged).values["sharpness"] < sharp + 0.02
        assert measure_causes(enlarged).input_size == 1024


def test_shaking_in_one_direction_is_blur() -> None:
    line = np.zeros((9, 9), np.float32)
    line[4] = 1 / 9
    for pixels in photographs():
        for kernel in (line, line.T):
            shaken = cv2.filter2D(pixels, -1, kernel)
            assert (
                measure_causes(shaken).values["sharpness"] < 0.6 * measure_causes(pixels).values["sharpness"]
            )


def test_blocks_are_found_wherever_the_grid_begins() -> None:
    pixels = _jpeg(photographs()[0], 10)
    whole, cut = measure_causes(pixels).values, measure_causes(pixels[3:, 5:]).values
    assert cut["blockiness"] == pytest.approx(whole["blockiness"], abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 500), (40, 40, 3), (3, 3, 3)])
def test_the_smallest_and_emptiest_pictures_are_measured(shape: tuple[int, ...]) -> None:
    measured = measure_causes(np.full(shape, 7, np.uint8))
    assert set(measured.values) == set(CAUSES)
    assert measured.values["sharpness"] is None  # nothing to measure it by
    assert all(value is None or np.isfinite(value) for value in measured.values.values())
    assert judge(measured.values, PHOTO).grade is not None


def test_a_fault_says_its_number_and_its_cutoff() -> None:
    judgement = judge({"sharpness": 0.11, "noise": 12.34, "size": 120.0}, PHOTO)
    assert [issue.explanation for issue in judgement.issues] == [
        "blurred: sharpness 0.11 < 0.38",
        "small: shorter side 120 < 200 px",
        "noisy: noise 12.3 > 8.0 grey levels",
    ]
    assert judgement.issues[0].as_dict() == {
        "code": "blurred",
        "measure": "sharpness",
        "value": 0.11,
        "threshold": 0.38,
        "explanation": "blurred: sharpness 0.11 < 0.38",
        "severity": 0.964,
    }


def test_a_sentence_never_says_that_a_number_is_less_than_itself() -> None:
    (issue,) = judge({"sharpness": 0.3796}, PHOTO).issues
    assert issue.explanation == "blurred: sharpness 0.3796 < 0.3800"


def test_the_cutoff_itself_is_good_enough_and_scores_half() -> None:
    assert judge({"sharpness": 0.38}, PHOTO).issues == ()
    assert score(CAUSES["sharpness"], 0.38, 0.38) == 0.5
    assert score(CAUSES["noise"], 8.0, 8.0) == 0.5


@pytest.mark.parametrize("kind", DEFAULT_CUTOFFS)
def test_the_grade_never_falls_when_a_measure_improves(kind: str) -> None:
    cutoffs = DEFAULT_CUTOFFS[kind]
    middle = {cause.name: (cause.worst + cause.good) / 2 for cause in CAUSES.values()}
    for cause in CAUSES.values():
        values = np.linspace(cause.worst, cause.good, 41)
        grades = [judge(middle | {cause.name: float(value)}, cutoffs).grade for value in values]
        assert grades == sorted(grades), cause.name
    assert judge({cause.name: cause.good for cause in CAUSES.values()}, cutoffs).grade == 100


def test_nothing_measured_has_no_grade() -> None:
    assert judge({}, PHOTO).grade is None
    assert judge({"sharpness": None}, PHOTO).grade is None
    assert judge({"sharpness": 0.5}, {"sharpness": None}).grade is None


def test_cutoffs_may_lie_beyond_the_measures_own_marks() -> None:
    for cause in CAUSES.values():
        for cutoff in (cause.worst, cause.good, 0.0, 1.0):
            for value in (cause.worst, cause.good, 0.0, 1.0):
                assert 0 <= score(cause, value, cutoff) <= 1


@pytest.mark.parametrize(
    ("cutoffs", "detail"),
    [
        ({"sharpnes": 0.3}, "'sharpnes' is not a valid choice"),
        ({"sharpness": 2}, "sharpness: Enter a number from 0 to 1, not 2."),
        ({"sharpness": "0.3"}, "sharpness: Enter a number from 0 to 1, not '0.3'."),
        ({"noise": float("nan")}, "noise: Enter a number from 0 to 100 grey levels, not nan."),
        ({"size": True}, "size: Enter a number from 0 to 10000 px, not True."),
    ],
)
def test_wrong_cutoffs_are_refused(cutoffs: dict[str, float], detail: str) -> None:
    with pytest.raises(ProcessingError, match=detail) as raised:
        check_cutoffs(cutoffs)
    assert raised.value.field == next(iter(cutoffs))


def test_default_cutoffs_name_every_measure() -> None:
    for cutoffs in DEFAULT_CUTOFFS.values():
        assert list(cutoffs) == list(CAUSES)
        assert check_cutoffs(cutoffs) == cutoffs
