"""A JPEG that lacks nothing but its end marker: all of its pixels are there, so it is not refused as cut off."""

import hashlib
import io
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from processing.algorithms.codecs.jpeg_lossless import segments

NO_END = "The end marker of the file is missing; the image itself is complete."
_END = b"\xff\xd9"
_SCAN, _PROGRESSIVE, _FRAMES = 0xDA, (0xC2, 0xCA), (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
# Bits without a pattern: where bits are missing, hardly two of these give the same image.
_TAILS = (b"", *(hashlib.sha512(bytes([seed])).digest().replace(b"\xff", b"") * 2 for seed in range(6)))
_FILLING_BYTES = 4
_COEFFICIENTS = 64


def with_end(stream: BinaryIO) -> BinaryIO | None:
    """The file with its end marker, where that is all it lacks; None where it has one, or lacks more.

    The last scan is complete if bits behind it change no coefficient of the image, and exactly complete if without its
    last byte they do: a file that is cut off and filled up, with zeros say, has more bytes than its image needs. One
    that ends in four equal bytes counts as filled up, too.

    Args:
        stream: a seekable JPEG file; it stays open.
    """
    stream.seek(-2, io.SEEK_END)
    if stream.read() == _END:
        return None
    stream.seek(0)
    data = stream.read()
    try:
        list(segments(data))
    except ValueError:
        data = data.rstrip(b"\xff")  # half of the marker, or fill bytes before it
        is_filled_up = len(set(data[-_FILLING_BYTES:])) == 1
        if (
            not is_filled_up
            and _has_all_scans(data)
            and _is_complete(data)
            and not _is_complete(data[:-1].rstrip(b"\xff"))
        ):
            return io.BytesIO(data + _END)
    return None


def _has_all_scans(data: bytes) -> bool:
    """Whether the file ends within a scan, and its scans give every coefficient of every component in full."""
    try:
        found = list(segments(data + _END))
    except ValueError:
        return False
    frames = [(marker, part) for marker, part in found if marker in _FRAMES]
    scans = [part for marker, part in found if marker == _SCAN]
    if len(frames) != 1 or not scans or found[-2][0] != _SCAN:
        return False
    marker, frame = frames[0]
    components = {frame[10 + 3 * place] for place in range(frame[9])}
    missing = {(component, place) for component in components for place in range(_COEFFICIENTS)}
    for scan in scans:
        count = scan[4]
        if len(scan) < 8 + 2 * count:
            return False
        first, last, precision = scan[5 + 2 * count : 8 + 2 * count]
        if marker not in _PROGRESSIVE:
            first, last, precision = 0, _COEFFICIENTS - 1, 0
        if precision & 15 == 0:  # the last bit of these coefficients (ITU-T T.81, G.1.1.1)
            missing -= {
                (scan[5 + 2 * part], place) for part in range(count) for place in range(first, last + 1)
            }
    return not missing


def _is_complete(data: bytes) -> bool:
    digests = set()
    for tail in _TAILS:
        digests.add(_digest(data + tail + _END))
        if len(digests) > 1 or None in digests:
            return False
    return True


def _digest(data: bytes) -> str | None:
    """A hash of all coefficients; None where they cannot be read."""
    import jpeglib  # slow import

    with tempfile.TemporaryDirectory(prefix="jpeg-") as folder:
        path = Path(folder) / "image.jpg"
        path.write_bytes(data)
        try:
            jpeg = jpeglib.read_dct(str(path))
            jpeg.load()
            planes = [plane for plane in (jpeg.Y, jpeg.Cb, jpeg.Cr, jpeg.K) if plane is not None]
        except (OSError, ValueError, ArithmeticError, LookupError):
            return None
    digest = hashlib.sha256()
    for plane in planes:
        digest.update(np.ascontiguousarray(plane).data)
    return digest.hexdigest()
