"""Fingerprints: on how many prints each way of enhancing raises the panel's score, and what it costs.

The prints are those of PIX_TEST_DATA (FVC2002 DB2_B); without them there is nothing to measure.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.harness.results import Result
from processing.algorithms.fingerprint.enhance import enhance
from processing.algorithms.fingerprint.gabor import enhance_gabor
from processing.algorithms.fingerprint.quality import panel

NAME = "fingerprints"
PRINTS = "fingerprints/FVC2002_DB2_B"
METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"standard": enhance, "gabor": enhance_gabor}
GOALS = {"standard": None, "gabor": 90.0}


def measure(*, is_quick: bool) -> list[Result]:
    folder = Path(os.environ.get("PIX_TEST_DATA", "")) / PRINTS
    files = sorted(folder.glob("*.tif"))[:: 8 if is_quick else 1]
    if not os.environ.get("PIX_TEST_DATA") or not files:
        return []
    cv2.setNumThreads(1)
    prints = [np.array(Image.open(path).convert("L")) for path in files]
    before = [panel(pixels).score for pixels in prints]
    return [result for name in METHODS for result in _method(name, prints, before)]


def _method(name: str, prints: list[np.ndarray], before: list[float]) -> list[Result]:
    after, seconds = [], []
    for pixels in prints:
        started = time.perf_counter()
        enhanced = METHODS[name](pixels)
        seconds.append(time.perf_counter() - started)
        after.append(panel(enhanced).score)
    raised = sum(new > old for old, new in zip(before, after, strict=True))
    gain = statistics.median(after) - statistics.median(before)
    detail = (
        f"{raised} of {len(prints)}; median {statistics.median(before):.0f} to {statistics.median(after):.0f}"
    )
    return [
        Result(NAME, f"{name}: score raised", 100 * raised / len(prints), "%", GOALS[name], detail=detail),
        Result(NAME, f"{name}: median gain", gain, "points"),
        Result(NAME, f"{name}: one print", 1000 * statistics.median(seconds), "ms", better="less"),
    ]
