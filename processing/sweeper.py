"""What must happen even if a worker, a message or Redis is lost. Any number of copies may run."""

import logging
import time
from collections.abc import Callable

import redis
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils import timezone

from api.models import IdempotencyKey
from processing import queue_metrics
from processing.engine import leases, wakeups, worker
from processing.engine.registry import CHORES
from processing.storage import retention

logger = logging.getLogger("pix.sweeper")
RETENTION_INTERVAL_S = 3600
HOUSEKEEPING_INTERVAL_S = 60

_CLAIMABLE = """
SELECT q.name, (SELECT count(*) FROM (
    SELECT 1 FROM processing_operation o
    WHERE o.queue = q.name AND o.status = 'queued' AND o.available_at <= statement_timestamp() LIMIT 64) waiting)
FROM unnest(%s::text[]) AS q(name)
WHERE NOT EXISTS (SELECT 1 FROM processing_queuecontrol c WHERE c.name = q.name AND c.paused)"""


def sweep() -> dict[str, int]:
    """One round: take back expired leases, wake queues that no worker was notified of."""
    returned, failed = leases.expire()
    if returned or failed:
        logger.warning("Workers lost: %s operations queued again, %s failed", returned, failed)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMABLE, [list(wakeups.QUEUES)])
        claimable = {name: count for name, count in cursor.fetchall() if count}
    woken = sum(_wake(queue, count) for queue, count in claimable.items())
    return {"returned": returned, "failed": failed, "woken": woken}


def _wake(queue: str, count: int) -> bool:
    """Wake a queue's threads unless a wake-up is already on its way."""
    try:
        if wakeups.waiting(queue):
            return False
    except redis.RedisError:
        return False
    return wakeups.send(queue, count)


def housekeeping() -> None:
    """What need not happen every second."""
    IdempotencyKey.objects.filter(expires_at__lt=timezone.now()).delete()
    worker.forget_lost_workers()
    queue_metrics.fold_counts()


def apply_retention() -> None:
    """Once an hour in the whole installation, whatever the number of sweepers."""
    if cache.add("retention-applied", 1, RETENTION_INTERVAL_S):
        retention.apply_retention()


def do_chores(done_at: dict[str, float]) -> None:
    """What the apps registered, each as often as it asked for; one that fails does not stop the others."""
    for name, (every_s, chore) in CHORES.items():
        now = time.monotonic()
        if now - done_at.get(name, float("-inf")) < every_s:
            continue
        done_at[name] = now
        try:
            chore()
        except DatabaseError:
            raise
        except Exception:
            logger.exception("The periodic task %s failed", name)


def sweep_forever(is_stopped: Callable[[], bool]) -> None:
    """Sweep every second; a database that is away is waited for."""
    cleaned = retained = -float(RETENTION_INTERVAL_S)
    done_at: dict[str, float] = {}
    while not is_stopped():
        try:
            sweep()
            do_chores(done_at)
            now = time.monotonic()
            if now - cleaned > HOUSEKEEPING_INTERVAL_S:
                housekeeping()
                cleaned = now
            if now - retained > RETENTION_INTERVAL_S:
                apply_retention()
                retained = now
        except Exception:
            logger.exception("The sweep failed; the next one starts in one second")
            connection.close()
        time.sleep(1)
