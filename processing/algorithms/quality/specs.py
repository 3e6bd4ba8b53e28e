"""What a metric is, whether it can be computed here, and what it says of one image."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class MetricSpec:
    """One row of `METRICS`.

    Attributes:
        name: as pyiqa calls it.
        title, description: for people.
        better: which way the value improves.
        low, high: the range in which values lie as a rule; some go beyond.
        worst, best: the values that are shown as 0 and 1.
        long_side_px: a larger image is reduced to it by averaging areas.
        min_side_px: the shorter side that it needs then.
        weights: models that it needs, the first one recorded with the score.
        packages: modules that must be there.
        is_default: computed unless others are asked for.
        is_batched: images of one size are computed together.
    """

    name: str
    title: str
    description: str
    better: Literal["lower", "higher"]
    low: float
    high: float
    worst: float
    best: float
    long_side_px: int = 1024
    min_side_px: int = 32
    weights: tuple[str, ...] = ()
    packages: tuple[str, ...] = ("torch", "pyiqa")
    is_default: bool = False
    is_batched: bool = True

    def normalized(self, value: float) -> float:
        """0 at `worst` or beyond it, 1 at `best` or beyond it, straight between them."""
        return float(np.clip((value - self.worst) / (self.best - self.worst), 0, 1))


@dataclass(frozen=True)
class Availability:
    """Whether a metric can be computed here; `version` and `weights_sha256` are recorded with each score.

    The version names pyiqa, the beginning of the weights' hash, the size rule and this module's own number:
    whenever one of them changes, stored scores are stale.
    """

    name: str
    is_available: bool
    why_not: str = ""
    command: str = ""
    version: str = ""
    weights_sha256: str = ""


@dataclass(frozen=True)
class Score:
    """A metric's value for one image, or why there is none (`error_code`, `error_detail`).

    `input_size` is the longer side in px that was measured; `duration_ms` this image's share of the time.
    """

    metric: str
    version: str
    weights_sha256: str
    input_size: int
    duration_ms: int = 0
    value: float | None = None
    normalized: float | None = None
    error_code: str = field(default="")
    error_detail: str = field(default="")
