"""Every row of the table of operations, on every kind of image."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ml_models import weights
from processing.algorithms.codecs.raster import Raster, flatten
from processing.algorithms.errors import InvalidParameter
from processing.algorithms.operations.table import OPERATIONS, validate_parameters
from processing.algorithms.pixels import geometry, sharpness, tone
from processing.algorithms.pixels.watermark import POSITIONS, watermark
from tests.processing.algorithms.pictures import noise, scene

NEEDED: dict[str, dict[str, Any]] = {
    "convert": {"format": "webp"},
    "resize": {"width": 20},
    "crop": {"width": 1, "height": 1},
    "rotate": {"angle": 30},
    "watermark": {"text": "Pix"},
    "denoise": {"min_sigma": 0},
}
# Those with networks run where their weights are there; `test_denoise.py` has weights of its own.
HERE = [
    name
    for name, spec in OPERATIONS.items()
    if not any(weights.state(model, "").why_not for model in spec.usual_models())
]
SHAPES = [(1, 1), (1, 1, 3), (1, 70, 3), (70, 1), (2, 3, 3), (31, 45), (32, 48, 3), (300, 2, 3)]


def apply(name: str, raster: Raster, **parameters: Any) -> Raster:
    spec = OPERATIONS[name]
    return spec.apply(raster, validate_parameters(name, NEEDED.get(name, {}) | parameters))


def is_same(first: np.ndarray | None, second: np.ndarray) -> bool:
    return first is not None and np.array_equal(first, second)


def assert_is_raster(raster: Raster) -> None:
    assert raster.pixels.dtype == np.uint8
    assert raster.pixels.ndim == 2 or raster.pixels.shape[2:] == (3,)
    assert raster.alpha is None or (raster.alpha.dtype, raster.alpha.shape) == (
        np.uint8,
        raster.pixels.shape[:2],
    )


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_every_operation_keeps_the_form(name: str, shape: tuple[int, ...], has_alpha: bool) -> None:
    source = Raster(noise(*shape), noise(*shape[:2], seed=1) if has_alpha else None)
    before = source.pixels.copy()
    source.pixels.setflags(write=False)
    result = apply(name, source)
    assert_is_raster(result)
    spec = OPERATIONS[name]
    expected = spec.size_after(source.width, source.height, validate_parameters(name, NEEDED.get(name, {})))
    slack = 2 if name == "rotate" else 0
    assert abs(result.width - expected[0]) <= slack
    assert abs(result.height - expected[1]) <= slack
    assert np.array_equal(source.pixels, before)
    if spec.kind == "enhance":
        assert result.alpha is None
    elif name != "rotate":
        assert (result.alpha is None) == (source.alpha is None)
    if spec.kind in ("colour", "convert"):
        assert result.alpha is source.alpha
    again = apply(name, source)
    assert np.array_equal(again.pixels, result.pixels)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("blur", {"sigma_px": 0}),
        ("sharpen", {"amount": 0}),
        ("sepia", {"blend": 0}),
        ("brightness", {"factor": 1}),
        ("contrast", {"factor": 1}),
        ("saturation", {"factor": 1}),
        ("gamma", {"gamma": 1}),
        ("watermark", {"opacity": 0}),
        ("rotate", {"angle": 0}),
        ("rotate", {"angle": -360}),
        ("resize", {"width": 9000}),
    ],
)
def test_neutral_parameters_change_nothing(name: str, parameters: dict) -> None:
    result = apply(name, Raster(noise(20, 30, 3), noise(20, 30)), **parameters)
    assert np.array_equal(result.pixels, noise(20, 30, 3))
    assert is_same(result.alpha, noise(20, 30))


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({"width": 32}, (32, 24)),
        ({"height": 12}, (16, 12)),
        ({"width": 32, "height": 32}, (32, 24)),
        ({"width": 32, "height": 32, "fit": "cover"}, (32, 32)),
        ({"width": 32, "height": 32, "fit": "exact"}, (32, 32)),
        ({"width": 128}, (64, 48)),
        ({"width": 128, "upscale": True}, (128, 96)),
        ({"width": 128, "height": 24, "fit": "cover"}, (64, 24)),
        ({"width": 128, "height": 24, "fit": "cover", "upscale": True}, (128, 24)),
        ({"width": 128, "height": 24, "fit": "exact"}, (64, 24)),
        ({"width": 1, "height": 1}, (1, 1)),
        ({"width": 1}, (1, 1)),
    ],
)
def test_resize_sizes(parameters: dict, size: tuple[int, int]) -> None:
    result = geometry.resize(Raster(scene(48, 64)), **parameters)
    assert (result.width, result.height) == size


def test_resize_says_that_it_did_not_enlarge() -> None:
    raster = Raster(scene(48, 64))
    note = ("The image has only 64 × 48 px and was not enlarged (upscale is false).",)
    assert geometry.resize(raster, width=128).notes == note
    assert geometry.resize(raster, width=128, height=10, fit="exact").notes == note
    assert geometry.resize(raster, width=128, height=10).notes == ()
    assert geometry.resize(raster, width=32, height=32).notes == ()


def test_resize_keeps_hidden_colours_out_of_the_edges() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20] = (255, 0, 0)
    pixels[:, 20:] = (0, 255, 0)  # hidden
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, :20] = 255
    result = geometry.resize(Raster(pixels, alpha), width=13)
    assert result.alpha is not None
    seen = result.alpha > 10
    assert result.pixels[seen][:, 1].max() <= 12
    assert seen.any()


def test_crop_is_a_slice() -> None:
    result = apply("crop", Raster(noise(20, 30, 3), noise(20, 30)), x=3, y=5, width=10, height=7)
    assert np.array_equal(result.pixels, noise(20, 30, 3)[5:12, 3:13])
    assert is_same(result.alpha, noise(20, 30)[5:12, 3:13])
    with pytest.raises(InvalidParameter, match="reaches to 31 × 20 px; the image has 30 × 20 px"):
        apply("crop", Raster(noise(20, 30, 3)), x=21, y=0, width=10, height=20)


@pytest.mark.parametrize(("angle", "turns"), [(90, -1), (180, -2), (270, -3), (-90, 1), (360, 0)])
def test_rotate_quarters_are_exact_and_clockwise(angle: float, turns: int) -> None:
    result = apply("rotate", Raster(scene()), angle=angle)
    assert np.array_equal(result.pixels, np.rot90(scene(), turns))
    assert result.alpha is None


def test_rotate_fills_the_corners() -> None:
    white = Raster(np.full((40, 60, 3), 255, np.uint8))
    clear = apply("rotate", white, angle=45)
    assert clear.alpha is not None
    assert (clear.alpha[0, 0], clear.alpha[clear.height // 2, clear.width // 2]) == (0, 255)
    red = apply("rotate", white, angle=45, fill="#ff0000")
    assert red.alpha is None
    assert red.pixels[0, 0].tolist() == [255, 0, 0]
    grey = apply("rotate", Raster(np.zeros((9, 9), np.uint8)), angle=45, fill="#808080")
    assert grey.pixels.ndim == 2
    assert grey.pixels[0, 0] == 128
    with_alpha = apply(
        "rotate", Raster(white.pixels, np.full((40, 60), 9, np.uint8)), angle=45, fill="#00ff00"
    )
    assert with_alpha.alpha is not None
    assert (with_alpha.pixels[0, 0].tolist(), with_alpha.alpha[0, 0]) == ([0, 255, 0], 255)


def test_rotate_without_expanding_keeps_the_size() -> None:
    for angle in (12.5, 90, 180):
        result = apply("rotate", Raster(scene(48, 64)), angle=angle, expand=False)
        assert (result.width, result.height) == (64, 48)


def test_flip_mirrors() -> None:
    assert np.array_equal(apply("flip", Raster(scene())).pixels, scene()[:, ::-1])
    assert np.array_equal(apply("flip", Raster(scene()), direction="vertical").pixels, scene()[::-1])


def test_blur_is_gaussian() -> None:
    point = np.zeros((41, 41), np.uint8)
    point[20, 20] = 255
    spread = sharpness.blur(np.repeat(point[:, :, None], 3, axis=2), sigma_px=1.0)
    # the centre of a discrete two-dimensional Gaussian with sigma 1: 0.3989² = 0.159
    assert spread[20, 20].tolist() == pytest.approx([255 * 0.159] * 3, abs=1)
    assert np.array_equal(spread[:, 20], spread[20, :])


def test_blur_ignores_hidden_colours() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20], pixels[:, 20:] = (255, 0, 0), (0, 255, 0)
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, :20] = 255
    result = apply("blur", Raster(pixels, alpha), sigma_px=4)
    assert np.array_equal(result.pixels[:, :20], pixels[:, :20])


def test_sharpen_raises_an_edge_and_threshold_spares_noise() -> None:
    edge = np.full((20, 20), 100, np.uint8)
    edge[:, 10:] = 150
    sharp = sharpness.sharpen(edge, amount=1)
    assert sharp[10, 9] < 100
    assert sharp[10, 10] > 150
    assert np.array_equal(sharpness.sharpen(edge, amount=1, threshold=200), edge)


def test_grayscale_is_the_luma_of_pillow() -> None:
    expected = np.array(Image.fromarray(noise(30, 30, 3)).convert("L"))
    assert np.abs(tone.grayscale(noise(30, 30, 3)).astype(int) - expected).max() <= 1


def test_sepia_of_white_and_grey() -> None:
    white = np.full((1, 1), 255, np.uint8)
    assert tone.sepia(white).tolist() == [[[255, 255, 239]]]
    assert tone.sepia(white // 2).tolist() == [[[172, 153, 119]]]


@pytest.mark.parametrize(
    ("function", "parameters", "expected"),
    [
        (tone.brightness, {"factor": 1.5}, [[0, 75, 150, 255]]),
        (tone.brightness, {"factor": 0}, [[0, 0, 0, 0]]),
        (tone.contrast, {"factor": 1.5}, [[0, 31, 106, 255]]),
        (tone.contrast, {"factor": 0}, [[88, 88, 88, 88]]),
        (tone.gamma, {"gamma": 2.0}, [[0, 113, 160, 226]]),
        (tone.autocontrast, {"cutoff_percent": 0}, [[0, 64, 128, 255]]),
        (tone.saturation, {"factor": 3}, [[0, 50, 100, 200]]),
    ],
)
def test_tone_values(function: Any, parameters: dict, expected: list) -> None:
    assert function(np.array([[0, 50, 100, 200]], np.uint8), **parameters).tolist() == expected


def test_saturation_zero_is_grey() -> None:
    grey = tone.saturation(noise(20, 20, 3), factor=0)
    assert np.array_equal(grey, np.repeat(tone.grayscale(noise(20, 20, 3))[:, :, None], 3, axis=2))


def test_autocontrast_keeps_hues_and_leaves_a_flat_picture() -> None:
    flat = np.full((5, 5, 3), 77, np.uint8)
    assert np.array_equal(tone.autocontrast(flat), flat)
    stretched = tone.autocontrast(scene() // 4 + 60, cutoff_percent=0)
    assert stretched.max() == 255


def test_clahe_raises_local_contrast() -> None:
    dull = noise(128, 128, 3) // 16 + 100
    assert tone.grayscale(tone.clahe(dull)).std() > 1.5 * tone.grayscale(dull).std()


@pytest.mark.parametrize("position", POSITIONS)
def test_watermark_lies_where_it_should(position: str) -> None:
    black = Raster(np.zeros((200, 300), np.uint8))
    result = watermark(black, text="Pix ÄÖ", position=position, opacity=1.0, size=8.0)
    rows, columns = np.nonzero(result.pixels)
    row, _, column = position.partition("-")
    height, width = (
        {"top": 0.1, "bottom": 0.9}.get(row, 0.5),
        {"left": 0.15, "right": 0.85}.get(column or row, 0.5),
    )
    assert rows.mean() / 200 == pytest.approx(height, abs=0.1)
    assert columns.mean() / 300 == pytest.approx(width, abs=0.1)
    assert (rows.min() >= 4, rows.max() < 196, columns.min() >= 4, columns.max() < 296) == (True,) * 4


def test_watermark_fits_a_long_text_and_shows_on_transparency() -> None:
    clear = Raster(np.zeros((100, 100, 3), np.uint8), np.zeros((100, 100), np.uint8))
    result = watermark(clear, text="a long text " * 10, opacity=0.5, size=50.0, colour="#ff0000")
    assert result.alpha is not None
    assert result.alpha[:, :2].max() == 0
    assert result.alpha.max() > 20
    assert result.pixels[result.alpha > 20].tolist()[0] == [255, 0, 0]


def test_watermark_composed_and_decomposed_letters_are_equal() -> None:
    black = Raster(np.zeros((60, 200), np.uint8))
    assert np.array_equal(watermark(black, text="\u00e9").pixels, watermark(black, text="e\u0301").pixels)


def test_flatten_lays_on_white() -> None:
    assert flatten(np.array([[0, 0, 0]], np.uint8), np.array([[0, 128, 255]], np.uint8)).tolist() == [
        [255, 127, 0]
    ]


def test_unsharp_mask_is_close_to_that_of_pillow() -> None:
    ours = sharpness.sharpen(scene(), amount=1.5, radius_px=2, threshold=3)
    theirs = np.array(Image.fromarray(scene()).filter(ImageFilter.UnsharpMask(2, 150, 3)))
    assert np.abs(ours.astype(int) - theirs).mean() < 2


def _logo(hidden: int, *, is_grey: bool) -> Raster:
    """A ring of colour, half transparent at its edge, with the same colour hidden everywhere else."""
    y, x = np.mgrid[-48:48, -64:64]
    distance = np.abs(np.hypot(x, y) - 30)
    alpha = np.clip(255 - 60 * np.maximum(distance - 10, 0), 0, 255).astype(np.uint8)
    pixels = np.where(alpha[:, :, None] > 0, scene(96, 128) // 2 + noise(96, 128, 3) // 8, hidden).astype(
        np.uint8
    )
    return Raster(pixels[:, :, 1] if is_grey else pixels, alpha)


HARD = {
    "sharpen": {"amount": 2, "radius_px": 3},
    "denoise": {"min_sigma": 0},
    "autocontrast": {"cutoff_percent": 5},
    "rotate": {"angle": 30},
    "resize": {"width": 50},
    "crop": {"width": 100, "height": 90},
}


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("is_grey", [False, True])
def test_hidden_colours_decide_nothing(name: str, is_grey: bool) -> None:
    black, white = (apply(name, _logo(hidden, is_grey=is_grey), **HARD.get(name, {})) for hidden in (0, 255))
    assert np.array_equal(
        black.alpha if black.alpha is not None else 0, white.alpha if white.alpha is not None else 0
    )
    seen = black.alpha == 255 if black.alpha is not None else np.ones(black.pixels.shape[:2], bool)
    assert seen.any()
    assert np.abs(black.pixels[seen].astype(int) - white.pixels[seen]).max() <= 1


@pytest.mark.parametrize("name", ["sharpen", "clahe", "denoise"])
def test_hidden_colours_stay(name: str) -> None:
    source = _logo(255, is_grey=False)
    assert source.alpha is not None
    result = apply(name, source, **HARD.get(name, {}))
    assert np.array_equal(result.pixels[source.alpha == 0], source.pixels[source.alpha == 0])


@pytest.mark.parametrize("name", ["contrast", "autocontrast", "clahe", "sharpen"])
def test_full_opacity_is_as_good_as_none(name: str) -> None:
    opaque = np.full((48, 64), 255, np.uint8)
    for pixels in (scene(), scene()[:, :, 0]):
        assert np.array_equal(apply(name, Raster(pixels, opaque)).pixels, apply(name, Raster(pixels)).pixels)


@pytest.mark.parametrize("cutoff", [0, 0.5, 3, 20, 49])
def test_autocontrast_cuts_where_numpy_counts(cutoff: float) -> None:
    pixels = noise(31, 45) // 2 + 20
    low, high = np.percentile(pixels, (cutoff, 100 - cutoff), method="nearest").astype(float)
    levels = np.clip(np.rint((np.arange(256) - low) * 255 / (high - low)), 0, 255).astype(np.uint8)
    assert np.array_equal(tone.autocontrast(pixels, cutoff_percent=cutoff), levels[pixels])
