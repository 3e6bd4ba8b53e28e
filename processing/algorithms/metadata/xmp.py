"""Read XMP and IPTC: dates, places and texts that stand outside of EXIF."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from processing.algorithms.metadata.json_safe import clean
from processing.algorithms.metadata.texts import decoded

_MAX_BYTES = 1024 * 1024
_MAX_PROPERTIES = 500
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_PREFIXES = {
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
}
_COORDINATE = re.compile(r"\s*(-?\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?\s*([NSEWnsew]?)\s*")
_IPTC = 0x0404
_IPTC_NAMES = {5: "title", 55: "date", 60: "time", 80: "artist", 116: "copyright", 120: "description"}


@dataclass(frozen=True)
class Stated:
    """What one kind of metadata states beside EXIF.

    Attributes:
        texts: artist, copyright, description, title, software, camera_make, camera_model, lens.
        taken: dates of the exposure, the best first, as they are written.
        digitized: dates of the first digital copy.
        latitude, longitude: signed degrees, or None.
        altitude_m: above the sea, or None.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    taken: tuple[str, ...] = ()
    digitized: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None


def read_xmp(packet: bytes | str | None) -> Stated:
    """What an XMP packet states; a broken one, or one with entities of its own, states nothing.

    Source: ISO 16684-1; the namespaces exif, tiff, photoshop, dc, xmp and aux.
    """
    properties = _properties(packet)
    texts = {
        "artist": ("dc:creator", "tiff:Artist"),
        "copyright": ("dc:rights", "tiff:Copyright"),
        "description": ("dc:description", "tiff:ImageDescription"),
        "title": ("dc:title", "photoshop:Headline"),
        "software": ("xmp:CreatorTool", "tiff:Software"),
        "camera_make": ("tiff:Make",),
        "camera_model": ("tiff:Model",),
        "lens": ("aux:Lens", "exifEX:LensModel"),
    }
    return Stated(
        texts=_chosen(properties, texts),
        taken=_present(properties, ("exif:DateTimeOriginal", "photoshop:DateCreated", "dcterms:created")),
        digitized=_present(properties, ("exif:DateTimeDigitized", "xmp:CreateDate")),
        latitude=_degrees(properties.get("exif:GPSLatitude")),
        longitude=_degrees(properties.get("exif:GPSLongitude")),
        altitude_m=_altitude(properties),
    )


def read_iptc(block: bytes | None) -> Stated:
    """What an IPTC block (IIM 4.2, record 2) states."""
    found: dict[str, str] = {}
    for dataset, value in _datasets(block or b""):
        name = _IPTC_NAMES.get(dataset)
        if name is not None and (text := clean(decoded(value)).strip()):
            found.setdefault(name, text)
    date, time = found.pop("date", None), found.pop("time", None)
    return Stated(texts=found, taken=(f"{date} {time}" if time else date,) if date else ())


def iptc_of_photoshop(block: bytes) -> bytes | None:
    """The IPTC block inside Photoshop's image resources (8BIM, resource 0x0404)."""
    position = 0
    while block[position : position + 4] == b"8BIM":
        number = int.from_bytes(block[position + 4 : position + 6], "big")
        name_bytes = block[position + 6] + 1 if position + 6 < len(block) else 1
        start = position + 6 + name_bytes + name_bytes % 2
        size = int.from_bytes(block[start : start + 4], "big")
        if number == _IPTC:
            return block[start + 4 : start + 4 + size]
        position = start + 4 + size + size % 2
    return None


def _properties(packet: bytes | str | None) -> dict[str, str]:
    data = packet.encode() if isinstance(packet, str) else packet or b""
    data = data.strip(b"\x00 \r\n\t")
    # Entities are what makes XML dangerous; XMP forbids them. Their mark may hide in UTF-16.
    if not data or len(data) > _MAX_BYTES or b"<!" in data.replace(b"\x00", b"").replace(b"<!--", b""):
        return {}
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    found: dict[str, str] = {}
    for description in root.iter(f"{_RDF}Description"):
        for key, value in [*description.attrib.items(), *((part.tag, _value(part)) for part in description)]:
            name = _short(key)
            if name is not None and value and len(found) < _MAX_PROPERTIES:
                found.setdefault(name, clean(value).strip())
    return {name: value for name, value in found.items() if value}


def _value(element: ElementTree.Element) -> str:
    """The text of a property; of a list the items in one line, of alternatives the first (the default)."""
    items = [text for item in element.iter(f"{_RDF}li") if (text := (item.text or "").strip())]
    if not items:
        return (element.text or "").strip()
    return items[0] if element.find(f"{_RDF}Alt") is not None else ", ".join(items)


def _short(key: str) -> str | None:
    space, _, name = key.removeprefix("{").partition("}")
    prefix = _PREFIXES.get(space)
    return f"{prefix}:{name}" if prefix else None


def _chosen(properties: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found = {name: _present(properties, keys) for name, keys in wanted.items()}
    return {name: values[0] for name, values in found.items() if values}


def _present(properties: Mapping[str, str], keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(properties[key] for key in keys if key in properties)


def _degrees(text: str | None) -> float | None:
    """`48,30.5N` and `48,30,30N` (XMP), also signed decimal degrees."""
    found = _COORDINATE.fullmatch(text or "")
    if found is None:
        return None
    degrees, minutes, seconds = (float(part or 0) for part in found.groups()[:3])
    size = abs(degrees) + minutes / 60 + seconds / 3600
    is_negative = degrees < 0 or found[4].upper() in ("S", "W")
    return round(-size if is_negative else size, 7)


def _altitude(properties: Mapping[str, str]) -> float | None:
    above, _, below = properties.get("exif:GPSAltitude", "").partition("/")
    try:
        metres = float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return None
    if not abs(metres) < 1e6:
        return None
    return -metres if properties.get("exif:GPSAltitudeRef") == "1" else metres


def _datasets(block: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 5 <= len(block) and block[position] == 0x1C:
        size = int.from_bytes(block[position + 3 : position + 5], "big")
        if size & 0x8000:  # an extended dataset: no text is that long
            return
        if block[position + 1] == 2:
            yield block[position + 2], block[position + 5 : position + 5 + size]
        position += 5 + size
