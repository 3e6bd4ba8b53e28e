"""Quality metrics without a reference, computed by pyiqa from files that are checked first.

pyiqa is under a non-commercial licence (PolyForm Noncommercial 1.0.0 and S-Lab). Without it every metric says that it
is unavailable; `causes.py` needs none of this. torch and pyiqa are imported inside functions only.
"""

import sys
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ml_models import weights
from processing.algorithms.errors import ProcessingError, not_a_choice
from processing.algorithms.quality.specs import Availability, MetricSpec, Score

RULE = 1  # raised whenever the same image would score otherwise by a change here
# `make run` installs into .venv, whose pip is not on the PATH; a container has only one.
_PIP = ".venv/bin/pip" if Path(sys.prefix).name == ".venv" else "pip"
PYIQA_COMMAND = f"{_PIP} install --no-deps -r requirements.txt"
EXTRA_COMMAND = f"{_PIP} install --no-deps -r requirements-iqa-extra.txt"


def _musiq(name: str, trained_on: str, *, high: float = 100.0, best: float = 80.0, worst: float = 15.0,
           is_default: bool = False) -> MetricSpec:  # fmt: skip
    return MetricSpec(
        name, f"MUSIQ ({trained_on})", f"A transformer over three sizes of the image, trained on {trained_on}.",
        "higher", 0.0, high, worst, best, weights=(name,), is_default=is_default,
    )  # fmt: skip


# Rank correlation with people's opinions, none of these trained on the set: LIVE in the Wild 0.79 (musiq), 0.72
# (paq2piq), 0.81 (topiq_nr), 0.74 (hyperiqa), 0.61 (cnniqa), 0.44 (ilniqe), 0.45 (niqe), 0.31 (brisque); seconds for a
# image on a Xeon: 0.61, 0.23, 1.1, 1.3, 0.20, 2.8, 0.21, 0.12 (pyiqa's tables NR_benchmark_results and
# Efficiency_benchmark). paq2piq is the sixth by default: what is better costs three to five times as much.
METRICS: dict[str, MetricSpec] = {
    spec.name: spec
    for spec in (
        MetricSpec(
            "brisque", "BRISQUE", "Natural scene statistics and a support vector machine (Mittal 2012).",
            "lower", 0, 150, 90, 0, min_side_px=32, weights=("brisque",), is_default=True,
        ),
        MetricSpec(
            "niqe", "NIQE", "Distance from a model of natural scenes, without human ratings (Mittal 2013).",
            "lower", 0, 100, 12, 2.5, min_side_px=192, weights=("niqe",), is_default=True,
        ),
        MetricSpec(
            "ilniqe", "IL-NIQE", "NIQE with colour, gradients and Gabor responses; at 524 × 524 (Zhang 2015).",
            "lower", 0, 150, 90, 18, min_side_px=64, weights=("ilniqe",), is_default=True, is_batched=False,
        ),
        MetricSpec(
            "piqe", "PIQE", "Share of distorted blocks among the blocks with structure (Venkatanath 2015).",
            "lower", 0, 100, 90, 15, min_side_px=32, is_default=True,
        ),
        _musiq("musiq", "KonIQ-10k", is_default=True),
        MetricSpec(
            "paq2piq", "PaQ-2-PiQ", "A ResNet-18 trained on whole images and patches (Ying 2020).",
            "higher", 0, 100, 35, 82, long_side_px=640, min_side_px=64, weights=("paq2piq",), is_default=True,
        ),
        MetricSpec(
            "entropy", "Entropy", "Bits per pixel needed for the grey levels.",
            "higher", 0, 8, 2, 7.6, min_side_px=1,
        ),
        MetricSpec(
            "cnniqa", "CNNIQA", "A small convolutional network trained on KonIQ-10k (Kang 2014).",
            "higher", 0, 1, 0.2, 0.8, weights=("cnniqa",),
        ),
        _musiq("musiq-spaq", "SPAQ"),
        _musiq("musiq-paq2piq", "PaQ-2-PiQ"),
        _musiq("musiq-ava", "AVA: aesthetics, not technical quality", high=10, best=7, worst=3),
        MetricSpec(
            "hyperiqa", "HyperIQA", "A ResNet-50 with a head generated for each image, trained on KonIQ-10k (Su 2020).",
            "higher", 0, 1, 0.2, 0.8, min_side_px=64, weights=("hyperiqa",), packages=("torch", "pyiqa", "timm"),
            is_batched=False,
        ),
        MetricSpec(
            "topiq_nr", "TOPIQ", "A ResNet-50 with attention from coarse to fine, trained on KonIQ-10k (Chen 2024).",
            "higher", 0, 1, 0.2, 0.8, min_side_px=64, weights=("topiq_nr",),
            packages=("torch", "pyiqa", "timm", "facexlib"),
        ),
    )
}  # fmt: skip
DEFAULT_METRICS = tuple(name for name, spec in METRICS.items() if spec.is_default)


def find_metric(name: str) -> MetricSpec:
    """One row of the table.

    Raises:
        ProcessingError: code `invalid_choice`, naming those that exist.
    """
    if name not in METRICS:
        detail = not_a_choice(name, METRICS)
        raise ProcessingError(detail, code="invalid_choice", field="metrics")
    return METRICS[name]


def availability(name: str, folder: Path | str) -> Availability:
    """Whether a metric can be computed here, and which command helps; quick, and without torch.

    Args:
        folder: where downloaded models lie.
    """
    spec = find_metric(name)
    for package in spec.packages:
        if not is_installed(package):
            command = PYIQA_COMMAND if package in ("torch", "pyiqa", "timm") else EXTRA_COMMAND
            return Availability(name, False, f"The package {package} is not installed.", command)
    for model in spec.weights:
        state = weights.state(model, folder)
        if state.why_not:
            return Availability(name, False, state.why_not, state.command)
    sha256 = weights.state(spec.weights[0], folder).sha256 if spec.weights else ""
    parts = [f"pyiqa {_pyiqa_version()}", f"side {spec.long_side_px}", f"rule {RULE}", sha256[:12]]
    version = ", ".join(part for part in parts if part)
    return Availability(name, True, version=version, weights_sha256=sha256)


def is_installed(package: str) -> bool:
    return find_spec(package) is not None


@cache
def _pyiqa_version() -> str:
    return metadata.version("pyiqa")


def score(name: str, pictures: Sequence[np.ndarray], *, folder: Path | str) -> list[Score]:
    """Score images by one metric; an image that it cannot judge has an error instead of a value.

    Args:
        images: uint8 RGB (H, W, 3) or grey (H, W), of any sizes.
        folder: where downloaded models lie.

    Returns:
        One score for each image, in their order. Values are those of pyiqa 0.1.16 for the image as it was
        reduced; see `tests/processing/algorithms/quality/test_metrics.py` for how near they are to its calibration.

    Raises:
        ProcessingError: code `model_unavailable`, naming the command that helps. A file of another network is an
            error of each score instead.
    """
    from processing.algorithms.quality.scoring import score_pictures

    state = availability(name, folder)
    if not state.is_available:
        raise ProcessingError(
            f"{state.why_not} Run: {state.command}", code="model_unavailable", field="metrics"
        )
    return score_pictures(METRICS[name], state, pictures, folder=folder)
