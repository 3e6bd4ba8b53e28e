"""Claim, renew, complete, fail, expire: the life of an operation in a worker's hands.

Every move is one guarded statement that also moves the job's counters, so the last operation finalizes its job exactly
once. Locks are taken in the order operation, job. Counting the finished operations by query instead loses the
finalization: the last two each see the other one still running.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from processing.engine.registry import Claim

MAX_LOSSES = 5
BACKOFF_S = (1, 5, 20, 60, 300)

_FINAL_STATUS = """CASE
    WHEN j.operations_cancelled + {cancelled} > 0 THEN 'cancelled'
    WHEN j.operations_failed + {failed} = 0 THEN 'completed'
    WHEN j.operations_completed + {completed} = 0 THEN 'failed'
    ELSE 'completed_with_errors' END"""


def tally(moved: str, *, completed: str = "0", failed: str = "0", cancelled: str = "0") -> str:
    """SQL that adds the operations in the CTE `moved` to their jobs' counters and finalizes the jobs that are done."""
    final = _FINAL_STATUS.format(completed=completed, failed=failed, cancelled=cancelled)
    is_last = (
        f"j.operations_completed + j.operations_failed + j.operations_cancelled + {completed} + {failed} + {cancelled}"
        " >= j.operations_total"
    )
    return f"""
    tally AS (SELECT job_id, count(*)::int AS n FROM {moved} GROUP BY job_id),
    counted AS (
        UPDATE processing_job j SET
            operations_completed = j.operations_completed + {completed},
            operations_failed = j.operations_failed + {failed},
            operations_cancelled = j.operations_cancelled + {cancelled},
            status = CASE WHEN {is_last} THEN {final} ELSE j.status END,
            finished_at = CASE WHEN {is_last} THEN clock_timestamp() ELSE NULL END
        FROM tally WHERE j.id = tally.job_id
        RETURNING j.id, j.status, j.finished_at, j.operations_completed, j.operations_total),
    told AS (
        INSERT INTO processing_jobevent (job_id, at, level, code, message, data)
        SELECT id, clock_timestamp(), CASE WHEN status = 'completed' THEN 'info' ELSE 'warning' END, 'finished',
            format('%%s of %%s operations completed.', operations_completed, operations_total),
            jsonb_build_object('status', status)
        FROM counted WHERE finished_at IS NOT NULL)"""


_CLAIM = """
WITH picked AS (
    SELECT id FROM processing_operation
    WHERE status = 'queued' AND queue = %(queue)s AND available_at <= statement_timestamp()
        AND (%(name)s::text IS NULL OR (name = %(name)s AND NOT run_alone))
        AND NOT EXISTS (SELECT 1 FROM processing_queuecontrol WHERE name = %(queue)s AND paused)
    ORDER BY priority, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
claimed AS (
    UPDATE processing_operation o SET status = 'running', token = %(token)s, worker = %(worker)s,
        lease_until = clock_timestamp() + %(lease)s, started_at = clock_timestamp(), progress = 0
    FROM picked WHERE o.id = picked.id
    RETURNING o.id, o.job_id, o.name, o.parameters, o.image_id, o.cache_key, o.position, o.attempts, o.max_attempts,
        o.run_alone, o.priority),
started AS (
    UPDATE processing_job SET status = 'running', started_at = coalesce(started_at, clock_timestamp())
    WHERE id IN (SELECT job_id FROM claimed) AND status = 'queued')
SELECT c.id, c.job_id, c.name, c.parameters, c.image_id, c.cache_key, c.position, c.attempts, c.max_attempts,
    c.run_alone, j.request_id, j.output_folder, j.filename_prefix, %(queue)s::text
FROM claimed c JOIN processing_job j ON j.id = c.job_id
    -- A claim that a crash of the server loses was never made: it need not wait for the disk.
    CROSS JOIN (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
ORDER BY c.priority, c.id"""

