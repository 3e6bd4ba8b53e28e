"""A worker process: threads that drain queues, and one that keeps their leases."""

import logging
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from api.core.disk import is_disk_low
from processing.engine import leases, runner, wakeups
from processing.engine.executor import Isolated
from processing.engine.registry import HANDLERS, Claim
from processing.engine.subprocesses import Needs, SubprocessPool
from processing.models import WorkerHeartbeat
from processing.states import Queue

logger = logging.getLogger("pix.worker")
DRAIN_SECONDS = 30  # then other queues and a shutdown get a turn
KEEP_INTERVAL_S = 1  # how soon a cancelled operation's subprocess ends
HEARTBEAT_S = 5
SHUTDOWN_GRACE_S = 8  # what runs may finish within it; the rest goes back to its queue uncharged
REQUEUE_GRACE_S = 5


class Worker:
    """Claims, runs and completes operations in its threads until it is stopped."""

    def __init__(self, queues: Mapping[str, int]) -> None:
        self.queues = dict(queues)
        self.id = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._pools = pools_for(queues)
        self._isolated = Isolated(self._pools)
        self._told: dict[int, float] = {}
        self._running: dict[int, Claim] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._started_at = time.monotonic()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        for pool in set(self._pools.values()):
            pool.warm_up()
        self._keeper.start()

    def drain(self, queue: str) -> None:
        """Work until the queue is empty; after a while hand over to another wake-up."""
        connection.close_if_unusable_or_obsolete()
        deadline = time.monotonic() + DRAIN_SECONDS
        while not self._stopping.is_set():
            groups = claim_batch(queue, worker=self.id)
            if not groups:
                return
            self._run(groups)
            if time.monotonic() > deadline:
                wakeups.send(queue)
                return

    def _run(self, groups: Sequence[Sequence[Claim]]) -> None:
        claims = {claim.operation_id: claim for group in groups for claim in group}
        with self._lock:
            self._running.update(claims)
        try:
            for group in groups:
                runner.run(group, self._isolated)
        finally:
            with self._lock:
                for operation_id in claims:
                    self._running.pop(operation_id, None)

    def stop(self) -> None:
        """Take nothing new, let what runs finish for a while, then end the subprocesses."""
        self._stopping.set()
        self._wait_for_running(SHUTDOWN_GRACE_S)
        self._isolated.end(set(self._running))
        self._wait_for_running(REQUEUE_GRACE_S)
        for pool in set(self._pools.values()):
            pool.stop()
        self._keeper.join(2 * KEEP_INTERVAL_S)

    def _wait_for_running(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(0.05)

    def _keep(self) -> None:
        """Renew the leases, end what is not ours any more, tell that this worker lives."""
        renewed = beaten = 0.0
        while not (self._stopping.is_set() and not self._running):
            now = time.monotonic()
            try:
                if now - renewed >= settings.LEASE_SECONDS / 4:
                    self._check(leases.renew)
                    renewed = now
                else:
                    self._check(leases.owned)
                self._tell_progress()
                if now - beaten >= HEARTBEAT_S:
                    self._beat()
                    beaten = now
            except DatabaseError as error:
                logger.warning("Could not renew the leases: %s", error)
                connection.close()
            time.sleep(KEEP_INTERVAL_S)
        self._say_goodbye()

    def _check(self, ask: Callable[[Sequence[Claim]], set[int]]) -> None:
        with self._lock:
            claims = list(self._running.values())
        if claims:
            lost = {claim.operation_id for claim in claims} - ask(claims)
            self._isolated.ask_to_end(lost)

    def _tell_progress(self) -> None:
        """Write how far the operations are that tell it, where that has changed."""
        shares = self._isolated.shares()
        changed = {i: share for i, share in shares.items() if self._told.get(i) != share}
        with self._lock:
            claims = [claim for i, claim in self._running.items() if i in changed]
        leases.tell_progress(claims, changed)
        self._told = shares

    def _beat(self) -> None:
        values = {
            "host": platform.node(),
            "pid": os.getpid(),
            "queues": sorted(self.queues),
            "threads": sum(self.queues.values()),
            "running": len(self._running),
            # By the database's clock, as leases are: this machine's own may be wrong.
            "started_at": Now() - timedelta(seconds=time.monotonic() - self._started_at),
            "seen_at": Now(),
        }
        WorkerHeartbeat.objects.update_or_create(id=self.id, defaults=values)

    def _say_goodbye(self) -> None:
        try:
            WorkerHeartbeat.objects.filter(id=self.id).delete()
        except DatabaseError as error:
            logger.info("Could not remove this worker's heartbeat: %s", error)
        finally:
            connection.close()


def pools_for(queues: Mapping[str, int]) -> dict[str, SubprocessPool]:
    """A pool for each queue; those without networks share one, and networks stay out of it."""
    models = queues.get(Queue.ML, 0)
    others = sum(queues.values()) - models
    pools = {}
    if others:
        shared = SubprocessPool(size=others, needs=Needs(settings.OPERATION_MEMORY_BYTES))
        pools = {queue: shared for queue in queues if queue != Queue.ML}
    if models:
        threads = max(1, (os.cpu_count() or 1) // models)
        needs = Needs(settings.ML_MEMORY_BYTES, is_for_models=True, threads=threads)
        pools[Queue.ML] = SubprocessPool(size=models, needs=needs)
    return pools


def claim_batch(queue: str, *, worker: str = "") -> list[list[Claim]]:
    """The next operation of a queue, with others of its name where its handler takes several; grouped as they run."""
    claims = _claim_first(queue, worker)
    handler = HANDLERS.get(claims[0].name) if claims else None
    if handler is None or handler.claim_size == 1 or claims[0].run_alone:
        return [claims] if claims else []
    claims += leases.claim(queue, limit=handler.claim_size - 1, worker=worker, name=handler.name)
    return [claims] if handler.batch_size > 1 else [[claim] for claim in claims]


def _claim_first(queue: str, worker: str) -> list[Claim]:
    """The best operation; on a nearly full disk only one that writes no files, such as the clean-up that makes room."""
    if not is_disk_low():
        return leases.claim(queue, worker=worker)
    in_place = (handler.name for handler in HANDLERS.values() if not handler.isolated)
    return next(
        (claims for name in in_place if (claims := leases.claim(queue, worker=worker, name=name))), []
    )


def run_until_idle(queues: Iterable[str] = wakeups.QUEUES) -> int:
    """Do everything that can be claimed now in this process, through the same engine code; answers how many."""
    done, place = 0, runner.InProcess()
    pending = True
    while pending:
        pending = False
        for queue in queues:
            while groups := claim_batch(queue, worker="in-process"):
                pending = True
                for group in groups:
                    runner.run(group, place)
                    done += len(group)
    return done


def forget_lost_workers() -> int:
    """Remove the heartbeats of workers that have not been seen for a minute."""
    return WorkerHeartbeat.objects.filter(seen_at__lt=Now() - timedelta(minutes=1)).delete()[0]
