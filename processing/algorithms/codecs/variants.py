"""Whole files of a kind that Pix's readers do not know, told apart from damaged ones once a reader has failed."""

import re
from typing import BinaryIO

from PIL import TiffImagePlugin

from processing.algorithms.codecs.iso_boxes import is_whole, read_properties
from processing.algorithms.codecs.jpeg_lossless import segments

_HEADER_BYTES = 8
_NOT_READ = re.compile(
    r"unsupported|not supported|not implemented|not available|cannot handle|unknown (raw|pixel) mode"
)
_CODINGS = {
    "av01": "AV1",
    "avc1": "AVC (H.264)",
    "evc1": "EVC",
    "hvc1": "HEVC (H.265)",
    "j2k1": "JPEG 2000",
    "jpeg": "JPEG",
    "unci": "uncompressed pixels",
    "vvc1": "VVC (H.266)",
}
_READ_CODINGS = {"avif": "av01", "heic": "hvc1"}
_DERIVED = ("grid", "iden", "iovl", "tmap")
_SAMPLES = {
    1: "unsigned integer",
    2: "signed integer",
    3: "floating-point",
    5: "complex integer",
    6: "complex",
}
# ITU-T T.81, table B.1: frames that are neither Huffman coded nor arithmetically coded DCT.
_JPEG_FRAMES = {
    **dict.fromkeys((0xC3, 0xCB), "a lossless JPEG"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG"),
    0xF7: "a JPEG-LS image",
}
_OTHER_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)


def unsupported_kind(stream: BinaryIO, *, name: str, error: Exception) -> str | None:
    """What a file is that no reader knows, in words such as "a lossless JPEG"; None where it may be damaged.

    Args:
        stream: the file that could not be read.
        name: its format, a key of `FORMATS`.
        error: what the reader said.
    """
    try:
        if name == "tiff":
            return _of_tiff(stream, error)
        if name == "jpg":
            return _of_jpeg(stream)
        if name in _READ_CODINGS:
            return _of_item(stream, name)
        if name == "bmp" and _NOT_READ.search(str(error).lower()) and _is_whole_bmp(stream):
            return "a BMP with a rare compression or depth"
    except MemoryError:
        raise
    except Exception:  # its structure is broken
        return None
    return None


def _of_tiff(stream: BinaryIO, error: Exception) -> str | None:
    import tifffile  # slow import

    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        page = file.pages.first
        byte_size = stream.seek(0, 2)
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        if not places or any(start < _HEADER_BYTES or start + size > byte_size for start, size in places):
            return None
        compression, bits = int(page.compression), int(page.bitspersample)
        samples, count = int(page.sampleformat or 1), int(page.samplesperpixel)
        photometric = (
            "" if page.photometric is None else getattr(page.photometric, "name", str(page.photometric))
        )
        planes = " in separate planes" if page.planarconfig == 2 and count > 1 else ""
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        return f"a TIFF with the compression {compression}"
    if _is_known_layout(stream) and not _NOT_READ.search(str(error).lower()):
        return None
    kind = _SAMPLES.get(samples, "undefined")
    channels = "1 channel" if count == 1 else f"{count} channels"
    return f"a TIFF with {channels} of {bits}-bit {kind} samples{planes} ({photometric.lower()})"


def _is_known_layout(stream: BinaryIO) -> bool:
    stream.seek(0)
    try:
        TiffImagePlugin.TiffImageFile(stream)
    except SyntaxError as error:
        return "unknown pixel mode" not in str(error) and "unknown data organization" not in str(error)
    return True


def _of_jpeg(stream: BinaryIO) -> str | None:
    stream.seek(0)
    for marker, segment in list(segments(stream.read())):
        if marker in _JPEG_FRAMES:
            return _JPEG_FRAMES[marker]
        if marker in _OTHER_FRAMES:
            if segment[4] != 8:
                return f"a JPEG with {segment[4]} bits per channel"
            return None if segment[9] in (1, 3, 4) else f"a JPEG with {segment[9]} channels"
    return None


def _of_item(stream: BinaryIO, name: str) -> str | None:
    item = read_properties(stream)
    if not item.kind or not is_whole(stream):
        return None
    codings = item.tile_kinds & set(_CODINGS) if item.kind in _DERIVED else {item.kind}
    if not codings or _READ_CODINGS[name] in codings:
        return None
    kinds = ", ".join(_CODINGS.get(kind, f"the coding {kind!r}") for kind in sorted(codings))
    return f"{'an AVIF' if name == 'avif' else 'a HEIF'} with {kinds} inside"


def _is_whole_bmp(stream: BinaryIO) -> bool:
    byte_size = stream.seek(0, 2)
    stream.seek(2)
    return 54 <= int.from_bytes(stream.read(4), "little") <= byte_size
