"""One claimed operation from load to complete: where it is computed, and how every ending is recorded."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from api.core.disk import is_disk_full, is_disk_low, scratch_root
from api.core.written_files import removed_on_error
from pixproject.web.base import request_id
from processing import phrases
from processing.algorithms.errors import ProcessingError
from processing.engine import leases
from processing.engine.registry import HANDLERS, Claim, Handler, NotYet
from processing.engine.subprocesses import (
    SubprocessCrashed,
    SubprocessInterrupted,
    SubprocessMemory,
    SubprocessTimeout,
)
from processing.states import Queue
from processing.tasks.progress import Stopped

logger = logging.getLogger("pix.worker")
COMPLETION_TRIES = 3  # two completions that touch the same jobs may deadlock; PostgreSQL ends one of them


class LostClaim(Exception):
    """The operation is not ours to complete: another attempt owns it, it was cancelled, or it is completed already."""


class Executor(Protocol):
    """Where isolated functions are computed; `folder` is the attempt's."""

    def run(
        self,
        claims: Sequence[Claim],
        function: Callable[..., Any],
        *args: Any,
        timeout_s: float,
        folder: Path,
    ) -> Any: ...


class InProcess:
    """Computes where it stands: for tests, through the same engine code."""

    def run(
        self,
        _claims: Sequence[Claim],
        function: Callable[..., Any],
        *args: Any,
        timeout_s: float,
        folder: Path,
    ) -> Any:
        return function(*args)


@dataclass(frozen=True)
class Failure:
    """How an attempt ended when it did not complete."""

    code: str
    detail: str
    is_permanent: bool = False
    is_charged: bool = True
    delay_s: float = 0  # of what is not charged; the others wait longer after each attempt


DISK_FULL = Failure("disk_full", "The disk was full.", is_charged=False, delay_s=10)


def run(claims: Sequence[Claim], executor: Executor) -> None:
    """Do claimed operations of one name, together where the handler takes batches; never raises."""
    started = time.monotonic()
    handler = HANDLERS.get(claims[0].name)
    with request_id.bound(claims[0].request_id):
        if handler is None:
            failure = Failure(
                "unknown_operation", f"This worker does not know the operation {claims[0].name!r}.", True
            )
            _record_failures(claims, failure, started)
            return
        try:
            with _scratch(handler) as scratch:
                _attempt(handler, claims, executor, scratch, started)
        except Exception as error:
            _record_failures(claims, failure_of(error), started)


@contextmanager
def _scratch(handler: Handler) -> Iterator[Path]:
    """A folder for one attempt's files; a handler that computes in place needs none."""
    if not handler.isolated:
        yield Path(settings.FILE_UPLOAD_TEMP_DIR)
        return
    with tempfile.TemporaryDirectory(
        dir=scratch_root(), prefix="work-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _attempt(
    handler: Handler, claims: Sequence[Claim], executor: Executor, scratch: Path, started: float
) -> None:
    timeout_s = time_limit_s(handler, claims[0].queue)
    place = executor if handler.isolated else InProcess()
    if handler.batch_size == 1:
        claim = claims[0]
        arguments = handler.load(claim, scratch)
        value = place.run(claims, handler.compute, *arguments, timeout_s=timeout_s, folder=scratch)
        _finish(handler, claim, value, started)
        return
    loaded = _load_batch(handler, claims, scratch, started)
    if loaded:
        mine = [claim for claim, _ in loaded]
        batch = [args for _, args in loaded]
        values = place.run(mine, handler.compute, batch, timeout_s=timeout_s, folder=scratch)
        _finish_batch(handler, list(zip(mine, values, strict=True)), started)


def time_limit_s(handler: Handler, queue: str) -> float:
    """How long one attempt may take: networks work on a large image for minutes."""
    usual = settings.ML_TIMEOUT_SECONDS if queue == Queue.ML else settings.OPERATION_TIMEOUT_SECONDS
    return float(handler.timeout_s or usual)


def _load_batch(
    handler: Handler, claims: Sequence[Claim], scratch: Path, started: float
) -> list[tuple[Claim, tuple]]:
    """The arguments of those members that could be loaded; one bad member does not fail its neighbours."""
    loaded = []
    for claim in claims:
        try:
            loaded.append((claim, handler.load(claim, scratch)))
        except Exception as error:
            _record_failures([claim], failure_of(error), started)
    return loaded


