"""Texts inside metadata: which encoding they are in, and where they end."""

_PREFIX_BYTES = 8
_COMMENT_CODES = {b"ASCII": "latin-1", b"UNICODE": "utf-16", b"JIS": "iso2022_jp"}


def as_utf8(text: str) -> str:
    """A text that was read as Latin-1, in the encoding that it is really in: UTF-8 where it is that, else cp1252."""
    try:
        return decoded(text.encode("latin-1"))
    except UnicodeEncodeError:  # it was never read as Latin-1
        return text


def decoded(data: bytes) -> str:
    """Bytes as text: UTF-8, else what Windows writes."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def up_to_nul(text: str) -> str:
    """A text ends at its first NUL (EXIF, ASCII); what lies behind it are remains of longer ones."""
    return text.partition("\x00")[0]


def copyright_text(text: str) -> str:
    """Photographer and editor, which EXIF divides by a NUL, on two lines."""
    parts = [part.strip() for part in text.split("\x00")[:2]]
    return "\n".join(part for part in parts if part)


def comment(data: bytes, *, is_little_endian: bool) -> str | None:
    """An EXIF text whose first eight bytes name its encoding (UserComment); None where they name none.

    Source: EXIF 2.32, 4.6.5, table 9. UTF-16 without a mark is in the order of the block, unless its zero bytes tell
    otherwise: some programs write it in the other one.
    """
    code = _COMMENT_CODES.get(data[:_PREFIX_BYTES].rstrip(b"\x00"))
    body = data[_PREFIX_BYTES:]
    if code == "utf-16":
        return utf16(body, is_little_endian=is_little_endian)
    if code == "latin-1":
        return up_to_nul(decoded(body))
    if code is not None:
        return up_to_nul(body.decode(code, "ignore"))
    if data[:_PREFIX_BYTES] == b"\x00" * _PREFIX_BYTES:
        return up_to_nul(decoded(body))
    return None


def utf16(data: bytes, *, is_little_endian: bool) -> str:
    """UTF-16 with or without a byte order mark, up to its first NUL."""
    data = data[: len(data) // 2 * 2]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return up_to_nul(data.decode("utf-16", "ignore"))
    zeros_first, zeros_second = data[::2].count(0), data[1::2].count(0)
    if zeros_first != zeros_second:
        is_little_endian = zeros_second > zeros_first
    return up_to_nul(data.decode("utf-16-le" if is_little_endian else "utf-16-be", "ignore"))
