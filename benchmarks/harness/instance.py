"""A throw-away Pix: its two servers, its schema, its worker processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from pixproject.embedded import attached
from pixproject.embedded.process import die_with_parent, last_lines

STOP_WAIT_S = 40
START_WAIT_S = 60


@contextlib.contextmanager
def running_servers() -> Iterator[None]:
    """PostgreSQL and Redis for the data folder that the environment names, with today's schema."""
    with attached(Path(os.environ["PIX_DATA_DIR"]), names=["postgres", "redis"]):
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns where it is missing
        register_handlers()
        call_command("migrate", verbosity=0)
        yield


def register_handlers() -> None:
    from benchmarks.harness.handlers import HANDLERS
    from processing.engine import registry

    registry.register(*HANDLERS)


@contextlib.contextmanager
def workers(count: int = 1, *, queues: str = "light,default", **settings: str) -> Iterator[None]:
    """Real worker processes, ready to work when the block begins; `settings` are environment variables."""
    from processing.models import WorkerHeartbeat

    others = WorkerHeartbeat.objects.count()
    processes = [
        _start(["-m", "benchmarks.harness.worker", "--queues", queues], settings) for _ in range(count)
    ]
    try:
        _wait_for_workers(others + count, processes)
        yield
    finally:
        _stop(processes)


@contextlib.contextmanager
def celery_worker(concurrency: int) -> Iterator[None]:
    """A Celery worker on the same Redis."""
    command = [
        "-m",
        "celery",
        "-A",
        "benchmarks.harness.celery_app",
        "worker",
        "-P",
        "prefork",
        "-c",
        str(concurrency),
    ]
    process = _start([*command, "-l", "error", "--without-gossip", "--without-mingle"], {})
    try:
        yield
    finally:
        _stop([process])


def _start(arguments: list[str], settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    log = Path(os.environ["PIX_DATA_DIR"]) / "logs" / "benchmark.log"
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for_workers(count: int, processes: list[subprocess.Popen[bytes]]) -> None:
    from processing.models import WorkerHeartbeat

    deadline = time.monotonic() + START_WAIT_S
    while WorkerHeartbeat.objects.count() < count:
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            log = last_lines(Path(os.environ["PIX_DATA_DIR"]) / "logs" / "benchmark.log", count=20)
            raise RuntimeError(f"{len(processes)} workers did not start:\n{log}")
        time.sleep(0.05)


def wait_for(job: Any, *, timeout_s: float) -> float:
    """The moment a job finished, in seconds since the epoch, by the clock of this machine."""
    from processing.models import Job

    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        finished_at = Job.objects.values_list("finished_at", flat=True).get(pk=job.pk)
        if finished_at is not None:
            return float(finished_at.timestamp())
        time.sleep(0.02)
    raise RuntimeError(f"Job {job.pk} was not finished after {timeout_s:g} s.")
