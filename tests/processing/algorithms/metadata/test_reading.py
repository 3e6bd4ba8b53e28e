"""EXIF: readable names, the place apart, and nothing that JSON or PostgreSQL refuses."""

import io
import json
import re
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from processing.algorithms.errors import ProcessingError
from processing.algorithms.metadata.json_safe import json_safe
from processing.algorithms.metadata.moments import moment
from processing.algorithms.metadata.reading import Metadata, read_metadata
from tests.processing.algorithms.pictures import file_of, png_chunk, real_folder, scene

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")
Base, GPS = ExifTags.Base, ExifTags.GPS


def photo(
    main: dict, exif_ifd: dict | None = None, gps: dict | None = None, format: str = "JPEG"
) -> io.BytesIO:
    exif = Image.Exif()
    exif.update(main)
    exif.get_ifd(ExifTags.IFD.Exif).update(exif_ifd or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    return file_of(scene(), format, exif=exif)


CAMERA = {
    Base.Make: "Canon",
    Base.Model: "Canon EOS R5",
    Base.Orientation: 1,
    Base.DateTime: "2024:01:01 00:00:00",
}
EXPOSURE = {
    Base.ExposureTime: IFDRational(1, 250),
    Base.FNumber: IFDRational(28, 10),
    Base.ISOSpeedRatings: 400,
    Base.FocalLength: IFDRational(50),
    Base.Flash: 16,
    Base.LensModel: "RF50mm F1.8",
    Base.DateTimeOriginal: "2023:06:01 12:30:45",
    Base.OffsetTimeOriginal: "+02:00",
    Base.MakerNote: b"secret place" * 10,
}
BERLIN = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (IFDRational(52), IFDRational(30), IFDRational(36)),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (IFDRational(13), IFDRational(24), IFDRational(0)),
    GPS.GPSAltitudeRef: b"\x01",
    GPS.GPSAltitude: IFDRational(34),
    GPS.GPSTimeStamp: (IFDRational(10), IFDRational(30), IFDRational(5)),
    GPS.GPSDateStamp: "2023:06:01",
}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_read_metadata_normalises(format: str) -> None:
    found = read_metadata(photo(CAMERA, EXPOSURE, BERLIN, format))
    assert found.exif.pop("orientation", 1) == 1  # AVIF states it elsewhere
    assert found.exif == {
        "camera_make": "Canon",
        "camera_model": "Canon EOS R5",
        "camera": "Canon EOS R5",
        "lens": "RF50mm F1.8",
        "exposure_time_s": 0.004,
        "exposure": "1/250 s",
        "f_number": 2.8,
        "iso": 400,
        "focal_length_mm": 50,
        "flash_fired": False,
        "captured_at": "2023-06-01T12:30:45+02:00",
    }
    assert found.gps == {
        "latitude": 52.51,
        "longitude": -13.4,
        "altitude_m": -34,
        "timestamp": "2023-06-01T10:30:05Z",
    }
    assert found.raw["FNumber"] == 2.8
    assert not {"GPSInfo", "MakerNote", "GPSLatitude"} & set(found.raw)
    assert "secret place" not in json.dumps(found.raw)


def test_read_metadata_without_exif_is_empty() -> None:
    assert read_metadata(file_of(scene())) == Metadata()


def test_read_metadata_of_a_tiff_leaves_out_its_layout() -> None:
    found = read_metadata(file_of(scene(), "TIFF"))
    assert found.raw["ImageWidth"] == 64
    assert not {"StripOffsets", "StripByteCounts"} & set(found.raw)


@pytest.mark.parametrize(
    ("main", "exif_ifd"),
    [
        ({Base.Make: "A\x00B", Base.Model: "\ud800".encode("utf-16", "surrogatepass").decode("latin-1")}, {}),
        ({}, {Base.ExposureTime: IFDRational(1, 0), Base.FNumber: IFDRational(0, 0)}),
        ({}, {Base.DateTimeOriginal: "0000:00:00 00:00:00"}),
        ({}, {Base.DateTimeOriginal: "not a date", Base.OffsetTimeOriginal: "+99:99"}),
        ({Base.Software: "x" * 60_000}, {Base.UserComment: b"ASCII\x00\x00\x00hello\x00\x00"}),
        ({Base.ImageDescription: "Grüße"}, {Base.UserComment: bytes(range(256))}),
    ],
)
def test_read_metadata_is_json_that_postgresql_takes(main: dict, exif_ifd: dict) -> None:
    found = read_metadata(photo(main, exif_ifd))
    words = json.dumps([found.exif, found.raw, found.gps], allow_nan=False)
    assert "\\u0000" not in words
    assert "\\ud8" not in words
    assert len(words) < 10_000
    assert "captured_at" not in found.exif


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff" + b"\xff" * 500,
        # the sub-directory points to its own parent
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00"
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + b"\x08\x00\x00\x00",
        # a text that claims 4 GB
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00"
        + struct.pack("<HHII", 0x010F, 2, 2**32 - 1, 8)
        + b"\0" * 4,
    ],
)
def test_read_metadata_survives_broken_exif(block: bytes) -> None:
    found = read_metadata(file_of(scene(), "JPEG", exif=block))
    assert found.gps is None
    json.dumps(found.raw, allow_nan=False)


