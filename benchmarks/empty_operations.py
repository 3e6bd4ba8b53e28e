"""Empty operations per second through the real engine, from submission to the finished job, beside Celery."""

import os
import time
from collections.abc import Callable, Mapping

from celery import group

from benchmarks.harness import celery_app, instance
from benchmarks.harness.results import Result
from processing.engine.jobs import NewOperation, submit_job

NAME = "empty_operations"
TIMEOUT_S = 300
WARM_UP = 100
TURNS = 2
Run = Callable[[int], float]  # how many; answers seconds


def measure(*, is_quick: bool) -> list[Result]:
    count = 200 if is_quick else 5000
    processes = os.cpu_count() or 2
    with instance.workers(), instance.celery_worker(processes):
        mine = take_turns(
            {"single": engine("bench_single"), "batch": engine("bench_batch"), "celery": celery_run}, count
        )
        isolated = take_turns({"isolated": engine("bench_isolated")}, count // 5)["isolated"]
    with instance.workers(processes, QUEUE_CONCURRENCY_DEFAULT="2"):
        spread = take_turns({"single": engine("bench_single"), "batch": engine("bench_batch")}, count)
    here = f"1 process × {processes} threads"
    there = f"{processes} processes × 2 threads"
    prefork = f"prefork, {processes} processes, results in Redis"
    return [
        Result(NAME, "one by one", mine["single"], "/s", 1000, detail=here),
        Result(NAME, "handler takes batches", mine["batch"], "/s", 3000, detail=here),
        Result(NAME, "Celery, same Redis", mine["celery"], "/s", detail=prefork),
        Result(NAME, "one by one against Celery", mine["single"] / mine["celery"], "×"),
        Result(NAME, "each in a subprocess", isolated, "/s", detail=here),
        Result(NAME, "one by one", spread["single"], "/s", detail=there),
        Result(NAME, "handler takes batches", spread["batch"], "/s", detail=there),
    ]


def take_turns(sides: Mapping[str, Run], count: int) -> dict[str, float]:
    """Operations per second of each side; what else the machine does touches all of them alike."""
    seconds = dict.fromkeys(sides, 0.0)
    for run in sides.values():
        run(WARM_UP)
    for _ in range(TURNS):
        for name, run in sides.items():
            seconds[name] += run(count // TURNS)
    return {name: count // TURNS * TURNS / spent for name, spent in seconds.items()}


def engine(name: str) -> Run:
    """One job of so many operations, from before its submission until it is finished."""

    def run(count: int) -> float:
        started = time.time()
        job = submit_job(kind="bench", operations=[NewOperation(name)] * count)
        return instance.wait_for(job, timeout_s=TIMEOUT_S) - started

    return run


def celery_run(count: int) -> float:
    started = time.time()
    result = group(celery_app.nothing.s() for _ in range(count)).apply_async()
    result.join(timeout=TIMEOUT_S)
    return time.time() - started
