"""Walk the chunks of a PNG: texts and EXIF before and behind the pixels, without decoding any pixel."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

_MAX_BYTES = 1024 * 1024
_MAX_CHUNKS = 10_000
_MAX_WORDS = 50


@dataclass(frozen=True)
class PngTexts:
    """What a PNG says beside its pixels: EXIF, XMP and IPTC blocks, and its keywords with their texts."""

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    words: Mapping[str, str] = field(default_factory=dict)


def chunks(stream: BinaryIO, *, names: frozenset[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the wanted chunks, in their order; the content of others is passed over.

    A chunk of more than a megabyte is left out, and a file that ends early ends the walk.
    """
    stream.seek(8)
    for _ in range(_MAX_CHUNKS):
        header = stream.read(8)
        if len(header) < 8:
            return
        size, name = int.from_bytes(header[:4], "big"), header[4:]
        if name in names and size <= _MAX_BYTES:
            content = stream.read(size)
            if len(content) < size:
                return
            yield name, content
            stream.seek(4, 1)
        else:
            stream.seek(size + 4, 1)
        if name == b"IEND":
            return


def read_png_texts(stream: BinaryIO) -> PngTexts:
    """Texts and EXIF of a PNG, wherever they stand (PNG third edition, 11.3.3 and 11.3.4.5)."""
    exif: bytes | None = None
    words: dict[str, str] = {}
    blocks: dict[str, bytes] = {}
    for name, content in chunks(stream, names=frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})):
        if name == b"eXIf":
            exif = exif or content
            continue
        keyword, text = _text(name, content)
        if keyword == "XML:com.adobe.xmp" or keyword.startswith("Raw profile type "):
            blocks.setdefault(keyword.removeprefix("Raw profile type ").lower(), text)
        elif len(words) < _MAX_WORDS:
            encoding = "utf-8" if name == b"iTXt" else "latin-1"
            words.setdefault(keyword, text.decode(encoding, "ignore"))
    app1 = _raw_profile(blocks.get("app1"))
    xmp = blocks.get("xml:com.adobe.xmp") or _raw_profile(blocks.get("xmp"))
    if xmp is None and app1 and app1.startswith(b"http://ns.adobe.com/xap/1.0/\x00"):
        xmp = app1.partition(b"\x00")[2]
    exif = exif or _raw_profile(blocks.get("exif"))
    if exif is None and app1 and app1.startswith(b"Exif\x00\x00"):
        exif = app1
    return PngTexts(exif, xmp, _raw_profile(blocks.get("iptc")), words)


def _text(name: bytes, content: bytes) -> tuple[str, bytes]:
    keyword, _, rest = content.partition(b"\x00")
    if name == b"zTXt":
        rest = _inflated(rest[1:])
    elif name == b"iTXt":
        is_compressed, rest = rest[:1] == b"\x01", rest[2:]
        rest = rest.partition(b"\x00")[2].partition(b"\x00")[2]  # language, translated keyword
        rest = _inflated(rest) if is_compressed else rest
    return keyword.decode("latin-1"), rest


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_BYTES)
    except zlib.error:
        return b""


def _raw_profile(text: bytes | None) -> bytes | None:
    """ImageMagick's way to keep a block in a text: name and length on lines of their own, then hexadecimal digits."""
    parts = (text or b"").split(None, 2)
    if len(parts) < 3:
        return None
    try:
        return bytes.fromhex(b"".join(parts[2].split()).decode("ascii"))
    except ValueError:
        return None
