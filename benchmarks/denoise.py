"""DnCNN on 512 × 512 colour: as Pix computes it here, beside the plain float32 module of PyTorch.

The weights are those that come with Pix, or the published ones of PIX_TEST_DATA, or random ones where neither is there:
the time is the same.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness.results import Result
from ml_models import weights
from processing.algorithms.denoise.denoise import COLOUR, denoise_pixels
from processing.algorithms.denoise.network import best_finder

if TYPE_CHECKING:
    from ml_models.dncnn import DnCNN

NAME = "denoise"
SIGMA = 25


def measure(*, is_quick: bool) -> list[Result]:
    side = 128 if is_quick else 512
    clean = picture(side)
    noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
    noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    plain, where = network()
    used = best_finder(lambda: network()[0])
    usual_s, usual = timed(lambda: usual_way(plain, noisy))
    ours_s, ours = timed(lambda: denoise_pixels(noisy, used))
    loss_db = psnr(usual, clean) - psnr(ours, clean)
    engine = used.engine
    how = f"{engine.device}, {engine.precision}, {engine.method}; {where}"
    goal = None if is_quick else 4
    return [
        Result(NAME, "against the float32 module", usual_s / ours_s, "×", goal, detail=how),
        Result(NAME, "PSNR below that of float32", loss_db, "dB", 0.02, "less"),
        Result(NAME, "float32 PyTorch module", usual_s, "s", better="less", detail=f"{side} × {side}"),
        Result(NAME, "the same by Pix", ours_s, "s", better="less"),
    ]


def network() -> tuple["DnCNN", str]:
    """A new network for colour, and where its weights come from."""
    import torch

    from ml_models.dncnn import DnCNN, initialise

    model = DnCNN(3)
    published = Path(os.environ.get("PIX_TEST_DATA", "")) / "weights" / "dncnn_color_blind.pth"
    if not weights.state(COLOUR, "").why_not:
        model.load_state_dict(weights.load_tensors(COLOUR, ""))
        return model, "weights of Pix"
    if os.environ.get("PIX_TEST_DATA") and published.exists():
        model.load_state_dict(torch.load(published, weights_only=True))
        return model, "published weights"
    initialise(model, seed=0)
    return model, "random weights"


def picture(side: int) -> np.ndarray:
    """Smooth areas, edges and texture, uint8 (side, side, 3)."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    waves = 40 * np.sin(60 * rows * columns)
    edges = 60 * ((6 * rows).astype(int) + (6 * columns).astype(int) & 1)
    grey = 60 + 60 * rows + edges + np.where(rows > columns, waves, 0)
    return np.asarray(np.clip(np.stack([grey, 0.9 * grey, 220 - grey / 2], axis=2), 0, 255), np.uint8)


def usual_way(plain: "DnCNN", noisy: np.ndarray) -> np.ndarray:
    import torch

    values = torch.from_numpy(noisy.transpose(2, 0, 1).copy())[None].float() / 255
    with torch.inference_mode():
        result = plain.eval()(values)
    return np.asarray((result[0].permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8))


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """The best of three times, since other load only adds, and the result."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return min(times), result


def psnr(result: np.ndarray, clean: np.ndarray) -> float:
    mse = float(np.mean((result.astype(np.float64) - clean) ** 2))
    return 10 * float(np.log10(255**2 / mse))
