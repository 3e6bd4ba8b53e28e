"""Read EXIF, XMP and IPTC: a normalised form with readable names, EXIF also as JSON, the place kept apart."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from processing.algorithms.codecs.png_chunks import PngTexts, read_png_texts
from processing.algorithms.codecs.probing import DEFAULT_LIMITS, Limits, open_image
from processing.algorithms.metadata.json_safe import clean, json_safe
from processing.algorithms.metadata.moments import first_moment, moment
from processing.algorithms.metadata.texts import as_utf8, comment, copyright_text, utf16
from processing.algorithms.metadata.xmp import Stated, iptc_of_photoshop, read_iptc, read_xmp

_MAX_EXIF_BYTES = 1024 * 1024
_MAX_ENTRIES = 200
# Layout of a TIFF file, binary blocks, and blocks that may repeat the place; none describes the image.
_STRUCTURE = {
    "StripOffsets",
    "StripByteCounts",
    "TileOffsets",
    "TileByteCounts",
    "ColorMap",
    "JPEGTables",
    "ExifOffset",
    "GPSInfo",
    "ExifInteroperabilityOffset",
    "MakerNote",
    "InterColorProfile",
    "ImageResources",
    "XMLPacket",
    "IPTCNAA",
}
_FLASH_FIRED = 1
_BELOW_SEA = (1, 3, b"\x01", b"\x03")  # of the sea, of the ellipsoid (EXIF 3.0)
NO_PLACE = (0.0, 0.0)  # what receivers write that have not found their place yet


@dataclass(frozen=True)
class Metadata:
    """What a file tells about its image.

    Attributes:
        exif: normalised: camera, lens, exposure_time_s, f_number, iso, captured_at ...
        raw: every other EXIF field by its name, as JSON, without the place.
        gps: latitude and longitude in degrees, altitude_m, timestamp; or None. For those allowed only.
    """

    exif: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    gps: dict[str, Any] | None = None


def read_metadata(stream: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Metadata:
    """Read the metadata of an image file; broken ones give what can be read, never an error.

    EXIF comes first; XMP and then IPTC and the texts of a PNG fill in what it does not state. All values are JSON
    that PostgreSQL takes: finite numbers, no NUL characters, bounded length and depth.

    Raises:
        ProcessingError: only where the file itself is no acceptable image.
    """
    image, info = open_image(stream, limits=limits)
    texts = read_png_texts(stream) if info.format == "png" else PngTexts()
    block = image.info.get("exif") or texts.exif or b""  # pillow-heif says None where there is no block
    raw: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    place: dict[str, Any] = {}
    if len(block) > _MAX_EXIF_BYTES:
        raw = {"ignored": f"The EXIF block has {len(block):,} bytes; the limit is {_MAX_EXIF_BYTES:,}."}
    elif (exif := _exif_of(image, texts.exif)) is not None:
        is_little_endian = getattr(exif, "endian", None) == "<"
        fields = _decoded(
            _named(exif, ExifTags.TAGS) | _named(_directory(exif, ExifTags.IFD.Exif), ExifTags.TAGS),
            is_little_endian,
        )
        place = _named(_directory(exif, ExifTags.IFD.GPSInfo), ExifTags.GPSTAGS)
        raw = {name: json_safe(value) for name, value in fields.items() if name not in _STRUCTURE}
    stated = [read_xmp(_xmp_of(image, texts)), read_iptc(_iptc_of(image, texts)), _stated_by(texts)]
    return Metadata(exif=_normalise(fields, stated), raw=raw, gps=_gps(place) or _stated_place(stated))


def _xmp_of(image: Image.Image, texts: PngTexts) -> bytes | str | None:
    packet = texts.xmp or image.info.get("xmp") or getattr(image, "tag_v2", {}).get(700)
    return packet if isinstance(packet, bytes | str) else None


def _iptc_of(image: Image.Image, texts: PngTexts) -> bytes | None:
    """In a JPEG inside Photoshop's resources, in a TIFF also on its own, in a PNG as a text."""
    resources = image.info.get("photoshop")
    if isinstance(resources, Mapping):
        block = resources.get(0x0404)
        return block if isinstance(block, bytes) else None
    tags = getattr(image, "tag_v2", {})
    for block in (texts.iptc, tags.get(33723), tags.get(34377)):
        if isinstance(block, bytes) and block:
            return iptc_of_photoshop(block) if block.startswith(b"8BIM") else block
    return None


