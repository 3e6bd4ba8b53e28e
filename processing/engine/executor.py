"""Operations in worker subprocesses: which pool computes them, how far they are, how they are ended."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pebble import ProcessFuture

from processing.engine.registry import Claim
from processing.engine.subprocesses import SubprocessPool
from processing.tasks import progress as watched

OBEY_S = 2  # how long a function that was asked to stop may take before its subprocess is ended


@dataclass
class _Task:
    """What runs for one attempt, of one operation or of a tensor batch."""

    future: ProcessFuture
    folder: Path
    asked_at: float | None = None


class Isolated:
    """Computes in the subprocesses of the queue's pool."""

    def __init__(self, pools: Mapping[str, SubprocessPool]) -> None:
        self._pools = pools
        self._tasks: dict[int, _Task] = {}
        self._lock = threading.Lock()

    def run(
        self,
        claims: Sequence[Claim],
        function: Callable[..., Any],
        *args: Any,
        timeout_s: float,
        folder: Path,
    ) -> Any:
        ids = [claim.operation_id for claim in claims]

        def remember(future: ProcessFuture) -> None:
            with self._lock:
                self._tasks.update(dict.fromkeys(ids, _Task(future, folder)))

        pool = self._pools[claims[0].queue]
        try:
            return pool.run(function, *args, timeout_s=timeout_s, on_start=remember)
        finally:
            with self._lock:
                for operation_id in ids:
                    self._tasks.pop(operation_id, None)

    def end(self, operation_ids: Iterable[int]) -> None:
        """End the subprocesses of operations at once."""
        for task in self._tasks_of(operation_ids):
            task.future.cancel()

    def ask_to_end(self, operation_ids: Iterable[int]) -> None:
        """End operations that are not ours any more; called again and again until they are gone.

        A function that tells how far it is also looks whether it should stop, and keeps its subprocess with the
        networks that it has loaded. All others are ended, and so is one that does not obey in time.
        """
        for task in self._tasks_of(operation_ids):
            now = time.monotonic()
            if task.asked_at is None and watched.ask_to_stop(task.folder):
                task.asked_at = now
            elif task.asked_at is None or now - task.asked_at > OBEY_S:
                task.future.cancel()

    def shares(self) -> dict[int, float]:
        """How far the operations are that tell it, by their id."""
        with self._lock:
            tasks = dict(self._tasks)
        shares = {operation_id: watched.share_of(task.folder) for operation_id, task in tasks.items()}
        return {operation_id: share for operation_id, share in shares.items() if share is not None}

    def _tasks_of(self, operation_ids: Iterable[int]) -> list[_Task]:
        with self._lock:
            tasks = [self._tasks[i] for i in operation_ids if i in self._tasks]
        return list({id(task): task for task in tasks}.values())
