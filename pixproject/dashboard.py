"""The numbers of the admin's home: what was done, what waits, what failed, and on which machines."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from batches.models import Batch
from images.models import Image, Rendition
from pixproject.web.templatetags.pix_admin import spaced
from processing import estimates, queue_metrics
from processing.engine.registry import HANDLERS
from processing.models import Job, Operation, WorkerHeartbeat
from processing.pages.job_presenter import visible_jobs, with_first_image
from processing.states import OperationStatus

HOURS = 24
MOST_NAMES = 12  # rows of the durations' chart
BADGE_LIMIT = 99


@dataclass(frozen=True)
class Hour:
    """What finished in one hour; `share` fields are percent of the best hour, for drawing."""

    starts_at: datetime
    completed: int
    failed: int
    completed_share: float
    failed_share: float

    @property
    def label(self) -> str:
        begin = timezone.localtime(self.starts_at)
        return f"{begin:%a %H:%M}: {spaced(self.completed)} completed, {spaced(self.failed)} failed"


@dataclass(frozen=True)
class Bar:
    """One row of a horizontal bar chart: what it stands for, and its percent of the longest row."""

    of: Any
    share: float


@dataclass(frozen=True)
class Disk:
    """The disk that holds the data folder, in bytes and percent."""

    total: int
    free: int
    kept_free: int

    @property
    def percent(self) -> int:
        return round(100 * (self.total - self.free) / self.total)

    @property
    def is_nearly_full(self) -> bool:
        return self.free < 4 * self.kept_free


@dataclass(frozen=True)
class MedianTime:
    """The median milliseconds of one operation and how many were measured."""

    name: str
    median_ms: float
    count: int


@dataclass(frozen=True)
class StorageUse:
    """Files of one class: how many and how many bytes."""

    label: str
    count: int
    byte_size: int


@dataclass(frozen=True)
class StageCount:
    """How many batches are at one stage of their review."""

    name: str
    count: int

    @property
    def is_review(self) -> bool:
        return self.name in (Batch.Stage.VALIDATION, Batch.Stage.ACCEPTANCE)


@dataclass(frozen=True)
class Dashboard:
    """Everything that the home page shows."""

    now: datetime
    completed_today: int
    failed_today: int
    waiting: int
    running: int
    hours: list[Hour]
    queues: list[Bar]
    errors: list[Bar]
    workers_alive: list[WorkerHeartbeat]
    workers_silent: int
    disk: Disk | None
    stored: list[Bar]
    durations: list[Bar]
    stages: list[Bar]
    to_review: int
    jobs: list[Job]

    @property
    def threads(self) -> int:
        return sum(worker.threads for worker in self.workers_alive)

    @property
    def busiest_hour(self) -> int:
        return max(hour.completed + hour.failed for hour in self.hours)


# The newest of each name, by an index: a busy day has millions.
_MEDIANS = """
SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) AS median, count(*)
FROM unnest(%s::text[]) AS names (name), LATERAL (
    SELECT duration_ms FROM processing_operation o
    WHERE o.name = names.name AND status = 'completed' AND NOT cached AND finished_at >= %s
    ORDER BY finished_at DESC LIMIT %s) AS newest
WHERE duration_ms IS NOT NULL GROUP BY name ORDER BY median DESC LIMIT %s"""


def dashboard() -> Dashboard:
    """Read everything once; a constant number of queries."""
    now = timezone.now()
    hours, today = _finished(now)
    queues = queue_metrics.queue_numbers()
    alive = list(queue_metrics.live_workers())
    errors, stored, durations = queue_metrics.failed_by_error(), _stored(), _durations(now)
    open_batches = Batch.objects.present().exclude(status=Batch.Status.ARCHIVED).order_by()
    by_stage = dict(open_batches.values_list("review_stage").annotate(count=Count("pk")))
    stages = [StageCount(str(name), by_stage.get(name, 0)) for name in Batch.Stage.values]
    folder = Path(settings.DATA_DIR)  # absent where files are kept elsewhere
    usage = shutil.disk_usage(folder) if folder.exists() else None
    return Dashboard(
        now=now,
        completed_today=today[OperationStatus.COMPLETED],
        failed_today=today[OperationStatus.FAILED],
        waiting=sum(queue.waiting for queue in queues),
        running=sum(queue.running for queue in queues),
        hours=hours,
        queues=bars(queues, [queue.waiting for queue in queues]),
        errors=bars(errors, [error["count"] for error in errors]),
        workers_alive=alive,
        workers_silent=WorkerHeartbeat.objects.count() - len(alive),
        disk=Disk(usage.total, usage.free, settings.MIN_FREE_DISK_BYTES) if usage else None,
        stored=bars(stored, [files.byte_size for files in stored]),
        durations=bars(durations, [duration.median_ms for duration in durations]),
        stages=bars(stages, [stage.count for stage in stages]),
        to_review=sum(stage.count for stage in stages if stage.is_review),
        jobs=list(with_first_image(visible_jobs())[:8]),
    )


def bars(rows: Sequence[Any], values: Sequence[float]) -> list[Bar]:
    longest = max(values, default=0) or 1
    return [Bar(row, 100 * value / longest) for row, value in zip(rows, values, strict=True)]


def _finished(now: datetime) -> tuple[list[Hour], dict[str, int]]:
    """Operations finished in each of the last 24 hours, and today by status."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    statuses = (OperationStatus.COMPLETED, OperationStatus.FAILED)
    counts = queue_metrics.finished_by_hour(min(first, midnight))
    starts = [first + timedelta(hours=hour) for hour in range(HOURS)]
    pairs = [
        (start, counts.get((start, statuses[0]), 0), counts.get((start, statuses[1]), 0)) for start in starts
    ]
    best = max((completed + failed for _, completed, failed in pairs), default=0) or 1
    today = {
        str(s): sum(n for (hour, status), n in counts.items() if status == s and hour >= midnight)
        for s in statuses
    }
    return [Hour(start, done, bad, 100 * done / best, 100 * bad / best) for start, done, bad in pairs], today


def _durations(now: datetime) -> list[MedianTime]:
    """The median milliseconds of each operation, of the newest ones in the last day, slowest first."""
    with connection.cursor() as cursor:
        cursor.execute(_MEDIANS, [list(HANDLERS), now - timedelta(days=1), estimates.SAMPLE_SIZE, MOST_NAMES])
        return [MedianTime(*row) for row in cursor.fetchall()]


def _stored() -> list[StorageUse]:
    kept = Image.objects.exclude(status=Image.Status.PURGED)
    trashed = Q(status=Image.Status.TRASHED)
    images = kept.aggregate(
        count=Count("pk", filter=~trashed),
        size=Sum("byte_size", filter=~trashed),
        trash=Count("pk", filter=trashed),
        trash_size=Sum("byte_size", filter=trashed),
    )
    thumbnails = Rendition.objects.aggregate(count=Count("pk"), size=Sum("byte_size"))
    results_count, results_size = queue_metrics.stored_results()
    return [
        StorageUse("Images", images["count"], images["size"] or 0),
        StorageUse("In the trash", images["trash"], images["trash_size"] or 0),
        StorageUse("Results", results_count, results_size),
        StorageUse("Thumbnails", thumbnails["count"], thumbnails["size"] or 0),
    ]


def failed_badge() -> str:
    """How many operations are failed, for the sidebar: empty for none, counted no further than it shows."""
    failed = Operation.objects.filter(status=OperationStatus.FAILED).order_by().values("pk")
    count = failed[: BADGE_LIMIT + 1].count()
    return f"{BADGE_LIMIT}+" if count > BADGE_LIMIT else str(count or "")
