"""Every pixel layout comes out as uint8 sRGB or grey, upright, with its transparency apart."""

import io
import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from processing.algorithms.codecs.colour_profile import UNREADABLE_PROFILE
from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.codecs.probing import Limits, probe
from processing.algorithms.errors import ImageTooLarge, UnsupportedFormat
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, scene, swapped_profile

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
ORIENTATION = 0x0112


def decoded(stream: io.BytesIO):
    return decode(stream, limits=LIMITS)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "WEBP"])
def test_decode_lossless_formats_give_the_pixels(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    found = decoded(file_of(scene(), format, **options))
    assert np.array_equal(found.pixels, scene())
    assert found.pixels.dtype == np.uint8
    assert (found.alpha, found.notes) == (None, ())


@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_decode_lossy_formats_are_close(format: str) -> None:
    found = decoded(file_of(scene(), format, quality=95))
    assert np.abs(found.pixels.astype(int) - scene()).mean() < 3


def test_decode_heic() -> None:
    from pillow_heif import from_pillow

    stream = io.BytesIO()
    from_pillow(Image.fromarray(scene())).save(stream, quality=90)
    found = decoded(stream)
    assert (found.info.format, found.info.mime_type) == ("heic", "image/heic")
    assert np.abs(found.pixels.astype(int) - scene()).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_decode_alpha_is_kept_exactly(format: str) -> None:
    pixels = noise(20, 30, 4)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    found = decoded(file_of(pixels, format, **options))
    assert np.array_equal(found.pixels, pixels[:, :, :3])
    assert np.array_equal(found.alpha, pixels[:, :, 3])


def test_decode_grey_with_alpha_stays_grey() -> None:
    found = decoded(file_of(Image.fromarray(noise(20, 30, 2), "LA")))
    assert found.pixels.shape == (20, 30)
    assert np.array_equal(found.pixels, noise(20, 30, 2)[:, :, 0])
    assert np.array_equal(found.alpha, noise(20, 30, 2)[:, :, 1])


def test_decode_palette_with_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    found = decoded(file_of(image, transparency=b"\x00\x80"))
    assert found.pixels.tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    assert found.alpha.tolist() == [[0, 128, 255]]


def test_decode_gif_with_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    found = decoded(file_of(image, "GIF", transparency=1))
    assert found.alpha.tolist() == [[255, 0]]
    assert found.pixels[0, 0].tolist() == [255, 0, 0]


def test_decode_one_bit_is_black_and_white() -> None:
    found = decoded(file_of(Image.fromarray(noise(9, 9) > 128)))
    assert np.array_equal(found.pixels, np.where(noise(9, 9) > 128, 255, 0))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_decode_16_bit_grey_uses_the_whole_range(format: str) -> None:
    values = np.array([[0, 128, 129, 257, 32_768, 65_535]], dtype=np.uint16)
    found = decoded(file_of(values, format))
    assert found.pixels.tolist() == [[0, 0, 1, 1, 128, 255]]


@pytest.mark.parametrize(
    ("values", "expected", "has_note"),
    [
        ([[0.0, 0.5, 1.0]], [[0, 128, 255]], False),
        ([[0.0, 100.0, 255.0]], [[0, 100, 255]], False),
        ([[0.0, 65_535.0]], [[0, 255]], False),
        ([[-10.0, 0.0, 10.0]], [[0, 128, 255]], True),
        ([[np.nan, 0.0, np.inf, 1.0]], [[0, 0, 0, 255]], True),
        ([[7e9, 7e9]], [[0, 0]], True),
        ([[np.nan, np.nan]], [[0, 0]], True),
    ],
)
def test_decode_float_tiff(values: list, expected: list, has_note: bool) -> None:
    found = decoded(file_of(np.array(values, dtype=np.float32), "TIFF"))
    assert found.pixels.tolist() == expected
    assert bool(found.notes) == has_note


def test_decode_32_bit_integer_tiff() -> None:
    found = decoded(file_of(np.array([[0, 1, 255]], dtype=np.int32), "TIFF"))
    assert found.pixels.tolist() == [[0, 1, 255]]


def test_decode_32_bit_unsigned_tiff_keeps_its_order() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.array([[0, 2**31, 2**32 - 1]], np.uint32))
    found = decoded(stream)
    assert found.pixels.tolist() == [[0, 128, 255]]


