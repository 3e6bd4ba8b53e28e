"""Counts of what waits, runs and failed: for the health check, the metrics, the queues and the admin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Sum
from django.db.models.functions import Now

from processing.engine import wakeups
from processing.models import QueueControl, RowCount, WorkerHeartbeat
from processing.states import OperationStatus, Queue

WORKER_ALIVE_SECONDS = 30
HOURS_KEPT = 48  # older operations are counted without their hour

# One step down an index for each queue or error code, however many operations there are.
_OLDEST = """
SELECT queues.name, extract(epoch FROM statement_timestamp() - oldest)
FROM unnest(%s::text[]) AS queues (name), LATERAL (
    SELECT available_at AS oldest FROM processing_operation WHERE status = 'queued' AND queue = queues.name
    ORDER BY available_at LIMIT 1) AS waiting"""
_NEWEST_FAILED = """
SELECT code, newest FROM unnest(%s::text[]) AS codes (code), LATERAL (
    SELECT max(finished_at) AS newest FROM processing_operation
    WHERE status = 'failed' AND error_code = code) AS failed"""
_FOLD = """
WITH taken AS (
    DELETE FROM processing_rowcount WHERE id IN (SELECT id FROM processing_rowcount FOR UPDATE SKIP LOCKED)
    RETURNING kind, queue, status, error_code, count, byte_size,
        CASE WHEN hour > statement_timestamp() - make_interval(hours => %s) THEN hour END AS hour)
INSERT INTO processing_rowcount (kind, queue, status, error_code, hour, count, byte_size)
SELECT kind, queue, status, error_code, hour, sum(count), sum(byte_size) FROM taken
GROUP BY kind, queue, status, error_code, hour HAVING sum(count) <> 0 OR sum(byte_size) <> 0"""


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
    counts, oldest, workers = operations_by_status(), _oldest_waiting(), list(live_workers())
    return [
        _numbers(name, controls.get(name), counts, oldest_seconds=oldest.get(name), workers=workers)
        for name in Queue.values
    ]


def _oldest_waiting() -> dict[str, float]:
    """Queue → seconds that its oldest operation has waited: a retry waits since it became available."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, [Queue.values])
        return {name: max(0.0, round(float(seconds), 1)) for name, seconds in cursor.fetchall()}


def _numbers(
    name: str,
    control: QueueControl | None,
    counts: Mapping[tuple[str, str], int],
    *,
    oldest_seconds: float | None,
    workers: Sequence[WorkerHeartbeat],
) -> QueueNumbers:
    control = control or QueueControl(name=name)
    serving = [worker for worker in workers if name in worker.queues]
    return QueueNumbers(
        name=name,
        waiting=counts.get((name, OperationStatus.QUEUED), 0),
        running=counts.get((name, OperationStatus.RUNNING), 0),
        oldest_waiting_seconds=oldest_seconds,
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
    rows = _counted("job").values_list("status").annotate(sum=Sum("count"))
    return {status: count for status, count in rows if count}


def operations_by_status() -> dict[tuple[str, str], int]:
    """(queue, status) → how many operations."""
    rows = _counted("operation").values_list("queue", "status").annotate(sum=Sum("count"))
    return {(queue, status): count for queue, status, count in rows if count}


def failed_by_error() -> list[dict[str, Any]]:
    """Failed operations per error code, the most frequent first."""
    failed = _counted("operation").filter(status=OperationStatus.FAILED)
    rows = dict(failed.values_list("error_code").annotate(sum=Sum("count")))
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_FAILED, [[code for code, count in rows.items() if count]])
        found = [{"error_code": code, "count": rows[code], "newest": at} for code, at in cursor.fetchall()]
    return sorted(found, key=lambda row: (-row["count"], row["error_code"]))


def finished_by_hour(since: datetime) -> dict[tuple[datetime, str], int]:
    """(hour of UTC, status) → operations that completed or failed in it; no further back than `HOURS_KEPT`."""
    rows = _counted("operation").filter(hour__gte=since).values_list("hour", "status")
    return {(hour, status): count for hour, status, count in rows.annotate(sum=Sum("count"))}


def stored_results() -> tuple[int, int]:
    """How many result files there are, and their bytes."""
    sums = _counted("artifact").aggregate(count=Sum("count"), size=Sum("byte_size"))
    return sums["count"] or 0, sums["size"] or 0


def _counted(kind: str) -> QuerySet[RowCount]:
    return RowCount.objects.filter(kind=kind).order_by()


def fold_counts() -> None:
    """Replace the changes of counts by their sums. Any number may do that at once: each takes rows of its own."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLD, [HOURS_KEPT])
