"""Colour that a file states by numbers comes out as sRGB; values expected by the formulas of the standards."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from processing.algorithms.codecs.coded_colour import HIGH_DYNAMIC_RANGE, UNKNOWN_CODES, CodedColour
from processing.algorithms.codecs.decoding import Decoded, decode
from processing.algorithms.codecs.sixteen_bit import encode_16_bit
from processing.algorithms.codecs.thumbnails import decode_scaled
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, png_chunk, scene

COLOUR = np.full((16, 16, 3), (200, 120, 80), np.uint8)
P3, BT2020, BT709, XYZ = 12, 9, 1, 10
SRGB, PQ, HLG, LINEAR = 13, 16, 18, 8
CHROMATICITIES_OF_P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def with_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks behind its header."""
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def cicp(primaries: int, transfer: int, *, matrix: int = 0, is_full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, matrix, is_full])


def chrm(*values: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values))


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def png(*chunks: tuple[bytes, bytes], pixels: np.ndarray = COLOUR, **options: object) -> Decoded:
    data = with_chunks(file_of(pixels, **options).getvalue(), *chunks)
    return decode(io.BytesIO(data), limits=LIMITS)


def avif(primaries: int, transfer: int, pixels: np.ndarray = COLOUR, **options: object) -> bytes:
    """An AVIF with other code points than Pillow writes."""
    data = file_of(pixels, "AVIF", quality=100, subsampling="4:4:4", **options).getvalue()
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def heic(primaries: int, transfer: int) -> bytes:
    from pillow_heif import from_pillow

    stream = io.BytesIO()
    from_pillow(Image.fromarray(COLOUR)).save(
        stream, quality=-1, chroma=444, color_primaries=primaries, transfer_characteristics=transfer
    )
    return stream.getvalue()


def close(found: Decoded, colour: tuple[int, int, int], by: int = 4) -> bool:
    return bool(np.abs(found.pixels.astype(int) - colour).max() <= by)


@pytest.mark.parametrize(
    ("chunks", "colour"),
    [
        ([cicp(P3, SRGB)], (213, 115, 70)),
        ([cicp(BT2020, SRGB)], (237, 105, 69)),
        ([cicp(BT709, SRGB)], (200, 120, 80)),
        ([cicp(2, 2)], (200, 120, 80)),
        ([cicp(BT709, LINEAR)], (229, 182, 152)),
        ([cicp(P3, SRGB), gama(1.0)], (213, 115, 70)),
        ([cicp(BT709, SRGB), gama(1.0)], (200, 120, 80)),
        (
            [cicp(P3, SRGB, matrix=1)],
            (200, 120, 80),
        ),  # only RGB is allowed in a PNG: the chunk does not count
        ([cicp(BT709, SRGB, is_full=0)], (214, 121, 75)),
        ([gama(1.0)], (229, 182, 152)),
        ([gama(1.0), (b"sRGB", b"\0")], (200, 120, 80)),
        ([gama(0.45455)], (200, 120, 80)),
        ([gama(1 / 1.8)], (211, 138, 98)),
        ([gama(0.45455), chrm(*CHROMATICITIES_OF_P3)], (213, 115, 70)),
        ([chrm(*CHROMATICITIES_OF_P3)], (213, 115, 70)),
        ([chrm(*CHROMATICITIES_OF_P3), (b"sRGB", b"\0")], (200, 120, 80)),
        ([chrm(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)], (200, 120, 80)),
        ([gama(0.0)], (200, 120, 80)),
        ([chrm(0, 0, 0, 0, 0, 0, 0, 0)], (200, 120, 80)),
        ([chrm(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)], (200, 120, 80)),
    ],
)
def test_png_chunks_of_colour(chunks: list, colour: tuple) -> None:
    found = png(*chunks)
    assert close(found, colour, by=1)
    assert found.notes == ()
    assert found.origin.is_recoloured == (not close(found, (200, 120, 80), by=0))


def test_png_cicp_counts_before_a_profile_and_a_profile_before_gamma() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert close(png(cicp(P3, SRGB), icc_profile=profile), (213, 115, 70))
    assert close(png(gama(1.0), icc_profile=profile), (200, 120, 80), by=1)


@pytest.mark.parametrize("make", [avif, heic])
@pytest.mark.parametrize(
    ("primaries", "colour"), [(P3, (213, 115, 70)), (BT2020, (237, 105, 69)), (BT709, (200, 120, 80))]
)
def test_nclx_primaries(make: Callable[[int, int], bytes], primaries: int, colour: tuple) -> None:
    found = decode(io.BytesIO(make(primaries, SRGB)), limits=LIMITS)
    assert close(found, colour)
    assert found.notes == ()


def test_nclx_of_an_image_with_a_profile_does_not_count() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = decode(io.BytesIO(avif(P3, SRGB, icc_profile=profile)), limits=LIMITS)
    assert close(found, (200, 120, 80))


