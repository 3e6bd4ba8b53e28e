"""Read EXIF: a normalised form with readable names, everything else as JSON, the place kept apart."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from processing.algorithms.codecs.json_safe import json_safe
from processing.algorithms.codecs.probing import DEFAULT_LIMITS, Limits, open_image

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
    """Read EXIF of an image file; broken EXIF gives what can be read, never an error.

    All values are JSON that PostgreSQL takes: finite numbers, no NUL characters, bounded length and depth.

    Raises:
        ProcessingError: only where the file itself is no acceptable image.
    """
    image = open_image(stream, limits=limits)[0]
    block = image.info.get("exif") or b""  # pillow-heif says None where there is no block
    if len(block) > _MAX_EXIF_BYTES:
        return Metadata(
            raw={"ignored": f"The EXIF block has {len(block):,} bytes; the limit is {_MAX_EXIF_BYTES:,}."}
        )
    exif = _exif_of(image)
    if exif is None:
        return Metadata()
    fields = _named(exif, ExifTags.TAGS) | _named(_directory(exif, ExifTags.IFD.Exif), ExifTags.TAGS)
    place = _named(_directory(exif, ExifTags.IFD.GPSInfo), ExifTags.GPSTAGS)
    raw = {name: json_safe(value) for name, value in fields.items() if name not in _STRUCTURE}
    return Metadata(exif=_normalise(fields), raw=raw, gps=_gps(place))


def _exif_of(image: Image.Image) -> Image.Exif | None:
    try:
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


def _normalise(fields: Mapping[str, Any]) -> dict[str, Any]:
    exposure_s = _number(fields.get("ExposureTime"), above=0)
    flash = _number(fields.get("Flash"))
    values = {
        "camera_make": _text(fields.get("Make")),
        "camera_model": _text(fields.get("Model")),
        "camera": _camera(_text(fields.get("Make")), _text(fields.get("Model"))),
        "lens": _text(fields.get("LensModel")),
        "exposure_time_s": exposure_s,
        "exposure": _exposure(exposure_s),
        "f_number": _number(fields.get("FNumber"), above=0),
        "iso": _number(fields.get("ISOSpeedRatings", fields.get("PhotographicSensitivity")), above=0),
        "focal_length_mm": _number(fields.get("FocalLength"), above=0),
        "focal_length_35mm": _number(fields.get("FocalLengthIn35mmFilm"), above=0),
        "flash_fired": None if flash is None else bool(int(flash) & _FLASH_FIRED),
        "captured_at": _captured_at(fields),
        "orientation": _number(fields.get("Orientation")),
        "software": _text(fields.get("Software")),
        "artist": _text(fields.get("Artist")),
        "copyright": _text(fields.get("Copyright")),
        "description": _text(fields.get("ImageDescription")),
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


def _captured_at(fields: Mapping[str, Any]) -> str | None:
    """ISO 8601 time of the exposure, with its UTC offset where the camera wrote one (EXIF 2.31)."""
    for name, offset in (
        ("DateTimeOriginal", "OffsetTimeOriginal"),
        ("DateTimeDigitized", "OffsetTimeDigitized"),
        ("DateTime", "OffsetTime"),
    ):
        text, zone = _text(fields.get(name)), _text(fields.get(offset))
        for candidate, form in ((f"{text}{zone}", "%Y:%m:%d %H:%M:%S%z"), (f"{text}", "%Y:%m:%d %H:%M:%S")):
            try:
                return datetime.strptime(candidate, form).isoformat()
            except (ValueError, OverflowError):
                continue
    return None


def _gps(place: Mapping[str, Any]) -> dict[str, Any] | None:
    latitude = _degrees(place.get("GPSLatitude"), place.get("GPSLatitudeRef"), limit=90)
    longitude = _degrees(place.get("GPSLongitude"), place.get("GPSLongitudeRef"), limit=180)
    if latitude is None or longitude is None:
        return None
    altitude = _number(place.get("GPSAltitude"))
    is_below_sea = place.get("GPSAltitudeRef") in (1, b"\x01")
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
    return round(-degrees if _text(reference) in ("S", "W") else degrees, 7)


def _gps_time(place: Mapping[str, Any]) -> str | None:
    clock = _numbers(place.get("GPSTimeStamp"))
    if len(clock) != 3:
        return None
    text = "{} {:02.0f}:{:02.0f}:{:02.0f}".format(
        _text(place.get("GPSDateStamp")), *(int(part) for part in clock)
    )
    try:
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S").isoformat() + "Z"
    except ValueError:
        return None


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
