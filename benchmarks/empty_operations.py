"""Empty operations per second through the real engine, from submission to the finished job, beside Celery."""

import os
import time

from celery import group

from benchmarks import celery_app, instance
from benchmarks.results import Result
from processing.jobs import NewOperation, submit_job

NAME = "empty_operations"
TIMEOUT_S = 300
WARM_UP = 100


def measure(*, is_quick: bool) -> list[Result]:
    count = 500 if is_quick else 5000
    processes = os.cpu_count() or 2
    with instance.workers():
        single = rate("bench_single", count)
        batched = rate("bench_batch", count)
        isolated = rate("bench_isolated", count // 5)
    with instance.workers(processes, QUEUE_CONCURRENCY_DEFAULT="2"):
        spread_single = rate("bench_single", count)
        spread_batched = rate("bench_batch", count)
    with instance.celery_worker(processes):
        celery = celery_rate(count)
    threads = f"1 process × {processes} threads"
    spread = f"{processes} processes × 2 threads"
    return [
        Result(NAME, "one by one", single, "/s", 1000, detail=threads),
        Result(NAME, "handler takes batches", batched, "/s", 3000, detail=threads),
        Result(NAME, "one by one", spread_single, "/s", detail=spread),
        Result(NAME, "handler takes batches", spread_batched, "/s", detail=spread),
        Result(NAME, "each in a subprocess", isolated, "/s", detail=threads),
        Result(
            NAME,
            "Celery, same Redis",
            celery,
            "/s",
            detail=f"prefork, {processes} processes, results in Redis",
        ),
    ]


def rate(name: str, count: int) -> float:
    """Operations per second of one job of `count`."""
    run_job(name, WARM_UP)
    return count / run_job(name, count)


def run_job(name: str, count: int) -> float:
    started = time.time()
    job = submit_job(kind="bench", operations=[NewOperation(name)] * count)
    return instance.wait_for(job, timeout_s=TIMEOUT_S) - started


def celery_rate(count: int) -> float:
    _celery_run(WARM_UP)
    return count / _celery_run(count)


def _celery_run(count: int) -> float:
    started = time.time()
    result = group(celery_app.nothing.s() for _ in range(count)).apply_async()
    result.join(timeout=TIMEOUT_S)
    return time.time() - started
