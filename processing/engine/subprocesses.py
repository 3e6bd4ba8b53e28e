"""Worker subprocesses: a hung, greedy or crashing C library costs one attempt of one operation, never a worker."""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from queue import Empty, LifoQueue
from typing import Any

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from api.core.errors import ApiError, ErrorCode
from pixproject.web.base.text import byte_size
from processing.algorithms.errors import ProcessingError

PR_SET_PDEATHSIG = 1
TASKS_PER_SUBPROCESS = 500  # a fresh one now and then bounds what a leaking library can hold
STOP_TIMEOUT_S = 5
KILLS = (signal.SIGKILL, signal.SIGTERM)  # no library ends itself by them
MAX_WAITING = 6  # callers without patience, for the pool that requests share: less than the threads of views
NICENESS = 5  # of that pool: a page must not wait for somebody's 50 megapixels
START_TIMEOUT_S = 30  # a new subprocess takes its work within a second or two, on a busy machine within ten


class SubprocessTimeout(Exception):
    """The function ran longer than its deadline."""


class SubprocessCrashed(Exception):
    """The subprocess died while it ran the function."""


class SubprocessKilled(SubprocessCrashed):
    """The subprocess was killed from outside: by the kernel for want of memory, or by a person."""


class SubprocessMemory(Exception):
    """The function wanted more memory than its limit."""


class SubprocessesBusy(Exception):
    """As many callers wait for a subprocess as may."""


class SubprocessInterrupted(Exception):
    """The function was stopped on purpose: its operation was cancelled or its worker is stopping."""


@dataclass(frozen=True)
class Needs:
    """What subprocesses may take.

    Attributes:
        memory_bytes: of address space; 0 = no limit.
        modules: imported at the start.
        is_for_models: address space is no measure then, since torch and CUDA reserve far more than they use: the limit
            is on what is writable, as RLIMIT_DATA counts it.
        threads: of the numerical libraries; 0 = as they like.
        niceness: above that of the process that starts them.
    """

    memory_bytes: int
    modules: tuple[str, ...] = ("processing.tasks.operations",)
    is_for_models: bool = False
    threads: int = 0
    niceness: int = 0


def prepare(parent_pid: int, needs: Needs) -> None:
    """Runs first in each subprocess: die with the parent, keep to the memory limit, import what will be needed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)
        if needs.memory_bytes:
            limit = resource.RLIMIT_DATA if needs.is_for_models else resource.RLIMIT_AS
            resource.setrlimit(limit, (needs.memory_bytes, needs.memory_bytes))
    os.nice(needs.niceness)
    if needs.threads:
        os.environ["OMP_NUM_THREADS"] = str(needs.threads)  # read when torch is imported
    for module in needs.modules:
        import_module(module)
    if "cv2" in sys.modules:  # as many subprocesses as cores: OpenCV's own threads would only compete
        sys.modules["cv2"].setNumThreads(1)


class _Slot:
    """One subprocess in a Pebble pool of its own.

    Subprocesses of one pool share pipes and their locks: one that is killed while it holds a lock would hang its
    neighbours. After every bad end the whole pool is replaced, since what is left in its pipe cannot be trusted.
    """

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._is_stopped = False
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        # Spawned, not forked: the caller has threads, and a forked child would inherit their locks and connections.
        return ProcessPool(
            max_workers=1,
            max_tasks=TASKS_PER_SUBPROCESS,
            context=multiprocessing.get_context("spawn"),
            initializer=prepare,
            initargs=(os.getpid(), self._needs),
        )

    def start(self, function: Callable[..., Any], *args: Any, timeout_s: float) -> ProcessFuture:
        try:
            if not _started(self._pool) and not self._is_stopped:
                self.replace()  # something ended its subprocess while it was idle
                _started(self._pool)
            return self._pool.schedule(function, args=args, timeout=timeout_s)
        except RuntimeError as error:
            raise SubprocessInterrupted("The subprocesses are stopping.") from error

    def result(self, future: ProcessFuture, *, timeout_s: float) -> Any:
        """Wait for a function; every way in which it can end has its own exception."""
        try:
            return self._wait(future, timeout_s)
        except FutureTimeout as error:
            self.replace()
            raise SubprocessTimeout(f"The operation took longer than {timeout_s:g} seconds.") from error
        except ProcessExpired as error:
            self.replace()
            kind = SubprocessKilled if -error.exitcode in KILLS else SubprocessCrashed
            raise kind(f"The subprocess ended with exit code {error.exitcode}.") from error
        except MemoryError as error:
            limit = self._needs.memory_bytes
            raise SubprocessMemory(f"The operation needed more than {byte_size(limit)} of memory.") from error
        except (CancelledError, BrokenProcessPool) as error:
            raise SubprocessInterrupted("The operation was stopped.") from error

    def _wait(self, future: ProcessFuture, timeout_s: float) -> Any:
        try:
            return future.result(timeout=START_TIMEOUT_S)
        except FutureTimeout:
            if future.done():
                raise
        if not future.running():
            self.replace()
            raise SubprocessInterrupted("The subprocess did not start.")
        return future.result(timeout=timeout_s + START_TIMEOUT_S)

    def replace(self) -> None:
        self._end()
        if not self._is_stopped:
            self._pool = self._new_pool()

    def stop(self) -> None:
        self._is_stopped = True
        self._end()

    def _end(self) -> None:
        self._pool.stop()
        self._pool.join(STOP_TIMEOUT_S)


@cache
def _starter(_pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "subprocess-starter")


def _started(pool: ProcessPool) -> bool:
    """Start a pool from a thread that lasts; answers whether it works.

    The parent's death that ends a subprocess is that of the thread which spawned it, and the thread of a request
    may end with its request. Later subprocesses of the pool are spawned by a thread of its own.
    """
    # By process: a forked one has none of its parent's threads.
    return _starter(os.getpid()).submit(lambda: pool.active).result()


class SubprocessPool:
    """As many subprocesses as there may be callers at once; each runs pure functions with a deadline and a limit."""

    def __init__(self, *, size: int, needs: Needs) -> None:
        self._slots = [_Slot(needs) for _ in range(size)]
        self._free: LifoQueue[_Slot] = LifoQueue()  # the one used last is warm
        for slot in self._slots:
            self._free.put(slot)
        self._is_stopped = False
        self._waiting = 0
        self._waiting_lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the subprocesses now, so that the first operation does not wait for their imports."""
        for slot in self._slots:
            slot.start(os.getpid, timeout_s=STOP_TIMEOUT_S)

    def warm_up_first(self) -> None:
        """Start the subprocess that the next caller gets; one that comes meanwhile shares the wait."""
        self._slots[-1].start(os.getpid, timeout_s=STOP_TIMEOUT_S)

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        timeout_s: float,
        on_start: Callable[[ProcessFuture], None] = lambda future: None,
        max_waiting: int | None = None,
    ) -> Any:
        """Run a function and wait for it; `on_start` gets its future, on which `cancel()` ends the subprocess.

        Raises:
            SubprocessesBusy where none is free and `max_waiting` callers wait already; SubprocessTimeout,
            SubprocessCrashed, SubprocessMemory, SubprocessInterrupted, or what it raised.
        """
        slot = self._take(max_waiting)
        try:
            if self._is_stopped:
                raise SubprocessInterrupted("The subprocesses are stopping.")
            future = slot.start(function, *args, timeout_s=timeout_s)
            on_start(future)
            return slot.result(future, timeout_s=timeout_s)
        finally:
            self._free.put(slot)

    def _take(self, max_waiting: int | None) -> _Slot:
        with suppress(Empty):
            return self._free.get_nowait()
        with self._waiting_lock:
            if max_waiting is not None and self._waiting >= max_waiting:
                raise SubprocessesBusy
            self._waiting += 1
        try:
            return self._free.get()
        finally:
            with self._waiting_lock:
                self._waiting -= 1

    def stop(self) -> None:
        """End the subprocesses, whatever they are doing."""
        self._is_stopped = True
        for slot in self._slots:
            slot.stop()


