"""Take the position out of a file without moving a byte: no pixel is read, no other metadata changes its place."""

import re
import zlib
from dataclasses import dataclass
from typing import Literal

from processing.algorithms.errors import ProcessingError

TIFF_HEADER = re.compile(rb"II[*+]\x00|MM\x00[*+]")
POINTERS = {0x8769}  # the Exif IFD: some writers put the position below it
GPS_POINTER = 0x8825
# fmt: off
TYPE_BYTES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}
# fmt: on
MAX_ENTRIES = 1000
MAX_ENTRIES_IN_ALL = 200_000  # a file that needs more is made to keep us busy
HEADER_COST = 100  # in entries
MAX_VALUE_BYTES = 4096  # of one GPS tag; more is something else, and not ours to blank
MAX_IFDS = 16
# Every part is bounded: hostile files must not make the search slow.
XMP_POSITION = re.compile(
    rb"""[\w-]{1,32}:GPS\w{1,64}\s{0,16}=\s{0,16}(?:"[^"<]{0,4096}"|'[^'<]{0,4096}')"""
    rb"""|<([\w-]{1,32}:GPS\w{1,64})\b[^<>]{0,512}(?:/>|>[^<]{0,4096}</\1\s{0,16}>)"""
)
XMP_NAME = b":GPS"
XMP_PREFIX = re.compile(rb"<?[\w-]{0,32}\Z")
MAX_PREFIX_BYTES = 33  # before the colon: the longest prefix, and the opening of an element
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PACKED_BLOCKS = (b"XML:com.adobe.xmp\0", b"Raw profile type ")  # of a PNG: XMP and EXIF in texts
NOTHING = b"Comment\0"


def without_position(data: bytes) -> bytes:
    """The same file with the GPS block of its EXIF and the GPS properties of its XMP blanked, in any container.

    EXIF (CIPA DC-008) is found by the header of its TIFF structure, wherever the container keeps it: the pointer to the
    GPS IFD leaves its directory and what it pointed to becomes zeros. In XMP, properties named `GPS…` become spaces.
    A PNG's checksums are made again, and blocks that it keeps compressed or as hexadecimal text become empty comments.

    Args:
        data: a JPEG, PNG, WebP, TIFF, HEIF or AVIF file.

    Returns:
        As many bytes.

    Raises:
        ProcessingError: for a file with more directories than any camera or editor writes.
    """
    out = bytearray(data)
    left = MAX_ENTRIES_IN_ALL
    for match in TIFF_HEADER.finditer(data):
        left -= HEADER_COST + _blank_exif(out, match.start())
        if left < 0:
            raise ProcessingError("The position cannot be taken out of this file.", code="processing_error")
    found = data.find(XMP_NAME)
    while found >= 0:
        start = XMP_PREFIX.search(data, max(0, found - MAX_PREFIX_BYTES), found).start()  # type: ignore[union-attr]
        property = XMP_POSITION.match(data, start)
        if property is not None:
            out[start : property.end()] = b" " * (property.end() - start)
            found = property.end() - 1
        found = data.find(XMP_NAME, found + 1)
    if data.startswith(PNG_SIGNATURE):
        _mend_png(out)
    return bytes(out)


@dataclass(frozen=True)
class _Layout:
    """How a TIFF writes numbers: the classic one with 4 bytes for an offset, BigTIFF with 8."""

    order: Literal["little", "big"]
    is_big: bool

    @property
    def offset_bytes(self) -> int:
        return 8 if self.is_big else 4

    @property
    def count_bytes(self) -> int:
        return 8 if self.is_big else 2

    @property
    def entry_bytes(self) -> int:
        return 20 if self.is_big else 12

    def number(self, data: bytearray, start: int, size: int) -> int:
        """0 where the file ends before it."""
        part = data[start : start + size]
        return int.from_bytes(part, self.order) if len(part) == size else 0

    def offset(self, data: bytearray, start: int) -> int:
        return self.number(data, start, self.offset_bytes)


def _blank_exif(out: bytearray, base: int) -> int:
    """Answers how many entries it has looked at."""
    order: Literal["little", "big"] = "little" if out[base : base + 1] == b"I" else "big"
    layout = _Layout(order, is_big=b"+" in out[base + 2 : base + 4])
    entry_bytes, looked_at = layout.entry_bytes, 0
    todo, seen = [layout.offset(out, base + (8 if layout.is_big else 4))], set[int]()
    while todo and len(seen) < MAX_IFDS:
        offset = todo.pop()
        first = base + offset + layout.count_bytes
        count = layout.number(out, base + offset, layout.count_bytes) if offset else 0
        end = first + entry_bytes * count
        if offset in seen or not 0 < count <= MAX_ENTRIES or end + layout.offset_bytes > len(out):
            continue
        seen.add(offset)
        looked_at += count
        todo.append(layout.offset(out, end))
        for start in range(end - entry_bytes, first - 1, -entry_bytes):
            tag = layout.number(out, start, 2)
            value = layout.offset(out, start + entry_bytes - layout.offset_bytes)
            if tag in POINTERS:
                todo.append(value)
            elif tag == GPS_POINTER:
                looked_at += _blank_gps(out, base, value, layout)
                # The entries behind it and the offset of the next directory move up.
                tail = end + layout.offset_bytes
                out[start:tail] = out[start + entry_bytes : tail] + bytes(entry_bytes)
                count, end = count - 1, end - entry_bytes
                out[base + offset : first] = count.to_bytes(layout.count_bytes, order)
    return looked_at


def _blank_gps(out: bytearray, base: int, offset: int, layout: _Layout) -> int:
    count = layout.number(out, base + offset, layout.count_bytes)
    first = base + offset + layout.count_bytes
    end = first + layout.entry_bytes * count
    if not 0 < count <= MAX_ENTRIES or end > len(out):
        return 0
    for start in range(first, end, layout.entry_bytes):
        kind = layout.number(out, start + 2, 2)
        size = TYPE_BYTES.get(kind, 0) * layout.offset(out, start + 4)
        place = base + layout.offset(out, start + layout.entry_bytes - layout.offset_bytes)
        if layout.offset_bytes < size <= MAX_VALUE_BYTES and place + size <= len(out):
            out[place : place + size] = bytes(size)
    out[base + offset : end] = bytes(end - base - offset)
    return count


def _mend_png(out: bytearray) -> None:
    start = len(PNG_SIGNATURE)
    while start + 12 <= len(out):
        size = int.from_bytes(out[start : start + 4], "big")
        name, content = start + 4, start + 8
        end = content + size
        if end + 4 > len(out):
            return
        if out[name:content] in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            is_plain = out[name:content] == b"iTXt" and out[content:end].startswith(PACKED_BLOCKS[0] + b"\0")
            if out[content:end].startswith(PACKED_BLOCKS) and not is_plain and size >= len(NOTHING):
                out[name:content] = b"tEXt"
                out[content:end] = NOTHING + b" " * (size - len(NOTHING))
            out[end : end + 4] = zlib.crc32(out[name:end]).to_bytes(4, "big")
        start = end + 4
