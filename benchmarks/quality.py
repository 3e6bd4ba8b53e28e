"""Quality: how well causes tell degraded photographs from clean ones, and IL-NIQE beside pyiqa's own way to it.

IL-NIQE's time does not depend on what its template says: without the file it is random.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from benchmarks.harness.results import Result
from ml_models.torchvision_import import import_torchvision
from processing.algorithms.quality.causes import CAUSES, bound, measure_causes
from processing.algorithms.quality.speed import faster_statistics

NAME = "quality"
FEATURES, COMPONENTS = 468, 430  # of IL-NIQE's template
PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
TILES = 2  # each picture is cut into so many by so many
SEED = 5


def measure(*, is_quick: bool) -> list[Result]:
    photographs = tiles()
    return [*areas(photographs), *causes_time(photographs), *ilniqe_time(is_quick=is_quick)]


def tiles() -> list[np.ndarray]:
    from skimage import data

    parts = []
    for name in PICTURES:
        whole = bound(getattr(data, name)(), long_side_px=800)
        height, width = (side // TILES for side in whole.shape[:2])
        parts += [
            whole[row * height : (row + 1) * height, column * width : (column + 1) * width].copy()
            for row in range(TILES)
            for column in range(TILES)
        ]
    return parts


def degraded() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Each cause's own fault, strong enough to be seen at once."""
    random = np.random.default_rng(SEED)

    def exposed(pixels: np.ndarray, factor: float) -> np.ndarray:
        return (np.clip((pixels / 255) ** 2.2 * factor, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)

    return {
        "sharpness": lambda p: cv2.GaussianBlur(p, (0, 0), 2),
        "exposure_dark": lambda p: exposed(p, 1 / 8),
        "exposure_light": lambda p: exposed(p, 8),
        "contrast": lambda p: (p.mean() + (p - p.mean()) * 0.3).clip(0, 255).astype(np.uint8),
        "noise": lambda p: (p + random.normal(0, 15, p.shape)).clip(0, 255).astype(np.uint8),
        "blockiness": lambda p: cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], 1),
        "colourfulness": lambda p: (p.mean(axis=2, keepdims=True) * 0.9 + p * 0.1).astype(np.uint8),
        "information": lambda p: p // 64 * 64,
    }


def areas(photographs: list[np.ndarray]) -> list[Result]:
    """The area under the curve of the cause that does worst, and all of them beside it."""
    clean = [measure_causes(pixels).values for pixels in photographs]
    by_name = {}
    for name, degrade in degraded().items():
        bad = [measure_causes(degrade(pixels)).values[name] for pixels in photographs]
        by_name[name] = area(name, [values[name] for values in clean], bad)
    detail = ", ".join(f"{name} {value:.2f}" for name, value in by_name.items())
    return [
        Result(
            NAME, "causes, smallest AUC clean against degraded", min(by_name.values()), "", 0.9, detail=detail
        )
    ]


def area(name: str, clean: list[float | None], bad: list[float | None]) -> float:
    sign = 1 if CAUSES[name].bad_side == "below" else -1
    better = sign * np.array([value for value in clean if value is not None])
    worse = sign * np.array([value for value in bad if value is not None])
    difference = better[:, None] - worse[None, :]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def causes_time(photographs: list[np.ndarray]) -> list[Result]:
    large = cv2.resize(photographs[0], (4000, 3000))
    times = [timed(lambda: measure_causes(large))[1] for _ in range(3)]
    return [Result(NAME, "all causes of 12 megapixels", 1000 * statistics.median(times), "ms", better="less")]


def ilniqe_time(*, is_quick: bool) -> list[Result]:
    import_torchvision()
    import torch
    from pyiqa.archs.niqe_arch import ilniqe

    random = np.random.default_rng(SEED)
    template: dict[str, Any] = {
        "mu_pris_param": torch.from_numpy(random.normal(size=COMPONENTS))[None],
        "cov_pris_param": torch.eye(COMPONENTS, dtype=torch.float64)[None],
        "meanOfSampleData": torch.from_numpy(random.normal(size=FEATURES))[None],
        "principleVectors": torch.from_numpy(random.normal(size=(FEATURES, COMPONENTS)))[None],
        "resize": not is_quick,  # to 524 × 524 pixels
    }
    pixels = cv2.resize(tiles()[0], (252, 252) if is_quick else (640, 480))
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()

    def usual() -> tuple[float, float]:
        return timed(lambda: float(ilniqe(picture, **template)))

    def ours() -> tuple[float, float]:
        with faster_statistics():
            return usual()

    with torch.inference_mode():
        ours()  # loads what is slow to load
        pairs = [(usual(), ours()) for _ in range(1 if is_quick else 3)]
    theirs_s, ours_s = (statistics.median(pair[side][1] for pair in pairs) for side in (0, 1))
    difference = max(abs(theirs[0] / own[0] - 1) for theirs, own in pairs)
    detail = f"pyiqa {theirs_s:.1f} s, Pix {ours_s:.1f} s, the same score to {difference:.0e}"
    return [Result(NAME, "IL-NIQE, times as fast as pyiqa's own", theirs_s / ours_s, "×", 2, detail=detail)]


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """The answer and the seconds it took."""
    started = time.perf_counter()
    answer = function()
    return answer, time.perf_counter() - started
