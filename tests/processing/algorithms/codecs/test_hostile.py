"""Files that were made to hurt: each is refused with a sentence, quickly and without memory, or harmless."""

import contextlib
import io
import pickle
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from processing.algorithms import errors
from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.encoding import encode
from processing.algorithms.codecs.probing import Limits, probe
from processing.algorithms.codecs.thumbnails import thumbnail
from tests.processing.algorithms.pictures import LIMITS, file_of, noise

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning"
)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + png_chunk(b"IEND", b"")
    )


def gif_with_frames(count: int) -> bytes:
    image = file_of(Image.new("P", (1, 1)), "GIF").getvalue()
    start = image.index(b"\x2c", 13)
    frame = image[start:-1]
    return image[:start] + frame * count + b"\x3b"


def apng_with_frames(count: int) -> bytes:
    data = file_of(noise(4, 4, 3)).getvalue()
    control = png_chunk(b"acTL", struct.pack(">II", count, 0))
    frame = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 4, 4, 0, 0, 1, 10, 0, 0))
    return data[:33] + control + frame + data[33:]


def webp_with_frames(count: int) -> bytes:
    frames = [Image.new("RGB", (2, 2), (i % 256, i // 256, 0)) for i in range(count)]
    return file_of(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, method=0
    ).getvalue()


def tiff_loop() -> bytes:
    """A TIFF whose last directory points back to its first."""
    data = bytearray(file_of(noise(4, 4), "TIFF").getvalue())
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    return bytes(data)


def tiff_with_pages(count: int) -> bytes:
    pages = [Image.new("L", (1, 1))] * count
    return file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:]).getvalue()


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", errors.NotAnImage, "empty"),
        (b"hello, I am called photo.jpg", errors.NotAnImage, "not an image"),
        (SVG, errors.UnsupportedFormat, "SVG"),
        (b"\xef\xbb\xbf  <svg></svg>", errors.UnsupportedFormat, "SVG"),
        (b"%PDF-1.7 ...", errors.UnsupportedFormat, "PDF"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", errors.UnsupportedFormat, "video"),
        (b"BM", errors.DamagedImage, "damaged"),
        (b"\xff\xd8\xff\xe0", errors.DamagedImage, "damaged"),
        (b"GIF89a\x01", errors.DamagedImage, "damaged"),
        (b"II*\x00\xff\xff\xff\xff", errors.DamagedImage, "damaged"),
        (b"RIFF\x04\x00\x00\x00WEBP", errors.DamagedImage, "damaged"),
        (b"\x00\x00\x00\x1cftypavif" + b"\x00" * 16, errors.DamagedImage, "damaged"),
        (b"\x00\x00\x00\x1cftypheic" + b"\x00" * 16, errors.DamagedImage, "damaged"),
        (png_bomb(16_000, 16_000), errors.ImageTooLarge, "256,000,000 pixels; the limit is 50,000,000"),
        (png_bomb(9_000, 9_000), errors.ImageTooLarge, "pixels"),
        (png_bomb(20_000, 1), errors.ImageTooLarge, "20000 × 1 px; the limit for each side is 16384"),
        (png_bomb(7_000, 7_000), errors.DamagedImage, "damaged"),
        (png_bomb(0, 5), errors.DamagedImage, "damaged"),
    ],
)
def test_decode_refuses(data: bytes, error: type[errors.ProcessingError], words: str) -> None:
    for read in (decode, lambda stream, limits: thumbnail(stream, size=64, limits=limits)):
        with pytest.raises(error, match=words) as caught:
            read(io.BytesIO(data), limits=LIMITS)
        assert caught.value.code == error.code
        assert caught.value.detail


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_decode_refuses_a_truncated_file(format: str, share: float) -> None:
    data = file_of(noise(64, 64, 3), format).getvalue()
    stream = io.BytesIO(data[: int(len(data) * share)])
    with pytest.raises(errors.DamagedImage):
        decode(stream, limits=LIMITS)
    with pytest.raises(errors.DamagedImage):
        thumbnail(stream, size=16, limits=LIMITS)


@pytest.mark.parametrize("make", [gif_with_frames, apng_with_frames, webp_with_frames, tiff_with_pages])
def test_probe_refuses_too_many_frames(make: Callable[[int], bytes]) -> None:
    assert probe(io.BytesIO(make(20)), limits=Limits(max_frames=20)).frame_count == 20
    with pytest.raises(errors.ImageTooLarge, match="too many frames. The limit is 20"):
        probe(io.BytesIO(make(21)), limits=Limits(max_frames=20))


@pytest.mark.parametrize("data", [gif_with_frames(300_000), apng_with_frames(2**31 - 1)])
def test_probe_stops_counting_at_the_limit(data: bytes) -> None:
    with pytest.raises(errors.ImageTooLarge, match="too many frames. The limit is 1,000"):
        probe(io.BytesIO(data), limits=Limits(max_bytes=len(data)))


def test_decode_refuses_a_gif_cut_off_in_a_later_frame() -> None:
    frames = [Image.fromarray(noise(32, 32, seed=seed)) for seed in range(3)]
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:]).getvalue()
    with pytest.raises(errors.DamagedImage, match="frame 3 is cut off"):
        decode(io.BytesIO(data[:-40]), limits=LIMITS)


def test_probe_tiff_loop_ends() -> None:
    assert probe(io.BytesIO(tiff_loop()), limits=LIMITS).frame_count == 1


def test_decode_bomb_needs_no_memory() -> None:
    tracemalloc.start()
    with pytest.raises(errors.ImageTooLarge):
        decode(io.BytesIO(png_bomb(16_000, 16_000)), limits=LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_decode_polyglot_is_harmless() -> None:
    script = b"<script>alert('x')</script>"
    data = file_of(noise(16, 16, 3)).getvalue() + script
    found = decode(io.BytesIO(data), limits=LIMITS)
    for format in ("png", "jpg", "webp", "avif", "tiff", "bmp"):
        assert b"script" not in encode(found.pixels, found.alpha, format=format)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_decode_survives_random_damage(format: str) -> None:
    """Either an image of the promised form or a ProcessingError: nothing else may come out."""
    data = file_of(noise(24, 24, 3), format).getvalue()
    random = np.random.default_rng(3)
    for _ in range(150):
        broken = bytearray(data)
        for position in random.integers(0, len(data), 4):
            broken[position] = random.integers(0, 256)
        with contextlib.suppress(errors.ProcessingError):
            found = decode(io.BytesIO(bytes(broken)), limits=Limits(max_pixels=1_000_000))
            assert found.pixels.dtype == np.uint8


def test_errors_survive_pickling() -> None:
    error = errors.InvalidParameter("width must be smaller", field="width")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.code, copy.detail, copy.field) == (
        errors.InvalidParameter,
        "invalid_parameter",
        "width must be smaller",
        "width",
    )
    custom = pickle.loads(pickle.dumps(errors.ProcessingError("The file is gone.", code="file_missing")))
    assert (custom.code, custom.detail) == ("file_missing", "The file is gone.")
