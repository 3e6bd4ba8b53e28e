"""Submit, cancel, retry, prioritise, pause: the moves that people make. `leases.py` holds those that workers make.

Together they are the only writers of statuses. A message is only a wake-up; PostgreSQL decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from api.core.disk import ensure_free_space
from api.core.phrases import counted
from processing import files, names, phrases
from processing.engine import leases, wakeups
from processing.engine.registry import HANDLERS
from processing.models import (
    Artifact,
    Job,
    JobEvent,
    Operation,
    OperationArtifact,
    QueueControl,
    ResultSource,
)
from processing.states import JOB_TERMINAL, JobStatus, OperationStatus, Priority

ANALYZE_AFTER = 500  # rows: a larger submission makes the planner's statistics stale
CHUNK = 1000


@dataclass(frozen=True)
class NewOperation:
    """An operation to submit; `source_name` is what its results are named after."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    image_id: UUID | None = None
    cache_key: str = ""
    source_name: str = ""
    source_sha256: str = ""
    queue: str = ""  # that of its handler unless told

    @property
    def writes_files(self) -> bool:
        handler = HANDLERS.get(self.name)
        return handler is not None and handler.isolated

    @property
    def runs_in(self) -> str:
        return self.queue or str(HANDLERS[self.name].queue)


def submit_job(
    *,
    kind: str,
    operations: Sequence[NewOperation],
    priority: int = Priority.NORMAL,
    image_id: UUID | None = None,
    batch_id: UUID | None = None,
    parameters: Mapping[str, Any] | None = None,
    output_folder: str = "",
    filename_prefix: str = "",
    reference: str = "",
    idempotency_key: str = "",
    requested_by: Any = None,
    source: str = "api",
    request_id: str = "",
) -> Job:
    """Store a job and its operations in one transaction and wake the workers when it has committed."""
    with transaction.atomic():
        cached = _cached_artifacts(operations)
        hits = [new.cache_key in cached for new in operations]
        if any(new.writes_files for new, hit in zip(operations, hits, strict=True) if not hit):
            ensure_free_space()  # workers would let it wait
        job = Job.objects.create(
            kind=kind,
            priority=priority,
            image_id=image_id,
            batch_id=batch_id,
            parameters=dict(parameters or {}),
            output_folder=output_folder,
            filename_prefix=filename_prefix,
            reference=reference,
            idempotency_key=idempotency_key,
            requested_by=requested_by,
            source=source,
            request_id=request_id,
            operations_total=len(operations),
            operations_completed=sum(hits),
            **_already_done(all(hits)),
        )
        rows = _rows(job, operations, hits)
        _copy(rows)
        _link_cached(job, rows, operations, cached)
        _log_event(
            job,
            "submitted",
            phrases.submitted(len(rows), sum(hits)),
        )
        if rows and all(hits):
            message = f"{len(rows)} of {len(rows)} operations completed."
            _log_event(job, "finished", message, data={"status": JobStatus.COMPLETED})
        _wake_on_commit(row.queue for row in rows if row.status == OperationStatus.QUEUED)
        if len(rows) >= ANALYZE_AFTER:
            transaction.on_commit(_analyze, robust=True)
    return job


def _already_done(is_done: bool) -> dict[str, Any]:
    now = timezone.now()
    return {"status": JobStatus.COMPLETED, "started_at": now, "finished_at": now} if is_done else {}


def _rows(job: Job, operations: Sequence[NewOperation], hits: Sequence[bool]) -> list[Operation]:
    numbers = names.numbered((new.source_name, new.name) for new in operations)
    return [
        _row(job, position, new, is_cached=hit, name_number=number)
        for position, (new, hit, number) in enumerate(zip(operations, hits, numbers, strict=True))
    ]