_shared_lock = threading.Lock()
_shared: dict[int, SubprocessPool] = {}


def run_isolated(
    function: Callable[..., Any],
    *args: Any,
    timeout_s: float,
    memory_bytes: int,
    is_patient: bool = False,
) -> Any:
    """Run a function in this process's own small pool, for callers that wait for it; failures are the input's fault.

    `is_patient` waits for its turn however many wait: for uploads, whose number the web worker bounds. Others must
    not hold all threads of views.

    Raises:
        ProcessingError: what the function raised, or `decode_timeout`, `memory_limit`, `subprocess_crashed`;
            `unavailable` when nothing is known about the input, because the subprocess was killed from outside twice.
        ApiError: 503 where too many wait.
    """
    pool = _shared_pool(memory_bytes)
    try:
        limits: dict[str, Any] = {"timeout_s": timeout_s, "max_waiting": None if is_patient else MAX_WAITING}
        try:
            return pool.run(function, *args, **limits)
        except SubprocessKilled:
            return pool.run(function, *args, **limits)
    except SubprocessesBusy as error:
        detail = "Too many images are being read at the moment. Try again in a few seconds."
        raise ApiError(ErrorCode.UNAVAILABLE, detail, headers={"Retry-After": "5"}) from error
    except SubprocessTimeout as error:
        detail = f"The file could not be read within {timeout_s:g} seconds."
        raise ProcessingError(detail, code="decode_timeout") from error
    except SubprocessMemory as error:
        detail = f"Reading the file needs more than {byte_size(memory_bytes)} of memory."
        raise ProcessingError(detail, code="memory_limit") from error
    except (SubprocessKilled, SubprocessInterrupted) as error:
        detail = "The subprocess that reads the file was ended. Try again in a few seconds."
        raise ProcessingError(detail, code="unavailable") from error
    except SubprocessCrashed as error:
        raise ProcessingError("The file crashed the decoder.", code="subprocess_crashed") from error


def warm_up_shared(memory_bytes: int, *, after_s: float) -> None:
    """Start a subprocess of this process's own pool a little later: the start of the process itself comes first."""

    def warm_up() -> None:
        with suppress(SubprocessInterrupted):  # the process is ending already
            _shared_pool(memory_bytes).warm_up_first()

    timer = threading.Timer(after_s, warm_up)
    timer.daemon = True  # the end of the process waits for no warm-up
    timer.start()


def _shared_pool(memory_bytes: int) -> SubprocessPool:
    pid = os.getpid()  # a forked web process must not use its parent's subprocesses
    with _shared_lock:
        if pid not in _shared:
            _shared[pid] = SubprocessPool(
                size=os.cpu_count() or 2,
                needs=Needs(memory_bytes, niceness=NICENESS),
            )
        return _shared[pid]
