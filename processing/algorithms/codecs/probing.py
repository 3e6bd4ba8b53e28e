"""Open an uploaded image safely and read its header: format, size, frames, orientation."""

import errno
import io
import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from processing.algorithms.codecs.formats import FORMATS, HEADER_BYTES, detect_format
from processing.algorithms.codecs.frames import count_frames
from processing.algorithms.codecs.variants import unsupported_kind
from processing.algorithms.errors import DamagedImage, ImageTooLarge, ProcessingError, UnsupportedFormat

# Pillow only warns between one and two times its own limit; here a bomb is always an error.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# Its remarks on broken EXIF help nobody: what can be read is read, the rest is left out.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class Limits:
    """What is accepted: bytes of the file, pixels and longest side of the image, frames, format names."""

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_side_px: int = 16_384
    max_frames: int = 1_000
    formats: frozenset[str] = frozenset(FORMATS)


DEFAULT_LIMITS = Limits()
_RESOLUTION, _RESOLUTION_UNIT, _INCH, _CENTIMETRE = (282, 283), 296, 2, 3  # TIFF 6.0


@dataclass(frozen=True)
class ImageInfo:
    """What the header says.

    Attributes:
        format: a key of `FORMATS`, recognised from the content.
        mime_type: media type of that format.
        width, height: size as stored, in px, before the orientation is applied.
        mode: Pillow's name of the pixel layout (RGB, L, P, CMYK, I;16, ...).
        frame_count: frames of an animation or pages of a TIFF; 1 for a still image.
        orientation: EXIF orientation, 1 to 8.
        dpi: resolution (x, y) in dots per inch, or None where the file states none.
        byte_size: size of the file in bytes.
    """

    format: str
    mime_type: str
    width: int
    height: int
    mode: str
    frame_count: int
    orientation: int
    dpi: tuple[float, float] | None
    byte_size: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) in px as a viewer shows the image."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    @property
    def upright_dpi(self) -> tuple[float, float] | None:
        """`dpi` as a viewer shows the image."""
        return self.dpi and (self.dpi[::-1] if self.orientation >= 5 else self.dpi)


def probe(stream: BinaryIO, *, limits: Limits) -> ImageInfo:
    """Read the header of an image and check it against the limits; no pixel is decoded.

    Args:
        stream: a seekable binary file; it stays open.
        limits: what is accepted.

    Raises:
        ProcessingError: empty, unknown, refused, damaged or too large; the sentence names limit and value.
    """
    return open_image(stream, limits=limits)[1]


def open_image(stream: BinaryIO, *, limits: Limits) -> tuple[Image.Image, ImageInfo]:
    """Open an image with the one reader that its content asks for; see `probe` for the checks.

    Pillow's own limit follows `limits.max_pixels`, so that its readers refuse as early as they can.
    """
    byte_size = check_byte_size(stream, max_bytes=limits.max_bytes)
    name = detect_format(_read_at(stream, 0, HEADER_BYTES))
    if name not in limits.formats:
        allowed = ", ".join(row for row in FORMATS if row in limits.formats)
        raise UnsupportedFormat(f"Files of the format {name} are not accepted. Accepted formats: {allowed}.")
    if name == "heic":
        _register_heic()
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    with refusing_damage(stream, name=name, limits=limits):
        stream.seek(0)
        image = Image.open(stream, formats=[FORMATS[name].pillow])
        width, height = _stored_size(image, name)
        check_size(width, height, limits=limits)
        frame_count = count_frames(image, stream, name=name, stop_after=limits.max_frames)
    if frame_count > limits.max_frames:
        raise ImageTooLarge(f"The file has too many frames. The limit is {limits.max_frames:,}.")
    info = ImageInfo(
        format=name,
        mime_type=FORMATS[name].mime_type,
        width=width,
        height=height,
        mode=image.mode,
        frame_count=frame_count,
        orientation=read_orientation(image),
        dpi=_read_dpi(image),
        byte_size=byte_size,
    )
    return image, info


