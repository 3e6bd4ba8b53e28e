"""The image formats that Pix knows, and how to recognise them from their first bytes."""

from collections.abc import Iterable
from dataclasses import dataclass

from processing.algorithms.errors import NotAnImage, UnsupportedFormat


@dataclass(frozen=True)
class Format:
    """One row of the table of formats.

    Attributes:
        name: the name used everywhere in Pix; also the extension of stored files.
        pillow: Pillow's name of the reader and writer.
        mime_type: media type for answers.
        extensions: file name endings (lower case, without the dot); the first is the usual one.
        can_write: whether results may be stored in it.
        has_alpha: whether it keeps transparency when written.
        has_animation: whether a file may hold several frames or pages.
        has_16_bit: whether a source may have 16 bits per channel (reduced to 8 when read).
        is_lossy: whether `quality` has an effect.
        can_be_lossless: whether every pixel can be kept exactly.
        max_side_px: longest side that the format itself can hold.
    """

    name: str
    pillow: str
    mime_type: str
    extensions: tuple[str, ...]
    can_write: bool = True
    has_alpha: bool = False
    has_animation: bool = False
    has_16_bit: bool = False
    is_lossy: bool = False
    can_be_lossless: bool = True
    max_side_px: int = 65_535


# GIF is read only: 256 colours would damage most results, so they are stored as PNG.
# AVIF is not called lossless: at quality 100 with 4:4:4 single pixels still differ by up to 2.
FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        Format(
            "jpg", "JPEG", "image/jpeg", ("jpg", "jpeg", "jpe", "jfif"), is_lossy=True, can_be_lossless=False
        ),
        Format(
            "png", "PNG", "image/png", ("png", "apng"), has_alpha=True, has_animation=True, has_16_bit=True
        ),
        Format(
            "webp",
            "WEBP",
            "image/webp",
            ("webp",),
            has_alpha=True,
            has_animation=True,
            is_lossy=True,
            max_side_px=16_383,
        ),
        Format(
            "avif",
            "AVIF",
            "image/avif",
            ("avif", "avifs"),
            has_alpha=True,
            has_animation=True,
            has_16_bit=True,
            is_lossy=True,
            can_be_lossless=False,
        ),
        Format(
            "tiff", "TIFF", "image/tiff", ("tiff", "tif"), has_alpha=True, has_animation=True, has_16_bit=True
        ),
        Format("bmp", "BMP", "image/bmp", ("bmp", "dib")),
        Format("gif", "GIF", "image/gif", ("gif",), can_write=False, has_alpha=True, has_animation=True),
        Format(
            "heic",
            "HEIF",
            "image/heic",
            ("heic", "heif", "hif"),
            can_write=False,
            has_alpha=True,
            has_16_bit=True,
            is_lossy=True,
            can_be_lossless=False,
        ),
    )
}
_NAME_OF_EXTENSION = {extension: row.name for row in FORMATS.values() for extension in row.extensions}
WRITABLE_FORMATS = tuple(name for name, row in FORMATS.items() if row.can_write)

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"BM", "bmp"),
)
_FOREIGN_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL file"),
    (b"PK\x03\x04", "a ZIP archive"),
)
HEADER_BYTES = 512


def format_names(extensions: Iterable[str]) -> list[str]:
    """The formats that file name endings mean, each once: `.JPEG` is jpg, `tif` is tiff; unknown ones stay."""
    plain = (extension.strip().lower().lstrip(".") for extension in extensions)
    return list(dict.fromkeys(_NAME_OF_EXTENSION.get(name, name) for name in plain if name))


def detect_format(header: bytes) -> str:
    """Recognise an image by its first bytes; names and announced types are never believed.

    Args:
        header: the first `HEADER_BYTES` bytes, or fewer where the file is shorter.

    Returns:
        A key of `FORMATS`.

    Raises:
        UnsupportedFormat: for file kinds that are known and not accepted (SVG, PDF, ...).
        NotAnImage: for everything else.
    """
    if not header:
        raise NotAnImage("The file is empty (0 bytes).")
    for signature, name in _SIGNATURES:
        if header.startswith(signature):
            return name
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return "webp"
    if header[4:8] == b"ftyp":
        return _iso_media_format(header)
    raise _refusal(header)


def _iso_media_format(header: bytes) -> str:
    """AVIF and HEIC share a container; the brands of its first box tell them apart."""
    end = min(int.from_bytes(header[:4], "big"), len(header))
    brands = {header[8:12]} | {header[i : i + 4] for i in range(16, end - 3, 4)}
    if brands & _AVIF_BRANDS:
        return "avif"
    if brands & _HEIC_BRANDS:
        return "heic"
    raise UnsupportedFormat(
        f"The file is a video or another ISO media file. Accepted formats: {_names(FORMATS)}."
    )


def _refusal(header: bytes) -> NotAnImage | UnsupportedFormat:
    text = header.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return UnsupportedFormat(f"The file is an SVG drawing. Accepted formats: {_names(FORMATS)}.")
    for signature, kind in _FOREIGN_SIGNATURES:
        if header.startswith(signature):
            return UnsupportedFormat(f"The file is {kind}. Accepted formats: {_names(FORMATS)}.")
    return NotAnImage(f"The file is not an image in a known format. Accepted formats: {_names(FORMATS)}.")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)
