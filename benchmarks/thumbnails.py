"""A thumbnail of a 12-megapixel JPEG: scaled decoding beside decoding in full."""

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from PIL import Image, ImageOps

from benchmarks.harness.pictures import enlarged, sources
from benchmarks.harness.results import Result
from processing.algorithms.codecs.thumbnails import thumbnail
from processing.handlers import input_limits

NAME = "thumbnails"
SIZE_PX = 256


def measure(*, is_quick: bool) -> list[Result]:
    repeats = 3 if is_quick else 15
    cv2.setNumThreads(1)
    content = twelve_megapixels()
    scaled, full = [], []
    for _ in range(repeats):
        full.append(seconds(lambda: usual(content)))
        scaled.append(seconds(lambda: thumbnail(io.BytesIO(content), size=SIZE_PX, limits=input_limits())))
    ratio = statistics.median(full) / statistics.median(scaled)
    return [
        Result(
            NAME, "scaled decode against full decode", ratio, "×", 5, detail=f"12 megapixels to {SIZE_PX} px"
        ),
        Result(NAME, "full decode, then resize", 1000 * statistics.median(full), "ms", better="less"),
        Result(NAME, "scaled decode", 1000 * statistics.median(scaled), "ms", better="less"),
    ]


def usual(content: bytes) -> Image.Image:
    """What one writes first: read the picture, turn it upright, make it small."""
    picture = Image.open(io.BytesIO(content))
    picture.load()
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    return upright.resize((SIZE_PX, SIZE_PX * 3 // 4), Image.Resampling.LANCZOS)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def twelve_megapixels() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return enlarged(next(sources()), (4000, 3000), Path(folder) / "base.jpg")