def test_read_metadata_ignores_a_giant_block_and_says_so() -> None:
    block = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + b"\0" * 2_000_000
    found = read_metadata(file_of(scene(), exif=block))
    assert "the limit is 1,048,576" in found.raw["ignored"]


@pytest.mark.parametrize(
    "gps",
    [
        {GPS.GPSLatitude: (IFDRational(1, 0),) * 3, GPS.GPSLongitude: (IFDRational(1),) * 3},
        {GPS.GPSLatitude: (IFDRational(91),), GPS.GPSLongitude: (IFDRational(1),)},
        {GPS.GPSLatitude: (IFDRational(1),)},
        {GPS.GPSAltitude: IFDRational(5)},
        {GPS.GPSLatitude: (IFDRational(0),) * 3, GPS.GPSLongitude: (IFDRational(0),) * 3},
    ],
)
def test_read_metadata_no_place_from_nonsense(gps: dict) -> None:
    assert read_metadata(photo({}, {}, gps)).gps is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (IFDRational(1, 0), None),
        (IFDRational(1, 2), 0.5),
        (2**70, None),
        ("a\ud800\x01c\x00junk", "ac"),
        ("JÃ¼rgen", "Jürgen"),
        ("Caf\xe9", "Café"),
        (b"UNICODE\x00" + "Grüße".encode("utf-16-be"), "Grüße"),
        (b"text\x00", "text"),
        (b"\xff\xfe\x00", "<3 bytes>"),
        ((1, (2, (3, (4, (5, 6))))), [1, [2, [3, [4, None]]]]),
        ({1: {"a\x00b": b"x"}}, {"1": {"a": "x"}}),
        (list(range(500)), list(range(100))),
        ("x" * 5_000, "x" * 1_000),
        (object(), None),
        (True, True),
        (None, None),
    ],
)
def test_json_safe(value: Any, expected: Any) -> None:
    assert json_safe(value) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (("2024:03:05 10:20:30", "-5:00"), "2024-03-05T10:20:30-05:00"),
        (("2024:03:05 10:20:30", "+0530"), "2024-03-05T10:20:30+05:30"),
        (("2024:03:05 10:20:30", "+2"), "2024-03-05T10:20:30+02:00"),
        (("2024:03:05 10:20:30", "Z"), "2024-03-05T10:20:30+00:00"),
        (("2024:03:05 10:20:30", "   :  "), "2024-03-05T10:20:30"),
        (("2024:03:05 10:20:30", "+99:99"), "2024-03-05T10:20:30"),
        (("2015:02:01 14:42:59+01:00", "-05:00"), "2015-02-01T14:42:59+01:00"),
        (("2015:02:01 14:42:59.123", ""), "2015-02-01T14:42:59"),
        (("2015-02-01T14:42:59.5Z", ""), "2015-02-01T14:42:59+00:00"),
        (("2015/02/01 14:42:59", ""), "2015-02-01T14:42:59"),
        (("2015.02.01 14:42", ""), "2015-02-01T14:42:00"),
        (("2015:02:01", ""), "2015-02-01T00:00:00"),
        (("20150201 144259+0100", ""), "2015-02-01T14:42:59+01:00"),
        (("2015:02:01 24:12:30", ""), "2015-02-01T00:12:30"),
        (("2015:02:01 02:42:59 PM", ""), "2015-02-01T14:42:59"),
        (("2015:02:01 12:42:59 am", ""), "2015-02-01T00:42:59"),
        (("Sun, 01 Feb 2015 14:42:59 +0100", ""), "2015-02-01T14:42:59+01:00"),
        (("0001:01:01 00:00:00", "+02:00"), None),
        (("9999:12:31 23:59:59", "-05:00"), None),
        (("0000:00:00 00:00:00", ""), None),
        (("2015:13:01 14:42:59", ""), None),
        (("2015:02:30 14:42:59", ""), None),
        (("    :  :     :  :  ", ""), None),
        (("yesterday", ""), None),
        ((None, None), None),
    ],
)
def test_moment_reads_what_cameras_write(fields: tuple[str | None, str | None], expected: str | None) -> None:
    assert moment(*fields) == expected


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [("S", "W", (-33.85, -70.5)), ("s", "w", (-33.85, -70.5)), ("South", " west", (-33.85, -70.5))]
    + [("North", "East", (33.85, 70.5)), ("n", "e", (33.85, 70.5)), ("", "", (33.85, 70.5))],
)
def test_the_hemisphere_is_read_by_its_first_letter(latitude: str, longitude: str, expected: tuple) -> None:
    found = read_metadata(
        photo(
            {},
            {},
            {
                GPS.GPSLatitudeRef: latitude,
                GPS.GPSLatitude: (IFDRational(33), IFDRational(51), IFDRational(0)),
                GPS.GPSLongitudeRef: longitude,
                GPS.GPSLongitude: (IFDRational(70), IFDRational(30), IFDRational(0)),
            },
        )
    )
    assert found.gps == {"latitude": expected[0], "longitude": expected[1]}


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_texts_are_read_in_the_encoding_they_name(order: str) -> None:
    found = read_metadata(
        photo(
            {
                Base.Artist: "Jürgen Müller".encode(),
                Base.Model: "X100\x00junk\x01\x02",
                Base.Copyright: "Ann \x00Bob\x00junk",
                0x9C9B: "Größe\x00".encode("utf-16-le"),
            },
            {Base.UserComment: b"UNICODE\x00" + "Grüße".encode(order)},
        )
    )
    expected = {"artist": "Jürgen Müller", "camera_model": "X100", "copyright": "Ann\nBob"}
    expected |= {"title": "Größe", "comment": "Grüße"}
    assert {name: found.exif[name] for name in expected} == expected
    assert (found.raw["UserComment"], found.raw["XPTitle"]) == ("Grüße", "Größe")


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' exif:DateTimeOriginal="2020-05-06T07:08:09+02:00" exif:GPSLatitude="48,30.0N" exif:GPSLongitude="9,15,0W"'
    ' exif:GPSAltitude="500/2"><dc:creator><rdf:Seq><rdf:li>Jürgen</rdf:li><rdf:li>Ann</rdf:li></rdf:Seq>'
    '</dc:creator><dc:title><rdf:Alt><rdf:li xml:lang="x-default">A hill</rdf:li></rdf:Alt></dc:title>'
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
).encode()