def _row(job: Job, position: int, new: NewOperation, *, is_cached: bool, name_number: int) -> Operation:
    row = Operation(
        job=job,
        position=position,
        name=new.name,
        name_number=name_number,
        parameters=dict(new.parameters),
        image_id=new.image_id,
        cache_key=new.cache_key,
        queue=new.runs_in,
        priority=job.priority,
        max_attempts=settings.JOB_MAX_ATTEMPTS,
    )
    if is_cached:
        now = timezone.now()
        row.status, row.cached, row.progress = OperationStatus.COMPLETED, True, 1
        row.started_at, row.finished_at, row.duration_ms = now, now, 0
    return row


def _copy(rows: Sequence[Operation]) -> None:
    """Insert operations by COPY: `bulk_create` took 1.6 s for 5 000 of them, most of it making SQL text."""
    fields = [f for f in Operation._meta.concrete_fields if not f.primary_key and f.name != "available_at"]
    columns = ", ".join(connection.ops.quote_name(field.column or "") for field in fields)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY processing_operation ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row([f.get_db_prep_save(getattr(row, f.attname), connection) for f in fields])


def _cached_artifacts(operations: Sequence[NewOperation]) -> dict[str, list[Artifact]]:
    """Finished results by recipe, locked against a clean-up until the links to them are written."""
    keys = {new.cache_key for new in operations if new.cache_key}
    artifacts_by_key: dict[str, list[Artifact]] = {}
    if keys:
        usable = Artifact.objects.filter(cache_key__in=keys).exclude(expires_at__lt=timezone.now())
        for artifact in usable.select_for_update(no_key=True).order_by("id"):
            artifacts_by_key.setdefault(artifact.cache_key, []).append(artifact)
    return {
        key: artifacts
        for key, artifacts in artifacts_by_key.items()
        if all(files.has_size(a.file, a.byte_size) for a in artifacts)
    }


def _link_cached(
    job: Job,
    rows: Sequence[Operation],
    operations: Sequence[NewOperation],
    cached: Mapping[str, list[Artifact]],
) -> None:
    if not cached:
        return
    ids = dict(job.operations.filter(cached=True).values_list("position", "pk"))
    links = [
        link
        for row, new in zip(rows, operations, strict=True)
        if row.cached
        for link in OperationArtifact.named(
            cached[new.cache_key],
            operation_id=ids[row.position],
            operation=new.name,
            source=ResultSource(new.source_name, new.source_sha256, row.name_number),
            folder=job.output_folder,
            prefix=job.filename_prefix,
        )
    ]
    OperationArtifact.objects.bulk_create(links, batch_size=CHUNK)


def _wake_on_commit(queues: Iterable[str]) -> None:
    counts = Counter(queues)

    def send() -> None:
        for queue, count in counts.items():
            wakeups.send(queue, count)

    transaction.on_commit(send, robust=True)


def _analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_operation")


def _log_event(
    job: Job,
    code: str,
    message: str,
    *,
    actor: Any = None,
    level: str = "info",
    data: Mapping[str, Any] | None = None,
) -> None:
    data = {"by": actor.get_username()} if actor is not None else data or {}
    JobEvent.objects.create(job=job, code=code, message=message, level=level, data=data)


# The job's row is locked after its operations' rows, as everywhere in the engine.
_CANCEL = f"""
WITH moved AS (
    UPDATE processing_operation SET status = 'cancelled', token = NULL, lease_until = NULL,
        finished_at = clock_timestamp()
    WHERE job_id = %s AND status IN ('queued', 'running') RETURNING id, job_id),
{leases.tally("moved", cancelled="tally.n")}
SELECT id FROM moved"""


def cancel_job(job: Job, *, actor: Any = None) -> int:
    """Cancel what waits and what runs (its subprocess ends within a second); answers how many operations."""
    with transaction.atomic():
        cancelled = leases.moved_ids(_CANCEL, [job.pk])
        if cancelled:
            _log_event(
                job,
                "cancelled",
                f"{counted(len(cancelled), 'operation')} cancelled.",
                actor=actor,
                level="warning",
            )
    job.refresh_from_db()
    return len(cancelled)


