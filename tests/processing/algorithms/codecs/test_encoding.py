"""Encoding: exact where it says so, flattened where it must, free of metadata, always the same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.encoding import encode, flattening_note
from processing.algorithms.codecs.formats import FORMATS, WRITABLE_FORMATS
from processing.algorithms.errors import ImageTooLarge, InvalidParameter, UnsupportedFormat
from tests.processing.algorithms.pictures import noise, pixels_of, scene


@pytest.mark.parametrize("format", ["png", "tiff", "bmp", "webp"])
def test_encode_lossless_gives_the_pixels_back(format: str) -> None:
    data = encode(noise(9, 7, 3), None, format=format, lossless=True)
    assert np.array_equal(pixels_of(data, "RGB"), noise(9, 7, 3))


@pytest.mark.parametrize("format", WRITABLE_FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (40, 3), (3, 40, 3), (33, 35, 3)])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_encode_every_format_and_shape(format: str, shape: tuple[int, ...], has_alpha: bool) -> None:
    pixels = noise(*shape)
    alpha = noise(*shape[:2]) // 2 if has_alpha else None
    data = encode(pixels, alpha, format=format)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.format == FORMATS[format].pillow
    assert image.size == (shape[1], shape[0])
    assert image.has_transparency_data == (has_alpha and FORMATS[format].has_alpha)
    assert data == encode(pixels, alpha, format=format)


@pytest.mark.parametrize("format", WRITABLE_FORMATS)
def test_encode_writes_no_metadata(format: str) -> None:
    image = Image.open(io.BytesIO(encode(scene(), None, format=format)))
    assert not {"exif", "icc_profile", "xmp", "comment", "photoshop"} & set(image.info)


@pytest.mark.parametrize("format", ["jpg", "bmp"])
def test_encode_lays_transparency_on_white(format: str) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    data = encode(pixels, np.zeros((16, 16), np.uint8), format=format)
    assert pixels_of(data, "RGB").min() >= 250
    data = encode(pixels, np.full((16, 16), 255, np.uint8), format=format)
    assert pixels_of(data, "RGB").max() <= 5


def test_flattening_note_only_where_something_is_lost() -> None:
    half, opaque = np.full((2, 2), 128, np.uint8), np.full((2, 2), 255, np.uint8)
    assert flattening_note(half, format="jpg") == (
        "jpg does not support transparency; transparent parts were placed on white.",
    )
    assert flattening_note(half, format="png") == ()
    assert flattening_note(opaque, format="jpg") == ()
    assert flattening_note(None, format="jpg") == ()


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
def test_encode_quality_has_an_effect(format: str) -> None:
    sizes = [len(encode(noise(64, 64, 3), None, format=format, quality=quality)) for quality in (1, 50, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


def test_encode_progressive_jpeg() -> None:
    assert Image.open(io.BytesIO(encode(scene(), None, format="jpg", progressive=True))).info["progressive"]
    assert "progressive" not in Image.open(io.BytesIO(encode(scene(), None, format="jpg"))).info


@pytest.mark.parametrize("format", ["gif", "heic"])
def test_encode_refuses_formats_that_are_only_read(format: str) -> None:
    with pytest.raises(UnsupportedFormat, match=f"cannot write {format}"):
        encode(scene(), None, format=format)


@pytest.mark.parametrize(
    ("format", "mode"), [("jpg", "lossless"), ("avif", "lossless"), ("png", "progressive")]
)
def test_encode_refuses_modes_that_do_not_exist(format: str, mode: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        encode(scene(), None, format=format, lossless=mode == "lossless", progressive=mode == "progressive")
    assert caught.value.field == mode


def test_encode_webp_refuses_a_side_it_cannot_hold() -> None:
    with pytest.raises(
        ImageTooLarge, match="webp allows at most 16383 px on each side; the result would have 16384 × 1 px"
    ):
        encode(np.zeros((1, 16_384), np.uint8), None, format="webp")
