"""Counts of what waits, runs and failed: for the health check, the metrics, the queues and the admin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Now

from processing.engine import wakeups
from processing.models import Job, Operation, QueueControl, WorkerHeartbeat
from processing.states import OperationStatus, Queue

WORKER_ALIVE_SECONDS = 30


@dataclass(frozen=True)
class QueueNumbers:
    """One queue: how much waits and runs in it and whether it hands out work."""

    name: str
    waiting: int
    running: int
    oldest_waiting_seconds: float | None
    paused: bool
    reason: str
    paused_at: datetime | None
    paused_by: str | None
    workers: int
    threads: int


def queue_numbers() -> list[QueueNumbers]:
    """Every queue, in the order in which they are declared."""
    controls = {control.name: control for control in QueueControl.objects.select_related("paused_by")}
    waiting = Q(status=OperationStatus.QUEUED)
    open_operations = (
        # One condition for each of the two partial indexes: with IN the whole table is read.
        Operation.objects.filter(waiting | Q(status=OperationStatus.RUNNING))
        .order_by()
        .values("queue")
        .annotate(
            waiting=Count("pk", filter=waiting),
            running=Count("pk", filter=~waiting),
            # A retry waits since it became available, not since its job was submitted.
            oldest=Now() - Min("available_at", filter=waiting),
        )
    )
    counts = {row["queue"]: row for row in open_operations}
    workers = list(live_workers())
    return [_numbers(name, controls.get(name), counts.get(name), workers) for name in Queue.values]


def _numbers(
    name: str,
    control: QueueControl | None,
    counts: Mapping[str, Any] | None,
    workers: Sequence[WorkerHeartbeat],
) -> QueueNumbers:
    control = control or QueueControl(name=name)
    counts = counts or {"waiting": 0, "running": 0, "oldest": None}
    serving = [worker for worker in workers if name in worker.queues]
    oldest = max(0.0, round(counts["oldest"].total_seconds(), 1)) if counts["oldest"] else None
    return QueueNumbers(
        name=name,
        waiting=counts["waiting"],
        running=counts["running"],
        oldest_waiting_seconds=oldest,
        paused=control.paused,
        reason=control.reason,
        paused_at=control.paused_at,
        paused_by=control.paused_by.get_username() if control.paused_by else None,
        workers=len(serving),
        threads=len(serving) * wakeups.threads(name),
    )


def live_workers() -> QuerySet[WorkerHeartbeat]:
    """The worker processes that reported lately."""
    return WorkerHeartbeat.objects.filter(seen_at__gte=Now() - timedelta(seconds=WORKER_ALIVE_SECONDS))


def jobs_by_status() -> dict[str, int]:
    return dict(Job.objects.order_by().values_list("status").annotate(Count("pk")))


def operations_by_status() -> dict[tuple[str, str], int]:
    """(queue, status) → how many operations."""
    rows = Operation.objects.order_by().values_list("queue", "status").annotate(count=Count("pk"))
    return {(queue, status): count for queue, status, count in rows}


def failed_by_error() -> list[dict[str, Any]]:
    """Failed operations per error code, the most frequent first."""
    failed = Operation.objects.filter(status=OperationStatus.FAILED).order_by()
    rows = failed.values("error_code").annotate(count=Count("pk"), newest=Max("finished_at"))
    return [dict(row) for row in rows.order_by("-count", "error_code")]
