"""Images of 16 bits per channel: read them whole, and write them as PNG or TIFF without losing a bit."""

import io
import struct
import zlib
from typing import Any, BinaryIO

import cv2
import numpy as np

from processing.algorithms.errors import UnsupportedFormat

FORMATS = ("png", "tiff")
_FILTER_SUB = 1
_METRE_PER_INCH = 0.0254


def reduced_note(bits: int) -> str:
    """What to say where a result has fewer bits than its source."""
    return f"The image has {bits} bits per channel; the result has 8."


def reduce_to_8(values: np.ndarray) -> np.ndarray:
    """uint16 to uint8, divided by 257 and rounded: 65535 becomes 255. In strips, for the memory of large images."""
    result = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), 512):
        result[top : top + 512] = (values[top : top + 512].astype(np.uint32) + 128) // 257
    return result


def read_16_bit(stream: BinaryIO, *, width: int, height: int) -> tuple[np.ndarray, np.ndarray | None] | None:
    """The pixels of a 16-bit PNG or TIFF, as they are stored: not upright, in no other colour space.

    Args:
        stream: the file; some decoder has proven it whole.
        width, height: the stored size in px.

    Returns:
        uint16 RGB (H, W, 3) or grey (H, W), and alpha (H, W) or None; None where OpenCV reads it otherwise.
    """
    stream.seek(0)
    data = np.frombuffer(stream.read(), np.uint8)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found = cv2.imdecode(data, flags)
    except cv2.error:
        return None
    if found is None or found.dtype != np.uint16 or found.shape[:2] != (height, width):
        return None
    if found.ndim == 2 or found.shape[2] == 1:
        return found.reshape(height, width), None
    if found.shape[2] == 2:
        return np.ascontiguousarray(found[:, :, 0]), np.ascontiguousarray(found[:, :, 1])
    if found.shape[2] == 3:
        return np.ascontiguousarray(found[:, :, ::-1]), None
    if found.shape[2] == 4:
        return np.ascontiguousarray(found[:, :, 2::-1]), np.ascontiguousarray(found[:, :, 3])
    return None


def encode_16_bit(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    *,
    format: str,
    dpi: tuple[float, float] | None,
    profile: bytes | None = None,
) -> bytes:
    """Encode uint16 pixels as png or tiff, with the ICC profile of their colours where they are no sRGB.

    Raises:
        UnsupportedFormat: for every other format.
    """
    if format not in FORMATS:
        raise UnsupportedFormat(f"{format} does not have 16 bits per channel.")
    planes = pixels if pixels.ndim == 3 else pixels[:, :, None]
    if alpha is not None:
        planes = np.concatenate([planes, alpha[:, :, None]], axis=2)
    return _png(planes, dpi, profile) if format == "png" else _tiff(planes, dpi, profile)


def _png(planes: np.ndarray, dpi: tuple[float, float] | None, profile: bytes | None) -> bytes:
    """PNG by hand (PNG third edition): Pillow writes 16 bits of grey only, OpenCV no grey with transparency."""
    height, width, channels = planes.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    head = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    if profile is not None:
        head.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    if dpi is not None:
        per_metre = (round(side / _METRE_PER_INCH) for side in dpi)
        head.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    compressor, rows, step = zlib.compressobj(4), [], 2 * channels
    for row in planes:
        data = np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
        filtered = data.copy()
        filtered[step:] -= data[:-step]
        rows.append(compressor.compress(bytes([_FILTER_SUB]) + filtered.tobytes()))
    rows.append(compressor.flush())
    return b"".join([*head, _chunk(b"IDAT", b"".join(rows)), _chunk(b"IEND", b"")])


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def _tiff(planes: np.ndarray, dpi: tuple[float, float] | None, profile: bytes | None) -> bytes:
    import tifffile  # slow import

    channels = planes.shape[2]
    options: dict[str, Any] = {"photometric": "rgb" if channels >= 3 else "minisblack"}
    if channels in (2, 4):
        options["extrasamples"] = ["unassalpha"]
    if dpi is not None:
        options |= {"resolution": dpi, "resolutionunit": "INCH"}
    if profile is not None:
        options["iccprofile"] = profile
    if channels > 1:
        options["planarconfig"] = "contig"
    output = io.BytesIO()
    data = planes[:, :, 0] if channels == 1 else planes
    tifffile.imwrite(output, data, compression="adobe_deflate", metadata=None, software=False, **options)
    return output.getvalue()
