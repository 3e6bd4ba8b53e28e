"""Starts and ends real worker processes for a test, and waits for what they do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from processing import sweeper

ROOT = Path(__file__).resolve().parents[3]
WAIT_S = 90  # generous: a slow machine is no failure


def start_worker(queues: str = "light,default,ml", *, lease_s: int = 5) -> subprocess.Popen:
    environment = {
        **os.environ,
        "PIX_TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "PIX_TEST_LEASE_SECONDS": str(lease_s),
        "LEASE_SECONDS": str(lease_s),
        "LOG_LEVEL": "WARNING",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.processing.engine.run_worker", queues],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.DEVNULL if not os.environ.get("PIX_TEST_VERBOSE") else None,
    )


@contextmanager
def workers(
    count: int = 1, queues: str = "light,default,ml", *, lease_s: int = 5
) -> Iterator[list[subprocess.Popen]]:
    started = [start_worker(queues, lease_s=lease_s) for _ in range(count)]
    try:
        yield started
    finally:
        for worker in started:
            stop(worker)


def stop(worker: subprocess.Popen) -> None:
    if worker.poll() is None:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(30)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def wait_until(condition: Callable[[], object], *, sweeping: bool = True, wait_s: float = WAIT_S) -> float:
    """Sweep until a condition holds; answers how many seconds that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < wait_s, "it did not happen in time"
        if sweeping:
            sweeper.sweep()
        time.sleep(0.1)
    return time.monotonic() - started