_RENEW = """
UPDATE processing_operation o SET lease_until = clock_timestamp() + %s
FROM unnest(%s::bigint[], %s::uuid[]) AS mine(id, token)
WHERE o.id = mine.id AND o.token = mine.token AND o.status = 'running' RETURNING o.id"""

_OWNED = """
SELECT o.id FROM processing_operation o, unnest(%s::bigint[], %s::uuid[]) AS mine(id, token)
WHERE o.id = mine.id AND o.token = mine.token AND o.status = 'running'"""

_LOCK = f"{_OWNED} FOR UPDATE OF o"

_PROGRESS = """
UPDATE processing_operation o SET progress = mine.progress
FROM unnest(%s::bigint[], %s::uuid[], %s::float8[]) AS mine(id, token, progress)
WHERE o.id = mine.id AND o.token = mine.token AND o.status = 'running' RETURNING o.id"""

_COMPLETE = f"""
WITH moved AS (
    UPDATE processing_operation o SET status = 'completed', progress = 1, finished_at = clock_timestamp(),
        duration_ms = mine.duration_ms, result = mine.result, token = NULL, lease_until = NULL,
        error_code = '', error_detail = ''
    FROM unnest(%s::bigint[], %s::uuid[], %s::int[], %s::jsonb[]) AS mine(id, token, duration_ms, result)
    WHERE o.id = mine.id AND o.token = mine.token AND o.status = 'running' RETURNING o.id, o.job_id),
{tally("moved", completed="tally.n")}
SELECT id FROM moved"""

_FAIL = f"""
WITH moved AS (
    UPDATE processing_operation SET status = 'failed', attempts = attempts + %(charge)s, token = NULL,
        lease_until = NULL, finished_at = clock_timestamp(), duration_ms = %(duration_ms)s,
        error_code = %(code)s, error_detail = %(detail)s
    WHERE id = %(id)s AND token = %(token)s AND status = 'running' RETURNING id, job_id),
{tally("moved", failed="tally.n")}
SELECT id FROM moved"""

_REQUEUE = """
UPDATE processing_operation SET status = 'queued', attempts = attempts + %(charge)s, token = NULL, lease_until = NULL,
    available_at = clock_timestamp() + %(delay)s, run_alone = run_alone OR %(run_alone)s, progress = 0,
    error_code = %(code)s, error_detail = %(detail)s
WHERE id = %(id)s AND token = %(token)s AND status = 'running' RETURNING id"""

_EXPIRED = """SELECT id FROM processing_operation WHERE status = 'running' AND lease_until < clock_timestamp()
    ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED"""

_EXPIRE = f"""
WITH expired AS ({_EXPIRED}),
returned AS (
    UPDATE processing_operation o SET status = 'queued', losses = losses + 1, token = NULL, lease_until = NULL,
        available_at = clock_timestamp(), progress = 0
    FROM expired WHERE o.id = expired.id AND o.losses + 1 < %(max_losses)s RETURNING o.id, o.job_id),
moved AS (
    UPDATE processing_operation o SET status = 'failed', losses = losses + 1, token = NULL, lease_until = NULL,
        finished_at = clock_timestamp(), error_code = 'worker_lost', error_detail = %(detail)s
    FROM expired WHERE o.id = expired.id AND o.losses + 1 >= %(max_losses)s RETURNING o.id, o.job_id),
{tally("moved", failed="tally.n")}
SELECT (SELECT count(*) FROM returned), (SELECT count(*) FROM moved)"""


@dataclass(frozen=True)
class Completion:
    """A claim's finished work: what is kept as the operation's result and how long it took."""

    claim: Claim
    duration_ms: int
    result: dict[str, Any]


