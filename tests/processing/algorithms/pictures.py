"""Images made in code, as arrays and as files, and the way to the real ones."""

import io
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from processing.algorithms.codecs.probing import Limits

LIMITS = Limits()
SRGB_WHITE = 255


def noise(height: int, width: int, *channels: int, seed: int = 7) -> np.ndarray:
    """Random uint8 values: the hardest case for every filter."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype=np.uint8)


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth RGB image whose four corners all differ, so that every turn and mirror shows."""
    down = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    right = np.linspace(0, 1, width)[None, :] * np.ones((height, 1))
    return (
        np.stack([255 * right, 255 * down, 255 * (1 - right) * (1 - down)], axis=-1).round().astype(np.uint8)
    )


def file_of(image: Image.Image | np.ndarray, format: str = "PNG", **options: Any) -> io.BytesIO:
    """An image as a file in memory."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, format, **options)
    stream.seek(0)
    return stream


def png_chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file with its length and checksum."""
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def pixels_of(data: bytes, mode: str | None = None) -> np.ndarray:
    """What Pillow makes of an encoded file."""
    image = Image.open(io.BytesIO(data))
    return np.array(image if mode is None else image.convert(mode))


def swapped_profile() -> bytes:
    """sRGB with red and blue primaries exchanged: a profile whose effect nobody can miss."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    for index in range(count):
        entry = 132 + 12 * index
        if data[entry : entry + 4] in (b"rXYZ", b"bXYZ"):
            data[entry : entry + 1] = b"b" if data[entry : entry + 1] == b"r" else b"r"
    return bytes(data)


def real_folder(name: str) -> Path:
    """A folder of real test files; skips the test where they are not there."""
    root = os.environ.get("PIX_TEST_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"real test files are absent: PIX_TEST_DATA has no {name}")
    return Path(root) / name