_RETRY = """
WITH moved AS (
    UPDATE processing_operation o SET status = 'queued', attempts = 0, losses = 0, run_alone = FALSE,
        available_at = clock_timestamp(), started_at = NULL, finished_at = NULL, duration_ms = NULL, progress = 0,
        error_code = '', error_detail = ''
    FROM (SELECT id, status FROM processing_operation
        WHERE job_id = %(job)s AND status = ANY(%(statuses)s)
            AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
            AND (%(code)s::text IS NULL OR error_code = %(code)s)
        ORDER BY id FOR UPDATE) before
    WHERE o.id = before.id RETURNING o.queue, before.status),
tally AS (SELECT count(*) FILTER (WHERE status = 'failed')::int AS failed,
    count(*) FILTER (WHERE status = 'cancelled')::int AS cancelled FROM moved),
reopened AS (
    UPDATE processing_job j SET operations_failed = operations_failed - tally.failed,
        operations_cancelled = operations_cancelled - tally.cancelled, finished_at = NULL,
        status = CASE WHEN status = 'running' THEN 'running' ELSE 'queued' END
    FROM tally WHERE j.id = %(job)s AND tally.failed + tally.cancelled > 0)
SELECT queue FROM moved"""


def retry_job(
    job: Job,
    *,
    operation_ids: Sequence[int] | None = None,
    error_code: str | None = None,
    statuses: Sequence[str] = (OperationStatus.FAILED, OperationStatus.CANCELLED),
    actor: Any = None,
) -> int:
    """Queue failed and cancelled operations again (all, the named ones, or those of one error); answers how many."""
    values = {
        "job": job.pk,
        "ids": None if operation_ids is None else list(operation_ids),
        "code": error_code,
        "statuses": [str(status) for status in statuses],
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_RETRY, values)
            queues = [row[0] for row in cursor.fetchall()]
        if queues:
            _log_event(job, "retried", f"{counted(len(queues), 'operation')} queued again.", actor=actor)
            _wake_on_commit(queues)
    job.refresh_from_db()
    return len(queues)


def retry_failed(*, error_code: str | None = None, actor: Any = None) -> int:
    """Queue all failed operations again, or those that failed with one error code; answers how many."""
    failed = Operation.objects.filter(status=OperationStatus.FAILED)
    if error_code is not None:
        failed = failed.filter(error_code=error_code)
    jobs = Job.objects.filter(pk__in=failed.values("job_id"))
    return sum(
        retry_job(job, error_code=error_code, statuses=[OperationStatus.FAILED], actor=actor)
        for job in jobs.iterator(chunk_size=500)
    )


def set_priority(job: Job, priority: int, *, actor: Any = None) -> bool:
    """Move a job that is not finished forwards or backwards in its queues; False when it is finished."""
    with transaction.atomic():
        job.operations.filter(status=OperationStatus.QUEUED).update(priority=priority)
        won = Job.objects.filter(pk=job.pk).exclude(status__in=JOB_TERMINAL).update(priority=priority)
        if won:
            _log_event(job, "priority", f"Priority changed to {Priority(priority).label}.", actor=actor)
    job.refresh_from_db()
    return won == 1


def pause_queue(name: str, *, by: Any = None, reason: str = "") -> None:
    """Hand out no more work of a queue; what runs goes on to its end."""
    QueueControl.objects.update_or_create(
        name=name, defaults={"paused": True, "paused_by": by, "reason": reason, "paused_at": timezone.now()}
    )


def resume_queue(name: str) -> None:
    """Hand out a queue's work again, at once."""
    QueueControl.objects.update_or_create(
        name=name, defaults={"paused": False, "paused_by": None, "reason": "", "paused_at": None}
    )
    _wake_on_commit([name] * wakeups.threads(name))
