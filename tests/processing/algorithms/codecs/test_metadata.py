"""EXIF: readable names, the place apart, and nothing that JSON or PostgreSQL refuses."""

import io
import json
import struct
from typing import Any

import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from processing.algorithms.codecs.json_safe import json_safe
from processing.algorithms.codecs.metadata import Metadata, read_metadata
from tests.processing.algorithms.pictures import file_of, scene

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
        ("a\x00b\ud800c", "abc"),
        (b"text\x00", "text"),
        (b"\xff\xfe\x00", "<3 bytes>"),
        ((1, (2, (3, (4, (5, 6))))), [1, [2, [3, [4, None]]]]),
        ({1: {"a\x00": b"x"}}, {"1": {"a": "x"}}),
        (list(range(500)), list(range(100))),
        ("x" * 5_000, "x" * 1_000),
        (object(), None),
        (True, True),
        (None, None),
    ],
)
def test_json_safe(value: Any, expected: Any) -> None:
    assert json_safe(value) == expected
