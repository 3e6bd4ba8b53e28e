"""Pictures made in code, the same bytes on every run."""

import io
import zlib
from typing import Any

import numpy as np
from PIL import ExifTags, Image


def pixels(width: int = 64, height: int = 48, *, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Smooth colour with a little noise, uint8 (H, W, C) or (H, W): compresses and looks like a picture."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    phases = random.uniform(0, 6, (channels, 2))
    planes = [127 + 90 * np.sin(x / 9 + a) * np.cos(y / 7 + b) for a, b in phases]
    noisy = np.stack(planes, axis=-1) + random.normal(0, 4, (height, width, channels))
    result = noisy.clip(0, 255).astype(np.uint8)
    return result if channels > 1 else result[..., 0]


def photo(width: int = 64, height: int = 48, *, seed: int = 0) -> Image.Image:
    return Image.fromarray(pixels(width, height, seed=seed))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(width: int = 64, height: int = 48, *, seed: int = 0, exif: Image.Exif | None = None) -> bytes:
    options = {"exif": exif} if exif is not None else {}
    return encoded(photo(width, height, seed=seed), "JPEG", quality=90, **options)


def png(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed), "PNG")


def webp(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed), "WEBP", quality=85)


def avif(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed), "AVIF", quality=70)


def tiff(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed), "TIFF")


def bmp(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed), "BMP")


def gif(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed).quantize(64), "GIF")


def heic(width: int = 64, height: int = 48, *, seed: int = 0, exif: Image.Exif | None = None) -> bytes:
    from pillow_heif import from_pillow

    target = io.BytesIO()
    from_pillow(photo(width, height, seed=seed)).save(target, **({"exif": exif.tobytes()} if exif else {}))
    return target.getvalue()


def animated_gif(frames: int = 4, *, seed: int = 0) -> bytes:
    pictures = [photo(seed=seed + number).quantize(32) for number in range(frames)]
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=80, loop=0)


def animated_webp(frames: int = 4, *, seed: int = 0) -> bytes:
    pictures = [photo(seed=seed + number) for number in range(frames)]
    return encoded(pictures[0], "WEBP", save_all=True, append_images=pictures[1:], duration=80)


def png_16_bit(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    grey = pixels(width, height, seed=seed, channels=1).astype(np.uint16) * 257
    return encoded(Image.fromarray(grey), "PNG")


def grey_png(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(Image.fromarray(pixels(width, height, seed=seed, channels=1)), "PNG")


def transparent_png(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    """Half of it is transparent."""
    image = photo(width, height, seed=seed)
    alpha = np.zeros((height, width), np.uint8)
    alpha[:, width // 2 :] = 255
    image.putalpha(Image.fromarray(alpha))
    return encoded(image, "PNG")


def palette_png(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed).quantize(16), "PNG", transparency=0)


def one_bit_png(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed).convert("1"), "PNG")


def cmyk_jpeg(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    return encoded(photo(width, height, seed=seed).convert("CMYK"), "JPEG", quality=90)


def camera_exif(*, orientation: int = 1, gps: bool = True) -> Image.Exif:
    """What a camera writes: make, model, time, exposure, and where it was."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Pix"
    exif[ExifTags.Base.Model] = "Pix One"
    exif[ExifTags.Base.Orientation] = orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    details[ExifTags.Base.ExposureTime] = 0.01
    details[ExifTags.Base.FNumber] = 2.8
    if gps:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (52.0, 30.0, 0.0)
        place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (13.0, 15.0, 0.0)
    return exif


def camera_jpeg(width: int = 64, height: int = 48, *, seed: int = 0, orientation: int = 1) -> bytes:
    return jpeg(width, height, seed=seed, exif=camera_exif(orientation=orientation))


def bomb_png(side: int = 30_000) -> bytes:
    """A few kilobytes that say they are `side` × `side` px."""
    rows = zlib.compress(b"\0" * (1 + side // 8 + 1) * 16)
    header = side.to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def truncated(data: bytes) -> bytes:
    """The first two thirds of a file."""
    return data[: len(data) * 2 // 3]


def polyglot_png(*, seed: int = 0) -> bytes:
    """A whole picture with a script behind its last chunk."""
    return png(seed=seed) + b"<script>alert('pix')</script>"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
TEXT = b"This is no picture, whatever its name says.\n" * 20
