"""Worker subprocesses: a hung, greedy or crashing C library costs one attempt of one operation, never a worker."""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from processing.algorithms.errors import ProcessingError

PR_SET_PDEATHSIG = 1
TASKS_PER_SUBPROCESS = 500  # a fresh one now and then bounds what a leaking library can hold
STOP_TIMEOUT_S = 5


class SubprocessTimeout(Exception):
    """The function ran longer than its deadline."""


class SubprocessCrashed(Exception):
    """The subprocess died while it ran the function."""


class SubprocessMemory(Exception):
    """The function wanted more memory than its limit."""


class SubprocessInterrupted(Exception):
    """The function was stopped on purpose: its operation was cancelled or its worker is stopping."""


def prepare(parent_pid: int, memory_bytes: int, modules: tuple[str, ...]) -> None:
    """Runs first in each subprocess: die with the parent, keep to the memory limit, import what will be needed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)
        if memory_bytes:
            resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    for module in modules:
        import_module(module)
    if "cv2" in sys.modules:  # as many subprocesses as cores: OpenCV's own threads would only compete
        sys.modules["cv2"].setNumThreads(1)


class SubprocessPool:
    """A few spawned subprocesses that run pure functions with a deadline and a memory limit.

    Spawned, not forked: the caller has threads, and a forked child would inherit its locks and connections.
    """

    def __init__(self, *, size: int, memory_bytes: int, modules: tuple[str, ...] = ("processing.compute",)) -> None:
        self._memory_bytes = memory_bytes
        self._pool = ProcessPool(
            max_workers=size,
            max_tasks=TASKS_PER_SUBPROCESS,
            context=multiprocessing.get_context("spawn"),
            initializer=prepare,
            initargs=(os.getpid(), memory_bytes, modules),
        )

    def start(self, function: Callable[..., Any], *args: Any, timeout_s: float) -> ProcessFuture:
        """Run a function; `cancel()` on the answer ends its subprocess."""
        try:
            return self._pool.schedule(function, args=args, timeout=timeout_s)
        except (BrokenProcessPool, RuntimeError) as error:
            raise SubprocessInterrupted("The subprocesses are stopping.") from error

    def result(self, future: ProcessFuture, *, timeout_s: float) -> Any:
        """Wait for a function; every way in which it can end has its own exception."""
        try:
            return future.result()
        except FutureTimeout as error:
            raise SubprocessTimeout(f"It ran longer than {timeout_s:g} seconds.") from error
        except ProcessExpired as error:
            raise SubprocessCrashed(f"The subprocess ended with exit code {error.exitcode}.") from error
        except MemoryError as error:
            raise SubprocessMemory(f"It wanted more than {self._memory_bytes} bytes of memory.") from error
        except (CancelledError, BrokenProcessPool) as error:
            raise SubprocessInterrupted("It was stopped.") from error

    def run(self, function: Callable[..., Any], *args: Any, timeout_s: float) -> Any:
        return self.result(self.start(function, *args, timeout_s=timeout_s), timeout_s=timeout_s)

    def stop(self) -> None:
        """End the subprocesses, whatever they are doing."""
        self._pool.stop()
        self._pool.join(STOP_TIMEOUT_S)


_shared_lock = threading.Lock()
_shared: dict[int, SubprocessPool] = {}


def run_isolated(function: Callable[..., Any], *args: Any, timeout_s: float, memory_bytes: int) -> Any:
    """Run a function in this process's own small pool, for callers that wait for it; failures are the input's fault.

    Raises:
        ProcessingError: what the function raised, or `decode_timeout`, `memory_limit`, `subprocess_crashed`.
    """
    try:
        return _shared_pool(memory_bytes).run(function, *args, timeout_s=timeout_s)
    except SubprocessTimeout as error:
        detail = f"The file could not be read within {timeout_s:g} seconds."
        raise ProcessingError(detail, code="decode_timeout") from error
    except SubprocessMemory as error:
        detail = f"The file needs more than {memory_bytes} bytes of memory to be read."
        raise ProcessingError(detail, code="memory_limit") from error
    except SubprocessCrashed as error:
        raise ProcessingError("The file makes its decoder crash.", code="subprocess_crashed") from error


def _shared_pool(memory_bytes: int) -> SubprocessPool:
    pid = os.getpid()  # a forked web process must not use its parent's subprocesses
    with _shared_lock:
        if pid not in _shared:
            _shared[pid] = SubprocessPool(size=os.cpu_count() or 2, memory_bytes=memory_bytes)
        return _shared[pid]
