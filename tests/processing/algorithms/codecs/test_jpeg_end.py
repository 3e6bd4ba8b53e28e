"""A JPEG without its end marker is whole; one that lacks a single byte of its image is not."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.jpeg_end import NO_END, with_end
from processing.algorithms.codecs.thumbnails import decode_scaled
from processing.algorithms.errors import DamagedImage
from processing.tasks.operations import run_steps
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, scene

CODINGS: list[tuple[str, dict[str, Any]]] = [
    ("RGB", {"quality": 95, "subsampling": "4:4:4"}),
    ("RGB", {"quality": 60}),
    ("RGB", {"progressive": True}),
    ("RGB", {"restart_marker_blocks": 3}),
    ("L", {}),
    ("L", {"progressive": True}),
    ("CMYK", {"quality": 90}),
]
SIZES = [(64, 48), (33, 17), (8, 8)]


def jpeg(mode: str, size: tuple[int, int], options: dict[str, Any], *, is_noise: bool) -> bytes:
    width, height = size
    pixels = noise(height, width, 3) if is_noise else scene(height, width)
    return file_of(Image.fromarray(pixels).convert(mode), "JPEG", **options).getvalue()


@pytest.mark.parametrize(("mode", "options"), CODINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_noise", [True, False])
@pytest.mark.parametrize("missing", [1, 2])
def test_without_its_end_marker_it_is_the_same_image(
    mode: str, options: dict, size: tuple, is_noise: bool, missing: int
) -> None:
    data = jpeg(mode, size, options, is_noise=is_noise)
    whole = decode(io.BytesIO(data), limits=LIMITS)
    found = decode(io.BytesIO(data[:-missing]), limits=LIMITS)
    assert np.array_equal(found.pixels, whole.pixels)
    assert found.notes == (NO_END, *whole.notes)
    assert found.info.byte_size == len(data) - missing
    assert decode_scaled(io.BytesIO(data[:-missing]), size=16, limits=LIMITS).notes == (NO_END, *whole.notes)


@pytest.mark.parametrize(("mode", "options"), CODINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("missing", [3, 4, 7, 20])
def test_with_a_byte_of_the_image_missing_it_gets_no_end(
    mode: str, options: dict, size: tuple, missing: int
) -> None:
    data = jpeg(mode, size, options, is_noise=True)
    for filling in (b"", b"\x00" * 40, b"\x00" * 40_000, b"\xff" * 9, b"\xaa" * 300):
        assert with_end(io.BytesIO(data[:-missing] + filling)) is None


def test_cut_off_between_two_scans_it_gets_no_end() -> None:
    data = jpeg("RGB", (64, 48), {"progressive": True}, is_noise=False)
    tables = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xc4"]
    assert len(tables) > 4
    for place in tables:
        assert with_end(io.BytesIO(data[:place])) is None
        with pytest.raises(DamagedImage):
            decode(io.BytesIO(data[:place]), limits=LIMITS)


def test_results_say_that_the_end_was_missing(tmp_path) -> None:
    path = tmp_path / "source.jpg"
    data = jpeg("RGB", (64, 48), {}, is_noise=False)
    path.write_bytes(data[:-2])
    for name, parameters in (("flip", {"direction": "horizontal"}), ("blur", {})):
        (output,) = run_steps(str(path), [(name, parameters)], str(tmp_path), LIMITS)
        assert output.notes == (NO_END,)
    (stripped,) = run_steps(str(path), [("strip_metadata", {})], str(tmp_path), LIMITS)
    original = decode(io.BytesIO(data), limits=LIMITS).pixels
    assert np.array_equal(np.array(Image.open(stripped.path)), original)  # not compressed again
