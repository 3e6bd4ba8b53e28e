"""The position leaves a file of any format; its size, its pixels and its other metadata stay."""

import contextlib
import io
import json
import shutil
import subprocess
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from processing.algorithms.errors import ProcessingError
from processing.algorithms.metadata.position import without_position
from tests.factories.pictures import camera_exif

pillow_heif.register_heif_opener()
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' exif:GPSLatitude="52,30.0N" dc:format="kept"><exif:GPSLongitude>13,15.0E</exif:GPSLongitude>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BIGTIFF", "HEIF", "AVIF")


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def saved(format: str) -> bytes:
    file = io.BytesIO()
    options = {"xmp": XMP} if format in ("JPEG", "WEBP", "HEIF", "AVIF") else {}
    if format == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=False)
        texts.add_itxt("XML:com.adobe.xmp", XMP.decode(), zip=True)
        options = {"pnginfo": texts}
    exif = camera_exif()
    if "TIFF" in format:  # Pillow writes no GPS IFD of an `Exif` into a TIFF
        options = {"tiffinfo": TiffImagePlugin.ImageFileDirectory_v2()}
        options["big_tiff"] = format == "BIGTIFF"
        options["tiffinfo"].update({0x110: "X100", 0x8825: dict(exif.get_ifd(0x8825))})
    else:
        options["exif"] = exif
    picture().save(file, format.removeprefix("BIG"), **options)
    return file.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_position_leaves_and_all_else_stays(format):
    data = saved(format)
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(without_position(data))) as after:
        assert before.getexif().get_ifd(0x8825)
        assert not after.getexif().get_ifd(0x8825)
        assert dict(after.getexif()) == {tag: v for tag, v in before.getexif().items() if tag != 0x8825}
        assert after.getexif().get_ifd(0x8769) == before.getexif().get_ifd(0x8769)
        assert np.array_equal(np.asarray(after), np.asarray(before))
    altered = without_position(data)
    assert len(altered) == len(data)
    assert b"GPSL" not in altered
    assert "TIFF" in format or b'dc:format="kept"' in altered
    assert without_position(altered) == altered


@pytest.mark.parametrize(
    "format", [format for format in FORMATS if format != "BIGTIFF"]
)  # it reads no GPS there
def test_exiftool_finds_no_position_and_nothing_wrong(format, tmp_path):
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    path = tmp_path / f"picture.{format.lower()}"

    def said(data: bytes) -> dict[str, str]:
        path.write_bytes(data)
        done = subprocess.run(["exiftool", "-j", "-G", str(path)], capture_output=True, check=True, text=True)
        return json.loads(done.stdout)[0]

    before, after = said(saved(format)), said(without_position(saved(format)))

    assert any("GPS" in name for name in before)
    assert not any("GPS" in name for name in after)
    assert [name for name in after if "Warning" in name or "Error" in name] == [
        name for name in before if "Warning" in name or "Error" in name
    ]
    assert after.get("EXIF:Model") == before.get("EXIF:Model")


def test_png_keeps_right_checksums():
    data = without_position(saved("PNG"))
    start = 8
    while start < len(data):
        size = int.from_bytes(data[start : start + 4], "big")
        checked = data[start + 4 : start + 8 + size]
        assert data[start + 8 + size : start + 12 + size] == zlib.crc32(checked).to_bytes(4, "big")
        start += 12 + size


def test_hostile_bytes_change_nothing_or_end():
    rng = np.random.default_rng(5)
    for seed in range(200):
        noise = bytearray(rng.integers(0, 256, 400, dtype=np.uint8).tobytes())
        noise[0:8] = b"II*\0\x08\0\0\0" if seed % 2 else b"MM\0*\0\0\0\x08"
        assert len(without_position(bytes(noise))) == 400
    plain = picture().tobytes()
    assert without_position(plain) == plain


@pytest.mark.parametrize(
    "unit",
    [
        b"<x:xmpmeta ",
        b"<a:GPSb>",
        b"<a:GPSb ",
        b'a:GPSb="',
        b":GPS",
        b"a-a-a-a-:GPS",
        b"II*\0\x08\0\0\0",
        b"MM\0+\0\x08\0\0",
    ],
)
def test_time_grows_with_the_size_of_hostile_files_only_evenly(unit):
    """Ten megabytes would take hours where it grows with the square."""
    data = unit * (4_000_000 // len(unit))

    with contextlib.suppress(ProcessingError):
        assert len(without_position(data)) == len(data)