def claim(queue: str, *, limit: int = 1, worker: str = "", name: str | None = None) -> list[Claim]:
    """Take the best waiting operations of a queue; with `name`, only those that may run together under that name."""
    token = uuid.uuid4()
    values = {
        "queue": queue,
        "name": name,
        "limit": limit,
        "token": token,
        "worker": worker,
        "lease": timedelta(seconds=settings.LEASE_SECONDS),
    }
    return [_as_claim(token, row) for row in _run(_CLAIM, values)]


def _as_claim(token: uuid.UUID, row: tuple) -> Claim:
    operation_id, job_id, name, parameters, *rest = row
    parameters = json.loads(parameters) if isinstance(parameters, str) else parameters
    return Claim(operation_id, token, job_id, name, parameters, *rest)


def renew(claims: Sequence[Claim]) -> set[int]:
    """Extend the leases; answers the ids that are still owned. The others were cancelled or taken away."""
    return moved_ids(_RENEW, [timedelta(seconds=settings.LEASE_SECONDS), *_identity(claims)])


def owned(claims: Sequence[Claim]) -> set[int]:
    """The ids of those claims that are still owned, without extending them."""
    return moved_ids(_OWNED, _identity(claims))


def lock(claims: Sequence[Claim]) -> set[int]:
    """Wait until nobody is completing these claims, and keep it so; answers the ids that are still owned."""
    return moved_ids(_LOCK, _identity(claims))


def tell_progress(claims: Sequence[Claim], shares: Mapping[int, float]) -> set[int]:
    """Write how far operations are, by their id, 0 to 1; answers the ids that were still owned."""
    reporting = [claim for claim in claims if claim.operation_id in shares]
    if not reporting:
        return set()
    return moved_ids(_PROGRESS, [*_identity(reporting), [shares[claim.operation_id] for claim in reporting]])


def complete(completions: Sequence[Completion]) -> set[int]:
    """Complete operations, count them and finalize their jobs, in one statement; answers the ids that were ours."""
    values = [
        *_identity([c.claim for c in completions]),
        [c.duration_ms for c in completions],
        [json.dumps(c.result) for c in completions],
    ]
    return moved_ids(_COMPLETE, values)


def fail(
    claim: Claim, *, code: str, detail: str, duration_ms: int | None = None, charge: bool = True
) -> bool:
    """Give an operation up for good."""
    values = {
        "id": claim.operation_id,
        "token": claim.token,
        "code": code,
        "detail": detail,
        "duration_ms": duration_ms,
        "charge": int(charge),
    }
    return bool(moved_ids(_FAIL, values))


def requeue(
    claim: Claim,
    *,
    code: str = "",
    detail: str = "",
    charge: bool = False,
    run_alone: bool = False,
    delay_s: float = 0,
) -> bool:
    """Put an operation back in the queue; a charged one waits longer after each attempt."""
    delay_s = BACKOFF_S[min(claim.attempts, len(BACKOFF_S) - 1)] if charge else delay_s
    values = {
        "id": claim.operation_id,
        "token": claim.token,
        "code": code,
        "detail": detail,
        "charge": int(charge),
        "delay": timedelta(seconds=delay_s),
        "run_alone": run_alone,
    }
    return bool(moved_ids(_REQUEUE, values))


def expire() -> tuple[int, int]:
    """Take operations away from workers that were lost; answers how many went back and how many failed for good."""
    detail = f"The operation was given up after its worker was lost {MAX_LOSSES} times."
    [(returned, failed)] = _run(_EXPIRE, {"max_losses": MAX_LOSSES, "detail": detail})
    return returned, failed


def _identity(claims: Sequence[Claim]) -> list[list]:
    return [[c.operation_id for c in claims], [c.token for c in claims]]


def moved_ids(sql: str, values: Any) -> set[int]:
    """Run a statement of the engine; answers the ids that it returns."""
    return {row[0] for row in _run(sql, values)}


def _run(sql: str, values: Any) -> list[tuple]:
    """Run a statement that PostgreSQL plans once per connection: planning took longer than running it (0.6 of 1 ms)."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, values, prepare=True).fetchall()