def _with_xmp(format: str) -> io.BytesIO:
    if format != "PNG":
        return file_of(scene(), format, xmp=XMP)
    data = file_of(scene()).getvalue()
    end = data.rindex(b"IEND") - 4  # exiftool writes it behind the pixels
    return io.BytesIO(data[:end] + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + data[end:])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_xmp_fills_in_what_exif_does_not_state(format: str) -> None:
    found = read_metadata(_with_xmp(format))
    expected = {"captured_at": "2020-05-06T07:08:09+02:00", "artist": "Jürgen, Ann", "title": "A hill"}
    assert {name: found.exif[name] for name in expected} == expected
    assert found.gps == {"latitude": 48.5, "longitude": -9.25, "altitude_m": 250}
    assert "GPS" not in json.dumps(found.raw)


def test_exif_wins_over_xmp() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[Base.DateTimeOriginal] = "2019:01:01 00:00:00"
    found = read_metadata(file_of(scene(), "JPEG", exif=exif, xmp=XMP))
    assert (found.exif["captured_at"], found.exif["artist"]) == ("2019-01-01T00:00:00", "Jürgen, Ann")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<x",
        XMP[:300],
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + XMP,
        XMP.decode().encode("utf-16") + b"\xff",
        XMP.replace(b"48,30.0N", b"480,30.0N").replace(b"2020-05", b"0001-01"),
    ],
)
def test_broken_xmp_states_nothing(packet: bytes) -> None:
    found = read_metadata(file_of(scene(), "JPEG", xmp=packet))
    assert found.gps is None
    assert "captured_at" not in found.exif