@pytest.mark.parametrize(
    "make", [avif, heic, lambda *codes: with_chunks(file_of(COLOUR).getvalue(), cicp(*codes))]
)
@pytest.mark.parametrize(("transfer", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_high_dynamic_range_is_mapped_and_said(make: Callable, transfer: int, name: str) -> None:
    found = decode(io.BytesIO(make(BT2020, transfer)), limits=LIMITS)
    assert found.notes == (HIGH_DYNAMIC_RANGE.format(name=name),)
    assert found.pixels[:, :, 0].min() >= 254  # the brightest channel of the image is its peak
    assert found.pixels[0, 0].tolist() == sorted(found.pixels[0, 0].tolist(), reverse=True)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("type", [np.uint8, np.uint16])
def test_mapping_rises_from_black_to_white(transfer: int, type: type) -> None:
    ramp = np.arange(256, dtype=type)[None] * (257 if type is np.uint16 else 1)
    found = CodedColour(transfer=transfer).to_srgb(ramp)
    assert found.dtype == type
    assert (found[0, 0], found[0, -1]) == (0, np.iinfo(type).max)
    assert (np.diff(found.astype(int)) >= 0).all()


def test_pq_that_is_no_brighter_than_paper_keeps_its_light() -> None:
    # 100 cd/m² is 0.5081 in PQ (BT.2100); half of 203 cd/m² is 0.7337 in sRGB
    codes = np.array([[0, round(0.508078 * 65_535), round(0.580689 * 65_535)]], np.uint16)
    found = CodedColour(transfer=PQ).to_srgb(codes) / 65_535
    expected = 1.055 * (100 / 203) ** (1 / 2.4) - 0.055
    assert found[0].tolist() == pytest.approx([0, expected, 1], abs=0.001)


def test_hlg_of_paper_is_mapped_below_white() -> None:
    # 75 % of HLG is 203 cd/m² on a display of 1,000 cd/m² (BT.2408); full is its peak
    found = CodedColour(transfer=HLG).to_srgb(np.array([[0, 49_151, 65_535]], np.uint16)) / 65_535
    assert 0.8 < found[0, 1] < 0.95
    assert found[0, 2] == 1


@pytest.mark.parametrize(
    ("transfer", "light"),
    [
        (1, ((0.5 + 0.0993) / 1.0993) ** (1 / 0.45)),
        (4, 0.5**2.2),
        (5, 0.5**2.8),
        (7, ((0.5 + 0.1115) / 1.1115) ** (1 / 0.45)),
        (8, 0.5),
        (9, 0.1),
        (10, 10**-1.25),
        (SRGB, ((0.5 + 0.055) / 1.055) ** 2.4),
        (17, 52.37 / 48 * 0.5**2.6),
    ],
)
def test_transfer_functions_of_h273(transfer: int, light: float) -> None:
    found = CodedColour(transfer=transfer).to_srgb(np.array([[32_768]], np.uint16))[0, 0] / 65_535
    assert found == pytest.approx(1.055 * light ** (1 / 2.4) - 0.055, abs=1e-3)


@pytest.mark.parametrize("primaries", [4, 5, 6, 7, 8, 9, XYZ, 11, 12, 22])
def test_white_and_grey_stay(primaries: int) -> None:
    grey = np.array([[[255] * 3, [90] * 3, [0] * 3]], np.uint8)
    found = png(cicp(primaries, SRGB), pixels=grey).pixels
    assert np.abs(found.astype(int) - grey).max() <= 1


def test_unknown_code_points_are_said() -> None:
    found = png(cicp(99, 250))
    assert close(found, (200, 120, 80), by=0)
    assert found.notes == (UNKNOWN_CODES.format(codes="primaries 99, transfer 250"),)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "RGBA"])
def test_every_layout_of_png_follows_gamma(mode: str) -> None:
    image = Image.fromarray(scene()).convert(mode)
    data = with_chunks(file_of(image).getvalue(), gama(1.0))
    found = decode(io.BytesIO(data), limits=LIMITS)
    plain = decode(io.BytesIO(file_of(image).getvalue()), limits=LIMITS)
    assert np.array_equal(found.pixels, CodedColour(gamma=1.0).to_srgb(plain.pixels))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_sixteen_bits_are_converted_in_sixteen_bits(channels: tuple) -> None:
    values = noise(8, 8, *channels).astype(np.uint16) * 250 + 7
    data = with_chunks(encode_16_bit(values, None, format="png", dpi=None), gama(1.0))
    found = decode(io.BytesIO(data), limits=LIMITS, keep_16_bit=True)
    light = values / 65_535
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 65_535
    assert np.abs(found.deep[0] - expected).max() < 1
    assert np.abs(found.pixels - expected / 257).max() < 0.6
    assert found.origin.profile is None


@pytest.mark.parametrize(
    ("space", "option", "is_adobe"), [(0xFFFF, "R03", True), (2, "R03", True), (1, "R98", False)]
)
def test_adobe_rgb_of_cameras(space: int, option: str, is_adobe: bool) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0x8769)[0xA005] = {1: option}
    stream = file_of(np.full((64, 64, 3), (120, 200, 80), np.uint8), "JPEG", quality=100, exif=exif)
    expected = (51, 201, 67) if is_adobe else (120, 200, 80)
    assert close(decode(stream, limits=LIMITS), expected, by=6)
    assert close(decode_scaled(stream, size=16, limits=LIMITS), expected, by=6)
