"""How long clusterings take here, from those that were done."""

from dataclasses import dataclass

from batches.models import ClusterRun
from processing.estimates import percentile

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
    """Seconds of clustering so many images: a start, and work that grows with the square of their number.

    What was measured of few images says how fast this installation is, not what each image takes: it is compared
    with what so few are expected to take.
    """
    done = ClusterRun.objects.filter(mode=mode, status=ClusterRun.Status.COMPLETED, duration_ms__isnull=False)
    newest = done.order_by("-finished_at").values_list("duration_ms", "n_images")[:SAMPLE_SIZE]
    guess = _expected(mode, images)
    measured = sorted((duration_ms or 0) / 1000 / _expected(mode, count) for duration_ms, count in newest)
    if not measured:
        return Seconds(guess, guess, 0)
    return Seconds(guess * percentile(measured, 0.5), guess * percentile(measured, 0.9), len(measured))


def _expected(mode: str, images: int) -> float:
    return START_S[mode] + PER_5000_S[mode] * (images / 5000) ** 2
