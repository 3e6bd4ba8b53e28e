"""Photographs of real size with real content: scikit-image's, and those of PIX_TEST_DATA where it is set."""

import importlib.util
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

SIZES = ((1600, 1200), (2304, 1536), (3000, 2000), (4000, 3000))  # 2 to 12 megapixels
PACKAGED = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "rocket.jpg",
)
FROM_TEST_DATA = ("photos/clothing", "photos/grocery")
MAX_SOURCES = 24
QUALITY = 90


def photographs(folder: Path, count: int) -> list[Path]:
    """JPEG files of 2 to 12 megapixels; no two have the same bytes.

    Each source is made once for each size; copies differ by a comment in their header, which costs the
    decoder nothing, so every one of them is decoded in full.
    """
    folder.mkdir(parents=True)
    originals = list(sources())
    made: dict[tuple[Path, tuple[int, int]], bytes] = {}
    paths = []
    for number in range(count):
        source, size = originals[number % len(originals)], SIZES[number // len(originals) % len(SIZES)]
        if (source, size) not in made:
            made[source, size] = enlarged(source, size, folder / "base.jpg")
        path = folder / f"photograph-{number:04}.jpg"
        path.write_bytes(with_comment(made[source, size], f"photograph {number}"))
        paths.append(path)
    return paths


def enlarged(source: Path, size: tuple[int, int], scratch: Path) -> bytes:
    """A picture at about `size`, its short side filled, as a camera would store it."""
    with Image.open(source) as picture:
        scale = max(size[0] / picture.width, size[1] / picture.height)
        whole = picture.convert("RGB").resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC
        )
    whole.crop((0, 0, *size)).save(scratch, "JPEG", quality=QUALITY)
    data = scratch.read_bytes()
    scratch.unlink()
    return data


def with_comment(jpeg: bytes, comment: str) -> bytes:
    text = comment.encode()
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + jpeg[2:]


def sources() -> Iterator[Path]:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package scikit-image, whose photographs are used, is not installed.")
    yield from (Path(spec.origin).parent / "data" / name for name in PACKAGED)
    if test_data := os.environ.get("PIX_TEST_DATA"):
        paths = [path for name in FROM_TEST_DATA for path in sorted((Path(test_data) / name).rglob("*.jpg"))]
        yield from paths[:: max(1, len(paths) // (MAX_SOURCES - len(PACKAGED)))][
            : MAX_SOURCES - len(PACKAGED)
        ]
