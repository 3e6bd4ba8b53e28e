"""How long clusterings take here, from those that were done."""

from collections.abc import Callable
from dataclasses import dataclass

from batches.models import ClusterRun
from processing.durations import percentile

SAMPLE_SIZE = 50
# Where none was done yet: what 5,000 vectors took on 2 cores, and a start.
START_S, PER_5000_S = (
    {"full": 0.5, "incremental": 0.5, "sweep": 1.0},
    {"full": 4, "incremental": 3, "sweep": 25},
)


@dataclass(frozen=True)
class Seconds:
    p50: float
    p90: float
    based_on: int


def analysis_seconds(mode: str, images: int) -> Seconds:
    """Seconds of clustering so many images; the work grows with the square of their number."""
    done = ClusterRun.objects.filter(mode=mode, status=ClusterRun.Status.COMPLETED, duration_ms__isnull=False)
    newest = done.order_by("-finished_at").values_list("duration_ms", "n_images")[:SAMPLE_SIZE]
    guess = _scaled(START_S[mode], PER_5000_S[mode], 5000)(images)
    measured = sorted(_like((duration_ms or 0) / 1000, count, images) for duration_ms, count in newest)
    if not measured:
        return Seconds(guess, guess, 0)
    return Seconds(percentile(measured, 0.5), percentile(measured, 0.9), len(measured))


def _like(seconds: float, count: int, images: int) -> float:
    """What a clustering of `count` images that took so long says of one of `images`; never less than it took."""
    return seconds * max(1.0, images / max(1, count)) ** 2


def _scaled(start_s: float, seconds: float, count: int) -> Callable[[int], float]:
    return lambda images: start_s + seconds * (images / count) ** 2