def _finish_batch(handler: Handler, done: list[tuple[Claim, Any]], started: float) -> None:
    """Write the results. A member took its share of the time, or estimates would count all of it for each."""
    share = (time.monotonic() - started) / len(done)
    if handler.save is None:
        _complete([leases.Completion(claim, round(1000 * share), value or {}) for claim, value in done])
        return
    for claim, value in done:
        began = time.monotonic() - share
        try:
            if isinstance(value, ProcessingError):  # this member's input is at fault
                raise value
            _finish(handler, claim, value, began)
        except Exception as error:
            _record_failures([claim], failure_of(error), began)


def _finish(handler: Handler, claim: Claim, value: Any, started: float) -> None:
    """Write the result and complete the operation in one transaction, or drop the result if it is not ours."""
    with removed_on_error():
        value = handler.store(claim, value)
        if handler.save is None:
            _complete([leases.Completion(claim, _ms_since(started), {})])
            return
        for attempt in range(COMPLETION_TRIES):
            try:
                _save_and_complete(handler, claim, value, started, is_again=attempt > 0)
                _log_event(claim, started)
                return
            except (OperationalError, InterfaceError):
                if attempt == COMPLETION_TRIES - 1:
                    raise


def _log_event(claim: Claim, started: float) -> None:
    facts = {"operation": claim.operation_id, "job": str(claim.job_id), "duration_ms": _ms_since(started)}
    logger.info("Operation %s (%s) completed", claim.operation_id, claim.name, extra=facts)


def _save_and_complete(handler: Handler, claim: Claim, value: Any, started: float, *, is_again: bool) -> None:
    assert handler.save is not None
    with transaction.atomic():
        # Of the last try only the answer to its COMMIT may have been lost: then the operation is completed.
        if is_again and not leases.lock([claim]):
            raise LostClaim
        result = handler.save(claim, value) or {}
        # Last, so that the job's row, which its other operations also move, is locked for the shortest time.
        _complete([leases.Completion(claim, _ms_since(started), result)])


def _complete(completions: Sequence[leases.Completion]) -> None:
    won = leases.complete(completions)
    lost = [c.claim.operation_id for c in completions if c.claim.operation_id not in won]
    if lost:
        logger.info("Dropped the results of operations that this worker no longer owns: %s", lost)
    if lost and len(completions) == 1:
        raise LostClaim


def _ms_since(started: float) -> int:
    return round(1000 * (time.monotonic() - started))


def failure_of(error: BaseException) -> Failure | None:
    """What an exception means for the operation; None when the operation is not ours any more."""
    if is_disk_full(error):
        return DISK_FULL
    match error:
        case LostClaim():
            return None
        case ProcessingError():
            return Failure(error.code, error.detail, is_permanent=True)
        case NotYet():
            return Failure("waiting", str(error), is_charged=False, delay_s=error.delay_s)
        case SubprocessTimeout():
            return Failure("time_limit", str(error))
        case SubprocessMemory():
            return Failure("memory_limit", str(error))
        case MemoryError():
            return Failure("memory_limit", "The operation ran out of memory.")
        case SubprocessCrashed():
            return Failure("subprocess_crashed", str(error))
        case SubprocessInterrupted() | Stopped():
            return Failure("interrupted", "The worker stopped.", is_charged=False)
        case OperationalError() | InterfaceError():
            return Failure("database_away", "The database was not available.", is_charged=False)
    logger.error("Operation failed", exc_info=error)
    if is_disk_low():  # libraries have their own words for it: libtiff says only "encoder error"
        return DISK_FULL
    return Failure("internal_error", phrases.UNEXPECTED)


def _record_failures(claims: Sequence[Claim], failure: Failure | None, started: float) -> None:
    if failure is None:
        return
    for claim in claims:
        try:
            _record_failure(claim, failure, started, is_batch=len(claims) > 1)
        except DatabaseError:
            logger.exception(
                "Could not record a failure; the lease of operation %s will expire", claim.operation_id
            )


def _record_failure(claim: Claim, failure: Failure, started: float, *, is_batch: bool) -> None:
    """A batch that died together is not charged: each member runs alone next time."""
    died_together = is_batch and not failure.is_permanent
    is_charged = failure.is_charged and not died_together
    level = logging.WARNING if is_charged else logging.DEBUG if failure.code == "waiting" else logging.INFO
    logger.log(
        level, "Operation %s (%s): %s: %s", claim.operation_id, claim.name, failure.code, failure.detail
    )
    if failure.is_permanent or (is_charged and claim.attempts + 1 >= claim.max_attempts):
        leases.fail(claim, code=failure.code, detail=failure.detail, duration_ms=_ms_since(started))
    else:
        leases.requeue(
            claim,
            code=failure.code,
            detail=failure.detail,
            charge=is_charged,
            run_alone=died_together,
            delay_s=failure.delay_s,
        )
