"""Is Pix well? Each check has its own thread and a deadline: a dependency that hangs delays no answer."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as DeadlineExceeded
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import psutil
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from pixproject.web.base.text import byte_size
from processing import model_availability, phrases, queue_metrics
from processing.engine import wakeups

DEADLINE_S = 2.0
READY_CACHE_S = 1.0
STALE_WAIT_S = 300
STARTED = psutil.Process().create_time()  # not when this module was first asked for

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
TITLES = {
    OK: "Everything works",
    DEGRADED: "Something needs attention",
    FAILED: "A part of Pix has failed",
}


@dataclass(frozen=True)
class Check:
    """What one check found."""

    status: str
    ms: float
    detail: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """All checks and what they come to."""

    status: str
    checks: dict[str, Check]

    @property
    def title(self) -> str:
        return TITLES[self.status]

    @property
    def http_status(self) -> int:
        """503 when a server that Pix needs is away: the database, Redis, the storage, room on the disk."""
        servers = ("database", "redis", "storage", "disk")
        return (
            503 if any(self.checks[name].status == FAILED for name in servers if name in self.checks) else 200
        )


Finding = tuple[str, str, dict[str, Any]]  # status, detail, data


def check_database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (version,) = cursor.fetchone()
    return OK, "", {"version": version}


def check_redis() -> Finding:
    client = wakeups.redis_client()
    try:
        client.ping()
    finally:
        client.close()
    return OK, "", {}


def check_storage() -> Finding:
    """Write, read and delete a small file."""
    content = uuid.uuid4().bytes
    key = f"health/{uuid.uuid4().hex}"
    try:
        default_storage.save(key, ContentFile(content))
        with default_storage.open(key, "rb") as stored:
            if stored.read() != content:
                return FAILED, "The storage returned different bytes than were written.", {}
    finally:
        default_storage.delete(key)  # on a full disk there is an empty file
    return OK, "", {"backend": settings.STORAGE_BACKEND}


def check_queues() -> Finding:
    queues = queue_metrics.queue_numbers()
    data = {
        queue.name: {
            "waiting": queue.waiting,
            "running": queue.running,
            "oldest_waiting_seconds": queue.oldest_waiting_seconds,
            "paused": queue.paused,
        }
        for queue in queues
    }
    told = [
        phrases.paused(queue.name, queue.reason) + phrases.waiting_in(queue.waiting)
        for queue in queues
        if queue.paused
    ]
    stale = [q.name for q in queues if not q.paused and (q.oldest_waiting_seconds or 0) > STALE_WAIT_S]
    if stale:
        told.append(f"Operations have been waiting for more than {STALE_WAIT_S} s in: {', '.join(stale)}.")
    return DEGRADED if told else OK, " ".join(told), data


def check_workers() -> Finding:
    workers = list(queue_metrics.live_workers())
    unserved = [name for name in wakeups.QUEUES if not any(name in worker.queues for worker in workers)]
    data = {"alive": len(workers), "threads": sum(worker.threads for worker in workers)}
    if unserved:
        return (
            DEGRADED,
            f"No worker is serving: {', '.join(unserved)}. Operations in these queues will wait.",
            data,
        )
    return OK, "", data


def check_disk() -> Finding:
    usage = psutil.disk_usage(str(settings.DATA_DIR))
    data = {
        "free_bytes": usage.free,
        "total_bytes": usage.total,
        "minimum_free_bytes": settings.MIN_FREE_DISK_BYTES,
    }
    if usage.free < settings.MIN_FREE_DISK_BYTES:
        limit = settings.MIN_FREE_DISK_BYTES
        return (
            FAILED,
            f"{byte_size(usage.free)} are free. Below {byte_size(limit)}, uploads and jobs are refused"
            " and operations wait.",
            data,
        )
    return OK, "", data


def check_models() -> Finding:
    """That models are missing is no fault: what needs one says so. Files that are refused are named."""
    models = model_availability.models()
    refused = [model for model in models if model.is_refused]
    present = sum(model.available for model in models)
    data = {
        "present": present,
        "missing": len(models) - present - len(refused),
        "refused": [model.name for model in refused],
    }
    return OK, " ".join(model.why_not for model in refused), data


CHECKS: dict[str, Callable[[], Finding]] = {
    "database": check_database,
    "redis": check_redis,
    "storage": check_storage,
    "queues": check_queues,
    "workers": check_workers,
    "disk": check_disk,
    "models": check_models,
}
INFORMATION = {"models"}  # what they find makes nothing of Pix fail
FAILURE_MEANS = {
    "redis": "Jobs are still accepted and will start when Redis is available again.",
    "database": "Nothing can be submitted or read.",
    "storage": "Files cannot be stored or served.",
}

_running: dict[Callable[[], Finding], Future[Check]] = {}
_lock = threading.Lock()


def examine(names: tuple[str, ...] = tuple(CHECKS), *, deadline_s: float = DEADLINE_S) -> Health:
    """Run the named checks beside each other; one that misses the deadline counts as failed."""
    ends = time.monotonic() + deadline_s
    probes = {name: _probe(CHECKS[name]) for name in names}
    checks = {}
    for name, probe in probes.items():
        try:
            check = probe.result(timeout=max(0.0, ends - time.monotonic()))
        except DeadlineExceeded:
            check = Check(FAILED, round(1000 * deadline_s, 1), f"No response within {deadline_s} s.")
        if check.status == FAILED and name in FAILURE_MEANS:
            check = replace(check, detail=f"{check.detail.rstrip('. ')}. {FAILURE_MEANS[name]}")
        checks[name] = check
    counted = {name: check.status for name, check in checks.items() if name not in INFORMATION}
    statuses = set(counted.values())
    worst = FAILED if FAILED in statuses else DEGRADED if DEGRADED in statuses else OK
    if [name for name, status in counted.items() if status == FAILED] == ["redis"]:
        worst = DEGRADED
    return Health(worst, checks)


def _probe(check: Callable[[], Finding]) -> Future[Check]:
    """Start a check, or join the one that still hangs: however often health is requested, each has one thread."""
    with _lock:
        probe = _running.get(check)
        if probe is None or probe.done():
            probe = _running[check] = Future()
            threading.Thread(target=_run, args=(check, probe), daemon=True).start()
        return probe


def _run(check: Callable[[], Finding], probe: Future[Check]) -> None:
    started = time.perf_counter()
    try:
        status, detail, data = check()
    except Exception as error:
        status, detail, data = (
            FAILED,
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            {},
        )
    with contextlib.suppress(Exception):
        connection.close()
    probe.set_result(Check(status, round(1000 * (time.perf_counter() - started), 1), detail, data))


def as_json(health: Health) -> dict[str, Any]:
    """The answer of the deep health check."""
    return {
        "status": health.status,
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "uptime_seconds": round(max(0.0, time.time() - STARTED), 1),
        "checks": {name: asdict(check) for name, check in health.checks.items()},
    }


_ready: tuple[float, bool] = (0.0, False)


def is_ready() -> bool:
    """Can this process take a request? Remembered for a second, since anybody may ask."""
    global _ready
    asked_at, answer = _ready
    if time.monotonic() - asked_at > READY_CACHE_S:
        answer = examine(("database", "storage")).status == OK
        _ready = (time.monotonic(), answer)
    return answer
