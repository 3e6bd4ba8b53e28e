"""Take the position out of a file without moving a byte: no pixel is read, no other metadata changes its place."""

import re
import struct
import zlib

TIFF_HEADER = re.compile(rb"II\*\x00|MM\x00\*")
POINTERS = {0x8769}  # the Exif IFD: some writers put the position below it
GPS_POINTER = 0x8825
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
MAX_ENTRIES = 1000
MAX_VALUE_BYTES = 4096  # of one GPS tag; more is something else, and not ours to blank
MAX_IFDS = 16
XMP_PACKET = re.compile(
    rb"<(?:\w+:)?xmpmeta\b.*?</(?:\w+:)?xmpmeta\s*>|<rdf:RDF\b.*?</rdf:RDF\s*>", re.DOTALL
)
XMP_POSITION = re.compile(
    rb"""\b[\w-]+:GPS\w+\s*=\s*(?:"[^"]*"|'[^']*')|<([\w-]+:GPS\w+)\b[^<>]*(?:/>|>.*?</\1\s*>)""", re.DOTALL
)
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
    """
    out = bytearray(data)
    for match in TIFF_HEADER.finditer(data):
        _blank_exif(out, match.start())
    for packet in XMP_PACKET.finditer(data):
        for found in XMP_POSITION.finditer(packet.group()):
            start = packet.start() + found.start()
            out[start : start + len(found.group())] = b" " * len(found.group())
    if data.startswith(PNG_SIGNATURE):
        _mend_png(out)
    return bytes(out)


def _blank_exif(out: bytearray, base: int) -> None:
    order = "<" if out[base : base + 1] == b"I" else ">"
    todo, seen = [_number(out, base + 4, order, 4)], set[int]()
    while todo and len(seen) < MAX_IFDS:
        offset = todo.pop()
        count = _number(out, base + offset, order, 2) if offset else 0
        end = base + offset + 2 + 12 * count
        if offset in seen or not 0 < count <= MAX_ENTRIES or end + 4 > len(out):
            continue
        seen.add(offset)
        todo.append(_number(out, end, order, 4))
        for start in range(end - 12, base + offset + 2 - 1, -12):
            tag, value = _number(out, start, order, 2), _number(out, start + 8, order, 4)
            if tag in POINTERS:
                todo.append(value)
            elif tag == GPS_POINTER:
                _blank_gps(out, base, value, order)
                # The entries behind it and the offset of the next directory move up.
                out[start : end + 4] = out[start + 12 : end + 4] + bytes(12)
                count -= 1
                end -= 12
                out[base + offset : base + offset + 2] = struct.pack(f"{order}H", count)


def _blank_gps(out: bytearray, base: int, offset: int, order: str) -> None:
    count = _number(out, base + offset, order, 2)
    end = base + offset + 2 + 12 * count
    if not 0 < count <= MAX_ENTRIES or end > len(out):
        return
    for start in range(base + offset + 2, end, 12):
        size = TYPE_BYTES.get(_number(out, start + 2, order, 2), 0) * _number(out, start + 4, order, 4)
        place = base + _number(out, start + 8, order, 4)
        if 4 < size <= MAX_VALUE_BYTES and place + size <= len(out):
            out[place : place + size] = bytes(size)
    out[base + offset : end] = bytes(end - base - offset)


def _number(data: bytearray, start: int, order: str, size: int) -> int:
    """0 where the file ends before it."""
    part = bytes(data[start : start + size])
    return int.from_bytes(part, "little" if order == "<" else "big") if len(part) == size else 0


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