def test_decode_cmyk_jpeg() -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    found = decoded(file_of(red, "JPEG", quality=95))
    assert found.pixels.shape == (16, 16, 3)
    assert np.abs(found.pixels.astype(int) - [255, 0, 0]).max() < 10


def test_decode_lab_tiff() -> None:
    found = decoded(file_of(Image.new("LAB", (4, 4), (255, 128, 128)), "TIFF"))
    assert np.abs(found.pixels.astype(int) - 255).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_decode_orientation_is_applied(format: str, orientation: int) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose values that store it turned
    stored = Image.fromarray(scene())
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    found = decoded(file_of(stored, format, exif=exif, quality=95))
    assert found.info.upright_size == (64, 48)
    assert (found.info.width, found.info.height) == stored.size
    assert found.pixels.shape == (48, 64, 3)
    assert np.abs(found.pixels.astype(int) - scene()).mean() < 4


def test_decode_profile_is_converted_to_srgb() -> None:
    swapped = swapped_profile()
    found = decoded(file_of(scene(), icc_profile=swapped))
    assert found.notes == ()
    expected = ImageCms.profileToProfile(
        Image.fromarray(scene()),
        ImageCms.ImageCmsProfile(io.BytesIO(swapped)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert np.array_equal(found.pixels, np.array(expected))
    assert np.abs(found.pixels.astype(int) - scene()).max() > 50


def test_decode_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = decoded(file_of(noise(30, 30, 3), icc_profile=profile))
    assert np.array_equal(found.pixels, noise(30, 30, 3))


@pytest.mark.parametrize("profile", [b"garbage", b"\x00" * 200, bytes(noise(1, 500).ravel())])
def test_decode_garbage_profile_is_ignored_and_said(profile: bytes) -> None:
    found = decoded(file_of(scene(), icc_profile=profile))
    assert np.array_equal(found.pixels, scene())
    assert found.notes == (UNREADABLE_PROFILE,)


def test_decode_grey_with_an_rgb_profile_stays_grey() -> None:
    found = decoded(file_of(noise(10, 10), icc_profile=swapped_profile()))
    assert found.pixels.shape == (10, 10)
    assert found.notes == ()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_decode_animation_gives_the_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    found = decoded(file_of(frames[0], format, save_all=True, append_images=frames[1:]))
    assert found.info.frame_count == 3
    assert np.abs(found.pixels.astype(int) - [255, 0, 0]).max() < 12
    assert found.notes == ("The file has 3 frames; the first one was used.",)


def test_decode_multi_picture_jpeg_is_one_picture() -> None:
    stream = file_of(scene(), "MPO", save_all=True, append_images=[Image.fromarray(scene())], quality=95)
    found = decoded(stream)
    assert (found.info.format, found.info.frame_count, found.notes) == ("jpg", 1, ())


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_decode_one_pixel(format: str) -> None:
    found = decoded(file_of(np.full((1, 1, 3), 255, np.uint8), format))
    assert found.pixels.shape[:2] == (1, 1)


def test_probe_reads_the_header_only() -> None:
    info = probe(file_of(scene(), "JPEG", dpi=(300, 300)), limits=LIMITS)
    assert (info.format, info.width, info.height, info.mode, info.frame_count) == ("jpg", 64, 48, "RGB", 1)
    assert info.dpi == (300.0, 300.0)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(max_bytes=100), "This file is too large (9,270 bytes). The limit is 100 bytes."),
        (Limits(max_pixels=3000), "The image has 64 × 48 = 3,072 pixels; the limit is 3,000."),
        (Limits(max_side_px=63), "The image has 64 × 48 px; the limit for each side is 63 px."),
    ],
)
def test_probe_refuses_what_is_too_large(limits: Limits, sentence: str) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        probe(file_of(scene(), "BMP"), limits=limits)
    assert caught.value.detail == sentence


def test_probe_refuses_formats_that_are_not_allowed() -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        probe(file_of(scene(), "BMP"), limits=Limits(formats=frozenset({"jpg", "png"})))
    assert caught.value.detail == "Files of the format bmp are not accepted. Accepted formats: jpg, png."


def test_formats_have_distinct_names_and_extensions() -> None:
    extensions = list(itertools.chain.from_iterable(row.extensions for row in FORMATS.values()))
    assert len(set(extensions)) == len(extensions)
    assert list(FORMATS) == ["jpg", "png", "webp", "avif", "tiff", "bmp", "gif", "heic"]
    assert all(row.extensions[0] == name for name, row in FORMATS.items())
