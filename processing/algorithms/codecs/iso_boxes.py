"""Read the boxes of AVIF and HEIC (ISO base media file format): what the image's own properties say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MAX_META_BYTES = 1024 * 1024
_MAX_BOXES = 2_000


@dataclass(frozen=True)
class ItemProperties:
    """Properties of the primary image.

    Attributes:
        kind: its coding: av01, hvc1, grid, avc1, jpeg, unci ...; empty where the file does not tell.
        tile_kinds: the codings of the pieces of a grid.
        nclx: colour primaries, transfer and matrix (ITU-T H.273), or None.
        bits: per channel; 8 where nothing is stated.
        has_full_colour: whether colour has the resolution of brightness.
    """

    kind: str = ""
    tile_kinds: frozenset[str] = frozenset()
    nclx: tuple[int, int, int] | None = None
    bits: int = 8
    has_full_colour: bool = False


def read_properties(stream: BinaryIO) -> ItemProperties:
    """The properties of the primary image; defaults where the boxes cannot be read."""
    try:
        meta = _top_box(stream, b"meta")
        return ItemProperties() if meta is None else _properties_of(meta[4:])
    except (IndexError, ValueError, RecursionError):
        return ItemProperties()


def is_whole(stream: BinaryIO) -> bool:
    """Whether all boxes on the top level are there as a whole."""
    byte_size = stream.seek(0, 2)
    position = 0
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        header = stream.read(16)
        size = int.from_bytes(header[8:16] if header[:4] == b"\0\0\0\1" else header[:4], "big")
        if len(header) >= 8 and size == 0:  # up to the end of the file
            return True
        position += max(size, 8)
        if position >= byte_size:
            return position == byte_size
    return False


def _properties_of(meta: bytes) -> ItemProperties:
    boxes = dict(_boxes(meta))  # each of these stands once
    primary = _number(boxes.get(b"pitm", b""), 4, 4 if boxes.get(b"pitm", b"\0")[:1] == b"\x01" else 2)
    kinds = dict(_item_kinds(boxes.get(b"iinf", b"")))
    inner = dict(_boxes(boxes.get(b"iprp", b"")))
    every = list(_boxes(inner.get(b"ipco", b"")))
    links = dict(_associations(inner.get(b"ipma", b"")))
    mine = [every[index - 1] for index in links.get(primary, ()) if 1 <= index <= len(every)]
    kind = kinds.get(primary, "")
    if kind == "grid":  # the coding stands at its pieces
        pieces = [
            index
            for item, indexes in links.items()
            if kinds.get(item) in ("av01", "hvc1")
            for index in indexes
        ]
        mine += [every[index - 1] for index in pieces if 1 <= index <= len(every)]
    nclx, bits, has_full_colour = None, 8, False
    for name, content in mine:
        if name == b"colr" and content[:4] == b"nclx" and nclx is None:
            nclx = (_number(content, 4, 2), _number(content, 6, 2), _number(content, 8, 2))
        elif name == b"av1C":
            bits = 8 if not content[2] & 0x40 else 12 if content[2] & 0x20 else 10
            has_full_colour = not content[2] & 0x1C  # neither monochrome nor subsampled
        elif name == b"hvcC":
            bits, has_full_colour = (content[17] & 7) + 8, content[16] & 3 == 3
    return ItemProperties(
        kind, frozenset(kinds.values()) - {"grid", "Exif", "mime"}, nclx, bits, has_full_colour
    )


def _top_box(stream: BinaryIO, wanted: bytes) -> bytes | None:
    position = 0
    for _ in range(_MAX_BOXES):
        stream.seek(position)
        header = stream.read(16)
        if len(header) < 8:
            return None
        size, name, start = int.from_bytes(header[:4], "big"), header[4:8], 8
        if size == 1:
            size, start = int.from_bytes(header[8:16], "big"), 16
        if name == wanted:
            stream.seek(position + start)
            return stream.read(min(size - start, _MAX_META_BYTES) if size else _MAX_META_BYTES)
        if size < start:
            return None
        position += size
    return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    for _ in range(_MAX_BOXES):
        size = int.from_bytes(data[position : position + 4], "big")
        if position + 8 > len(data) or size < 8:
            return
        yield data[position + 4 : position + 8], data[position + 8 : position + size]
        position += size


def _item_kinds(box: bytes) -> Iterator[tuple[int, str]]:
    start = 6 if box[:1] == b"\x00" else 8
    for name, entry in _boxes(box[start:]):
        if name != b"infe" or entry[0] < 2:
            continue
        id_bytes = 2 if entry[0] == 2 else 4
        yield _number(entry, 4, id_bytes), entry[6 + id_bytes : 10 + id_bytes].decode("latin-1")


def _associations(box: bytes) -> Iterator[tuple[int, list[int]]]:
    if len(box) < 8:
        return
    id_bytes, index_bytes = (2 if box[0] == 0 else 4), (2 if box[3] & 1 else 1)
    position = 8
    for _ in range(min(_number(box, 4, 4), _MAX_BOXES)):
        item = _number(box, position, id_bytes)
        count = box[position + id_bytes]
        position += id_bytes + 1
        mask = 0x7F if index_bytes == 1 else 0x7FFF
        yield (
            item,
            [_number(box, position + index_bytes * place, index_bytes) & mask for place in range(count)],
        )
        position += index_bytes * count


def _number(data: bytes, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "big")
