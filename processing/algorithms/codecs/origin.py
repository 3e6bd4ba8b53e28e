"""How a file stores its image: what a result should keep, because nobody asked to change it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from processing.algorithms.codecs.iso_boxes import ItemProperties, read_properties

_IDENTITY_MATRIX = 0  # ITU-T H.273: red, green and blue are stored as they are
_MAX_CHUNKS = 1_000


@dataclass(frozen=True)
class Origin:
    """What the file's coding keeps of an image.

    Attributes:
        is_lossless: every value is stored exactly.
        has_full_colour: colour has the resolution of brightness (4:4:4).
        is_indexed: few colours, by a palette or less than 8 bits of grey.
        is_recoloured: decoding has changed colours, because they were no sRGB.
        bits: per channel.
        profile: the ICC profile of pixels that are given in 16 bits, where they are no sRGB: those keep it.
        dpi: resolution (x, y) of the upright image in dots per inch, or None where none is stated.
        quantization: the tables of a JPEG by their numbers, in natural order.
    """

    is_lossless: bool = True
    has_full_colour: bool = True
    is_indexed: bool = False
    is_recoloured: bool = False
    bits: int = 8
    profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    quantization: Mapping[int, tuple[int, ...]] | None = None


def read_origin(
    image: Image.Image, stream: BinaryIO, *, name: str, raw_mode: str, dpi: tuple[float, float] | None
) -> Origin:
    """Look at the header of an opened image whose pixels are not loaded yet.

    Args:
        image: the opened image.
        stream: the file behind it.
        name: its format, a key of `FORMATS`.
        raw_mode: see `depth.pending_raw_mode`.
        dpi: its resolution, upright.
    """
    if name == "jpg":
        sampling = {(layer[1], layer[2]) for layer in getattr(image, "layer", ())}
        tables = {
            number: tuple(table) for number, table in getattr(image, "quantization", {}).items() if number < 2
        }
        return Origin(
            is_lossless=False, has_full_colour=len(sampling) == 1, dpi=dpi, quantization=tables or None
        )
    if name == "webp":
        is_lossless = _is_lossless_webp(stream)
        return Origin(is_lossless=is_lossless, has_full_colour=is_lossless, dpi=dpi)
    if name in ("avif", "heic"):
        return _of_item(read_properties(stream), dpi)
    is_indexed = image.mode in ("1", "P", "PA") or raw_mode in ("L;2", "L;4", "1")
    bits = 32 if image.mode in ("I", "F") else 8
    if name in ("png", "tiff") and ("16" in raw_mode or image.mode.startswith("I;16")):
        bits = 16
    return Origin(is_indexed=is_indexed, bits=bits, dpi=dpi)


def _of_item(item: ItemProperties, dpi: tuple[float, float] | None) -> Origin:
    is_lossless = item.nclx is not None and item.nclx[2] == _IDENTITY_MATRIX
    return Origin(is_lossless, item.has_full_colour, bits=item.bits, dpi=dpi)


def _is_lossless_webp(stream: BinaryIO) -> bool:
    """Whether the first image of a WebP is VP8L (WebP container specification); of an animation its first frame."""
    position = 12
    for _ in range(_MAX_CHUNKS):
        stream.seek(position)
        header = stream.read(8)
        name, size = header[:4], int.from_bytes(header[4:], "little")
        if name in (b"VP8L", b"VP8 ") or len(header) < 8:
            return name == b"VP8L"
        # The chunks of a frame stand inside of it, behind sixteen bytes of its place and duration.
        position += 8 + 16 if name == b"ANMF" else 8 + size + size % 2
    return False
