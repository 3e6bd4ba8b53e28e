"""Whole files of kinds that cannot be read are called unsupported; cut off, the same files are damaged."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.errors import DamagedImage, ProcessingError, UnsupportedFormat
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, real_folder

VALUES = np.random.default_rng(0).random((20, 24, 3))


def tiff(values: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def tiff_with(tag: int, value: int) -> bytes:
    """An 8-bit RGB TIFF in which one short of its directory says something else."""
    data = bytearray(tiff((VALUES * 255).astype(np.uint8), photometric="rgb"))
    first = int.from_bytes(data[4:8], "little")
    for entry in range(first + 2, first + 2 + 12 * data[first], 12):
        if int.from_bytes(data[entry : entry + 2], "little") == tag:
            data[entry + 8 : entry + 10] = value.to_bytes(2, "little")
    return bytes(data)


def jpeg_with(marker: int, bits: int = 8) -> bytes:
    data = file_of(noise(20, 24, 3), "JPEG").getvalue()
    frame = data.index(b"\xff\xc0")
    return (
        data[: frame + 1] + bytes([marker]) + data[frame + 2 : frame + 4] + bytes([bits]) + data[frame + 5 :]
    )


def bmp_with(compression: int) -> bytes:
    data = file_of(noise(20, 24, 3), "BMP").getvalue()
    return data[:30] + bytes([compression]) + data[31:]


def heif_with(coding: bytes) -> bytes:
    from pillow_heif import from_pillow

    stream = io.BytesIO()
    from_pillow(Image.fromarray(noise(32, 32, 3))).save(stream)
    return stream.getvalue().replace(b"hvc1", coding)


KINDS: dict[str, Callable[[], bytes]] = {
    "3 channels of 64-bit floating-point samples in separate planes": lambda: tiff(
        VALUES.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"
    ),
    "1 channel of 16-bit floating-point": lambda: tiff(VALUES[:, :, 0].astype(np.float16)),
    "3 channels of 32-bit unsigned integer": lambda: tiff((VALUES * 9).astype(np.uint32), photometric="rgb"),
    "3 channels of 16-bit unsigned integer samples .cielab": lambda: tiff(
        (VALUES * 65_535).astype(np.uint16), photometric="cielab"
    ),
    "1 channel of 64-bit complex": lambda: tiff(VALUES[:, :, 0].astype(np.complex64)),
    "a TIFF with the compression 34712": lambda: tiff_with(259, 34712),
    "logluv": lambda: tiff_with(262, 32845),
    "a lossless JPEG": lambda: jpeg_with(0xC3),
    "a hierarchical JPEG": lambda: jpeg_with(0xC5),
    "a JPEG-LS": lambda: jpeg_with(0xF7),
    "a JPEG with 12 bits": lambda: jpeg_with(0xC1, 12),
    "a BMP": lambda: bmp_with(4),
    r"a HEIF with AVC \(H.264\)": lambda: heif_with(b"avc1"),
    "a HEIF with JPEG inside": lambda: heif_with(b"jpeg"),
    "a HEIF with uncompressed pixels": lambda: heif_with(b"unci"),
    "an AVIF with HEVC": lambda: file_of(noise(20, 24, 3), "AVIF").getvalue().replace(b"av01", b"hvc1"),
}


@pytest.mark.parametrize("words", KINDS)
def test_a_whole_file_of_another_kind_is_not_supported(words: str) -> None:
    with pytest.raises(UnsupportedFormat, match=words) as caught:
        decode(io.BytesIO(KINDS[words]()), limits=LIMITS)
    assert caught.value.detail.startswith("The format of the file is not supported: it is a")


@pytest.mark.parametrize("words", KINDS)
def test_a_part_of_such_a_file_is_damaged(words: str) -> None:
    data = KINDS[words]()
    with pytest.raises(DamagedImage):
        decode(io.BytesIO(data[: len(data) * 2 // 3]), limits=LIMITS)


def test_no_reason_is_an_exception_in_its_own_words() -> None:
    said = []
    files = sorted(real_folder("odd_files/pngsuite").glob("*.png"))
    for data in [*(file.read_bytes() for file in files), *(make() for make in KINDS.values())]:
        for cut in (len(data), len(data) // 2, 40):
            if (error := _refusal(data[:cut])) is not None:
                said.append((error.detail, str(error.__cause__)))
    assert len(said) > 300
    foreign = re.compile(r"Error|0x|_io\.|object|NoneType")
    assert [detail for detail, cause in said if cause in detail or foreign.search(detail)] == []


def _refusal(data: bytes) -> ProcessingError | None:
    try:
        decode(io.BytesIO(data), limits=LIMITS)
    except ProcessingError as error:
        return error
    return None