@contextmanager
def refusing_damage(stream: BinaryIO, *, name: str, limits: Limits) -> Iterator[None]:
    """Turn whatever a reader raises on hostile bytes into a `ProcessingError`: damaged, or whole and not supported.

    Readers raise almost anything on broken input (OSError, SyntaxError, struct.error, IndexError, ...), so
    every `Exception` counts as the input's fault. Memory exhaustion does not: the engine handles that.
    """
    try:
        yield
    except (ProcessingError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        found = re.search(r"\((\d+) pixels\)", str(error))  # "Image size (179 pixels) exceeds limit of ..."
        pixels = f"{int(found[1]):,}" if found else "too many"
        raise ImageTooLarge(
            f"The image has {pixels} pixels; the limit is {limits.max_pixels:,}.", limit=limits.max_pixels
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # no room for what a reader writes aside: not the input's fault
        if "out of memory" in str(error):  # Pillow's words where a decoder could not allocate
            raise MemoryError(str(error)) from error
        if (kind := unsupported_kind(stream, name=name, error=error)) is not None:
            raise UnsupportedFormat(f"The format of the file is not supported: it is {kind}.") from error
        raise DamagedImage(f"The image is damaged or incomplete: {_reason(error)}.") from error


def check_byte_size(stream: BinaryIO, *, max_bytes: int) -> int:
    """Size of the file in bytes; refuses one above the limit."""
    byte_size = stream.seek(0, io.SEEK_END)
    if byte_size > max_bytes:
        raise ImageTooLarge(
            f"This file is too large ({byte_size:,} bytes). The limit is {max_bytes:,} bytes.",
            limit=max_bytes,
            value=byte_size,
        )
    return byte_size


def check_size(width: int, height: int, *, limits: Limits) -> None:
    """Refuse an image with a side or an area above the limits."""
    if width < 1 or height < 1:
        raise DamagedImage(f"The image has an invalid size: {width} × {height} px.")
    if max(width, height) > limits.max_side_px:
        raise ImageTooLarge(
            f"The image has {width} × {height} px; the limit for each side is {limits.max_side_px} px.",
            limit=limits.max_side_px,
            value=max(width, height),
        )
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"The image has {width} × {height} = {width * height:,} pixels; the limit is {limits.max_pixels:,}.",
            limit=limits.max_pixels,
            value=width * height,
        )


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where it is missing or unreadable. Decodes nothing."""
    try:
        # PngImageFile.getexif would decode the whole image in search of a chunk behind the pixels.
        exif = Image.Image.getexif(image)
        value = exif.get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _stored_size(image: Image.Image, name: str) -> tuple[int, int]:
    """Pillow swaps the sides of a rotated TIFF on opening; undo that, so that all formats agree."""
    if name == "tiff" and read_orientation(image) >= 5:
        return image.height, image.width
    return image.size


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """The resolution that a file states; Pillow also answers 72 or 1 where it states none."""
    try:
        if image.format == "TIFF" and not _states_resolution(image.tag_v2):  # type: ignore[attr-defined]
            return None
        if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
            exif = Image.Image.getexif(image)
            if not _states_resolution(exif):
                return None
            per_inch = 2.54 if exif.get(_RESOLUTION_UNIT, _INCH) == _CENTIMETRE else 1.0
            x, y = (round(float(exif[tag]) * per_inch, 2) for tag in _RESOLUTION)
        else:
            x, y = (round(float(value), 2) for value in image.info["dpi"])
    except MemoryError:
        raise
    except Exception:
        return None
    is_sane = all(math.isfinite(value) and 0 < value <= 1_000_000 for value in (x, y))
    return (x, y) if is_sane else None


def _states_resolution(tags: Any) -> bool:
    has_both = all(tag in tags for tag in _RESOLUTION)
    return has_both and tags.get(_RESOLUTION_UNIT, _INCH) in (_INCH, _CENTIMETRE)


def _register_heic() -> None:
    from pillow_heif import register_heif_opener  # slow import

    register_heif_opener(thumbnails=False)


def _read_at(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)


# What readers say, and what it means. Their own words would tell people of list indices and struct formats.
_REASONS = (
    (
        r"truncated|not enough|unexpected end|cut off|end of file|eof|premature|incomplete",
        "the file ends too early",
    ),
    (r"checksum|crc", "a checksum does not match"),
    (
        r"broken|corrupt|bad |invalid|decod|decompress|zlib|unrecognized|error -?[0-9]",
        "its data cannot be decoded",
    ),
)


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in a sentence of ours."""
    words = str(error).lower()
    if not isinstance(error, LookupError | TypeError | struct.error):
        for pattern, reason in _REASONS:
            if re.search(pattern, words):
                return reason
    return "its structure cannot be read"