def _stated_by(texts: PngTexts) -> Stated:
    """The keywords that the PNG specification names."""
    names = {
        "artist": "Author",
        "copyright": "Copyright",
        "description": "Description",
        "title": "Title",
        "software": "Software",
    }
    found = {name: clean(texts.words[word]).strip() for name, word in names.items() if word in texts.words}
    taken = texts.words.get("Creation Time")
    return Stated(texts={name: text for name, text in found.items() if text}, taken=(taken,) if taken else ())


def _exif_of(image: Image.Image, png_block: bytes | None) -> Image.Exif | None:
    try:
        if png_block:  # perhaps behind the pixels
            exif = Image.Exif()
            exif.load(png_block)
            return exif
        # The base class: a PNG would otherwise be decoded in search of a chunk behind its pixels.
        return Image.Image.getexif(image)
    except MemoryError:
        raise
    except Exception:  # hostile bytes raise anything
        return None


def _directory(exif: Image.Exif, ifd: int) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(ifd)
    except MemoryError:
        raise
    except Exception:
        return {}


def _named(directory: Mapping[int, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """Fields by name; a field that cannot be read is left out, the others stay."""
    fields: dict[str, Any] = {}
    for tag in list(directory)[:_MAX_ENTRIES]:
        try:
            fields[names.get(tag, f"Tag{tag}")] = directory[tag]
        except MemoryError:
            raise
        except Exception:
            continue
    return fields


def _decoded(fields: Mapping[str, Any], is_little_endian: bool) -> dict[str, Any]:
    """The fields with every text in the encoding that it is in, up to where it ends."""
    return {name: _decoded_value(name, value, is_little_endian) for name, value in fields.items()}


def _decoded_value(name: str, value: Any, is_little_endian: bool) -> Any:
    if name.startswith("XP") and isinstance(value, bytes | tuple):
        try:
            return utf16(bytes(value), is_little_endian=True)  # Windows writes no other
        except (TypeError, ValueError):
            return value
    if name == "UserComment" and isinstance(value, bytes):
        text = comment(value, is_little_endian=is_little_endian)
        return value if text is None else text
    if name == "Copyright" and isinstance(value, str):
        return copyright_text(as_utf8(value))
    return value


def _normalise(fields: Mapping[str, Any], stated: Iterable[Stated]) -> dict[str, Any]:
    exposure_s = _number(fields.get("ExposureTime"), above=0)
    flash = _number(fields.get("Flash"))
    words: dict[str, str | None] = {
        "camera_make": _text(fields.get("Make")),
        "camera_model": _text(fields.get("Model")),
        "lens": _text(fields.get("LensModel")),
        "software": _text(fields.get("Software")),
        "artist": _text(fields.get("Artist")) or _text(fields.get("XPAuthor")),
        "copyright": _text(fields.get("Copyright")),
        "description": _text(fields.get("ImageDescription")),
        "title": _text(fields.get("XPTitle")),
        "comment": _text(fields.get("UserComment")) or _text(fields.get("XPComment")),
    }
    for other in stated:
        words |= {name: text for name, text in other.texts.items() if not words.get(name)}
    values = {
        "camera_make": words["camera_make"],
        "camera_model": words["camera_model"],
        "camera": _camera(words["camera_make"], words["camera_model"]),
        "lens": words["lens"],
        "exposure_time_s": exposure_s,
        "exposure": _exposure(exposure_s),
        "f_number": _number(fields.get("FNumber"), above=0),
        "iso": _number(fields.get("ISOSpeedRatings", fields.get("PhotographicSensitivity")), above=0),
        "focal_length_mm": _number(fields.get("FocalLength"), above=0),
        "focal_length_35mm": _number(fields.get("FocalLengthIn35mmFilm"), above=0),
        "flash_fired": None if flash is None else bool(int(flash) & _FLASH_FIRED),
        "captured_at": _captured_at(fields, stated),
        "orientation": _number(fields.get("Orientation")),
        "software": words["software"],
        "artist": words["artist"],
        "copyright": words["copyright"],
        "description": words["description"],
        "title": words["title"],
        "comment": words["comment"],
    }
    return {name: value for name, value in values.items() if value not in (None, "")}


def _camera(make: str | None, model: str | None) -> str | None:
    """Maker and model in one line; many models repeat the maker."""
    if make and model and not model.lower().startswith(make.lower()):
        return f"{make} {model}"
    return model or make


def _exposure(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"1/{round(1 / seconds)} s" if 1e-9 < seconds <= 0.5 else f"{seconds:g} s"


def _captured_at(fields: Mapping[str, Any], stated: Iterable[Stated]) -> str | None:
    """ISO 8601 time of the exposure, with its UTC offset where one is written; the best source first."""

    def of_exif(name: str, offset: str) -> tuple[str | None, str | None]:
        return _text(fields.get(name)), _text(fields.get(offset))

    return first_moment(
        [
            of_exif("DateTimeOriginal", "OffsetTimeOriginal"),
            *((text, None) for other in stated for text in other.taken),
            of_exif("DateTimeDigitized", "OffsetTimeDigitized"),
            *((text, None) for other in stated for text in other.digitized),
            of_exif("DateTime", "OffsetTime"),
        ]
    )


def _gps(place: Mapping[str, Any]) -> dict[str, Any] | None:
    latitude = _degrees(place.get("GPSLatitude"), place.get("GPSLatitudeRef"), limit=90)
    longitude = _degrees(place.get("GPSLongitude"), place.get("GPSLongitudeRef"), limit=180)
    if latitude is None or longitude is None or (latitude, longitude) == NO_PLACE:
        return None
    altitude = _number(place.get("GPSAltitude"))
    reference = place.get("GPSAltitudeRef")
    is_below_sea = (reference[:1] if isinstance(reference, bytes) else reference) in _BELOW_SEA
    values = {
        "latitude": latitude,
        "longitude": longitude,
        "altitude_m": -altitude if altitude is not None and is_below_sea else altitude,
        "timestamp": _gps_time(place),
    }
    return {name: value for name, value in values.items() if value is not None}


def _degrees(parts: Any, reference: Any, *, limit: int) -> float | None:
    """Degrees, minutes and seconds to signed degrees; None where they make no place on Earth."""
    numbers = _numbers(parts)
    if not 1 <= len(numbers) <= 3:
        return None
    degrees = sum(number / 60.0**power for power, number in enumerate(numbers))
    if not 0 <= degrees <= limit:
        return None
    letter = (_text(reference) or "N")[0].upper()  # `s` and `South` are written too
    return round(-degrees if letter in "SW" else degrees, 7)


def _stated_place(stated: Iterable[Stated]) -> dict[str, Any] | None:
    for other in stated:
        latitude, longitude = other.latitude, other.longitude
        if latitude is None or longitude is None or (latitude, longitude) == NO_PLACE:
            continue
        if abs(latitude) <= 90 and abs(longitude) <= 180:
            altitude = {} if other.altitude_m is None else {"altitude_m": _number(other.altitude_m)}
            return {"latitude": latitude, "longitude": longitude, **altitude}
    return None


def _gps_time(place: Mapping[str, Any]) -> str | None:
    clock = _numbers(place.get("GPSTimeStamp"))
    if len(clock) != 3:
        return None
    text = "{} {:02d}:{:02d}:{:02d}Z".format(_text(place.get("GPSDateStamp")), *(int(part) for part in clock))
    found = moment(text)
    return found and found.replace("+00:00", "Z")


def _numbers(values: Any) -> list[float]:
    """All numbers of a field; empty where one of them is none."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        values = [values]
    numbers = [_number(value) for value in values]
    return [] if None in numbers else [number for number in numbers if number is not None]


def _number(value: Any, *, above: float = -math.inf) -> float | None:
    """A finite int or float; rationals with a zero denominator and other oddities give None."""
    if isinstance(value, tuple | list) and len(value) > 0:
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not math.isfinite(number) or number <= above or isinstance(value, str | bytes):
        return None
    whole: int = int(number)
    return whole if whole == number and abs(whole) < 2**63 else round(number, 9)


def _text(value: Any) -> str | None:
    text = json_safe(value) if isinstance(value, str | bytes) else None
    return text.strip() or None if isinstance(text, str) else None