def test_iptc_fills_in_what_neither_states() -> None:
    sets = {55: b"20200506", 60: b"070809+0200", 80: "Jürgen".encode(), 120: b"Caf\xe9"}
    block = b"".join(b"\x1c\x02" + struct.pack(">BH", key, len(text)) + text for key, text in sets.items())
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    data = b"Photoshop 3.0\0" + resource
    segment = b"\xff\xed" + struct.pack(">H", len(data) + 2) + data
    stream = file_of(scene(), "JPEG").getvalue()
    found = read_metadata(io.BytesIO(stream[:2] + segment + stream[2:]))
    assert found.exif == {
        "captured_at": "2020-05-06T07:08:09+02:00",
        "artist": "Jürgen",
        "description": "Café",
    }


def test_png_keywords_fill_in_the_rest() -> None:
    words = PngInfo()
    words.add_text("Creation Time", "2015:02:01 14:42:59")
    words.add_itxt("Author", "Jürgen", zip=True)
    found = read_metadata(file_of(scene(), pnginfo=words))
    assert found.exif == {"captured_at": "2015-02-01T14:42:59", "artist": "Jürgen"}


TEXT = st.text(max_size=40) | st.from_regex(
    r"[0-9]{4}[:\-][0-9]{2}[:\-][0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([+\-][0-9]{1,2}:[0-9]{2})?",
    fullmatch=True,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(taken=TEXT, offset=TEXT, words=TEXT, comment=st.binary(max_size=40), degrees=st.floats(-400, 400))
def test_no_metadata_make_a_row_that_cannot_be_read(
    taken: str, offset: str, words: str, comment: bytes, degrees: float
) -> None:
    latin = [text.encode() for text in (taken, offset, words)]
    main = {Base.Artist: latin[2], Base.Copyright: latin[2], Base.DateTime: latin[0]}
    times = {Base.DateTimeOriginal: latin[0], Base.OffsetTimeOriginal: latin[1], Base.UserComment: comment}
    place = {
        GPS.GPSLatitude: (abs(degrees),),
        GPS.GPSLongitude: (abs(degrees),),
        GPS.GPSDateStamp: latin[0][:10],
        GPS.GPSTimeStamp: (23, 59, 59),
    }
    packet = XMP.replace(b"2020-05-06T07:08:09+02:00", escape(taken, {'"': "&quot;"}).encode())
    stream = photo(main, times, place)
    found = read_metadata(file_of(Image.open(stream), "JPEG", exif=Image.open(stream).getexif(), xmp=packet))
    assert_is_readable(found)


def assert_is_readable(found: Metadata) -> None:
    """JSON that PostgreSQL takes, and dates that stay within Python's years in every time zone."""
    text = json.dumps([found.exif, found.raw, found.gps], allow_nan=False)
    assert "\\u0000" not in text
    text.encode("utf-8")
    for value in (found.exif.get("captured_at"), (found.gps or {}).get("timestamp")):
        if value is not None:
            taken = datetime.fromisoformat(value)
            aware = taken if taken.tzinfo else taken.replace(tzinfo=UTC)
            for hours in (-15, 15):
                assert 1 <= aware.astimezone(timezone(timedelta(hours=hours))).year <= 9999


def test_public_files_are_read_as_exiftool_prints_them() -> None:
    """Every file of the public collections, field by field, where exiftool is installed."""
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed (Debian: libimage-exiftool-perl)")
    root = real_folder("odd_files").parent
    endings = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in endings)[:400]
    command = ["exiftool", "-json", "-n", "-charset", "UTF8", "-fast", "-m", "-q", *map(str, paths)]
    printed = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    differences = [line for row in printed for line in _differences(row)]
    assert differences == []


def _differences(row: dict[str, Any]) -> list[str]:
    try:
        with open(row["SourceFile"], "rb") as stream:
            found = read_metadata(stream)
    except ProcessingError:
        return []
    expected = {
        "camera_make": row.get("Make"),
        "camera_model": row.get("Model"),
        "artist": row.get("Artist"),
        "captured_at": row.get("DateTimeOriginal", "").replace("0000:00:00 00:00:00", ""),
        "latitude": row.get("GPSLatitude"),
        "longitude": row.get("GPSLongitude"),
    }
    ours = {**found.exif, **(found.gps or {})}
    return [
        f"{row['SourceFile']}: {name} is {ours.get(name)!r}, exiftool prints {value!r}"
        for name, value in expected.items()
        if value not in (None, "", 0) and not _is_same(ours.get(name), value)
    ]


def _is_same(ours: Any, printed: Any) -> bool:
    if isinstance(ours, float | int) and isinstance(printed, float | int):
        return abs(ours - printed) < 1e-5
    digits = [re.sub(r"\W", "", str(value)) for value in (ours, printed)]
    return str(ours).strip() == str(printed).strip() or digits[0].replace("T", "")[:14] == digits[1][:14]
