"""How long work takes, from what finished operations took: the source of every ETA and estimate."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from api.core.errors import ApiError
from processing import files
from processing.algorithms.errors import ProcessingError
from processing.engine import wakeups
from processing.engine.subprocesses import run_isolated
from processing.handlers import input_limits
from processing.models import Job, Operation
from processing.queue_metrics import live_workers
from processing.states import OPERATION_OPEN, OperationStatus
from processing.tasks import operations as compute

SAMPLE_SIZE = 200  # the newest finished operations of a name: old ones ran on other code or another machine
REMEMBERED_S = 10
MIN_PROGRESS = 0.02  # from here on the pace of a running operation predicts better than what others took
PACED = Q(status=OperationStatus.RUNNING, progress__gte=MIN_PROGRESS, started_at__isnull=False)

Work = Mapping[tuple[str, str], int]  # (operation name, queue) → how many


@dataclass(frozen=True)
class Duration:
    """Milliseconds of one operation: the median, the 90th percentile and how many were measured."""

    p50_ms: float
    p90_ms: float
    samples: int


UNKNOWN = Duration(1_000, 1_000, 0)  # what an operation that never ran is taken for; `based_on` 0 says so


@dataclass(frozen=True)
class Estimate:
    """Seconds until work is done, given the workers that are alive."""

    seconds_p50: float = 0.0
    seconds_p90: float = 0.0
    based_on: int = 0

    def as_dict(self) -> dict[str, float | int]:
        return {"seconds_p50": self.seconds_p50, "seconds_p90": self.seconds_p90, "based_on": self.based_on}


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of an ascending, non-empty sequence; `share` is 0–1."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


# Remembered by each process: every job needs this, and a hanging Redis must not slow that down.
_remembered: dict[str, tuple[float, Duration]] = {}


def measured(name: str) -> Duration:
    """What operations called `name` took lately."""
    until, duration = _remembered.get(name, (0.0, UNKNOWN))
    if time.monotonic() <= until:
        return duration
    finished = Operation.objects.filter(name=name, status=OperationStatus.COMPLETED, cached=False)
    newest = finished.order_by("-finished_at").values_list("duration_ms", flat=True)[:SAMPLE_SIZE]
    ordered = sorted(value for value in newest if value is not None)
    if not ordered:
        return UNKNOWN  # not remembered: the first measurement replaces the guess at once
    duration = Duration(percentile(ordered, 0.5), percentile(ordered, 0.9), len(ordered))
    _remembered[name] = (time.monotonic() + REMEMBERED_S, duration)
    return duration


def concurrency(queue: str) -> int:
    """How many operations of `queue` run at once with the workers alive; none alive counts as one to come."""
    alive: int = live_workers().filter(queues__contains=[queue]).count()
    return max(1, alive) * wakeups.threads(queue)


def estimate(work: Work) -> Estimate:
    """Seconds that `work` takes. Queues work beside each other, so the slowest one decides."""
    by_queue: dict[str, list[tuple[int, Duration]]] = {}
    for (name, queue), count in work.items():
        if count:
            by_queue.setdefault(queue, []).append((count, measured(name)))
    if not by_queue:
        return Estimate()
    threads = {queue: concurrency(queue) for queue in by_queue}
    return Estimate(
        max(_seconds([(n, d.p50_ms) for n, d in parts], threads[queue]) for queue, parts in by_queue.items()),
        max(_seconds([(n, d.p90_ms) for n, d in parts], threads[queue]) for queue, parts in by_queue.items()),
        sum(duration.samples for parts in by_queue.values() for _, duration in parts),
    )


def _seconds(parts: list[tuple[int, float]], threads: int) -> float:
    """The work shared over `threads`, but never less than its longest piece, which cannot be shared."""
    total = sum(count * milliseconds for count, milliseconds in parts)
    return round(max(total / threads, max(milliseconds for _, milliseconds in parts)) / 1000, 2)


def job_eta(job: Job) -> Estimate:
    """Seconds until `job` is finished: its own open operations and those that are served before them.

    Operations that tell how far they are take what their own pace says, the others what such took lately.
    """
    own = job.operations.filter(status__in=OPERATION_OPEN)
    queues = set(own.order_by().values_list("queue", flat=True).distinct())
    if not queues:
        return Estimate()
    work = {(name, queue): count for name, queue, count in _counts(own)}
    before = Q(priority__lt=job.priority) | Q(priority=job.priority, job__created_at__lt=job.created_at)
    # One query for each status, since PostgreSQL uses a partial index only for the status that it was made for.
    for status in OPERATION_OPEN:
        ahead = Operation.objects.filter(before, queue__in=queues, status=status).exclude(job=job)
        for name, queue, count in _counts(ahead):
            work[name, queue] = work.get((name, queue), 0) + count
    running = Operation.objects.filter(PACED, before | Q(job=job), queue__in=queues).order_by()
    now, begun = timezone.now(), running.values_list("started_at", "progress")
    paced = [(now - at).total_seconds() * (1 - share) / share for at, share in begun if at]
    # The rest begins when the longest of what runs has ended: few run at once that take long.
    rest, longest = estimate(work), max(paced, default=0.0)
    return Estimate(
        round(rest.seconds_p50 + longest, 2),
        round(rest.seconds_p90 + longest, 2),
        rest.based_on + len(paced),
    )


def _counts(operations: QuerySet[Operation]) -> list[tuple[str, str, int]]:
    counted = (
        operations.exclude(PACED).order_by().values_list(F("name"), F("queue")).annotate(count=Count("pk"))
    )
    return list(counted)


def noise_notes(steps: Iterable[tuple[str, dict[str, Any]]], images: Sequence[Any]) -> list[str]:
    """How noisy the image is, and whether it would be left unchanged: for one image, since it has to be decoded."""
    denoising = [parameters for name, parameters in steps if name == "denoise"]
    if not denoising or len(images) != 1:
        return []
    try:
        with files.local_copy(images[0].file) as path:
            sigma: float = run_isolated(
                compute.noise_of,
                path,
                input_limits(),
                timeout_s=settings.DECODE_TIMEOUT_SECONDS,
                memory_bytes=settings.DECODE_MEMORY_BYTES,
            )
    except (ApiError, ProcessingError, OSError):
        return []  # the operation itself says what is wrong with the file
    least = min(parameters["min_sigma"] for parameters in denoising)
    words = f"The noise of this image is about {sigma:.1f} of 255 levels"
    if sigma >= least:
        return [f"{words}."]
    return [
        f"{words}, less than min_sigma ({least:g}). Denoising would only blur it, so it would be left unchanged."
    ]
