"""What happens when things die: real worker processes, real kills."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from processing import sweeper
from processing.engine import jobs, wakeups
from processing.engine.jobs import NewOperation
from processing.models import Job, Operation
from processing.states import JobStatus
from tests.processing.engine import handlers
from tests.processing.engine.processes import start_worker, stop, wait_until, workers

pytestmark = [pytest.mark.check, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture(autouse=True)
def _handlers():
    handlers.install()


def waits(folder: Path, count: int, seconds: float) -> Job:
    operations = [
        NewOperation("test-wait", {"seconds": seconds, "folder": str(folder), "name": f"op{n}"})
        for n in range(count)
    ]
    return jobs.submit_job(kind="test", operations=operations)


def misbehaving(how: str, name: str = "test-misbehave", *, neighbours: int = 2) -> Job:
    operations = [NewOperation("test-double", {"value": n}) for n in range(neighbours)]
    return jobs.submit_job(kind="test", operations=[NewOperation(name, {"how": how}), *operations])


def is_finished(job: Job) -> bool:
    job.refresh_from_db()
    return job.is_terminal


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_worker_killed_in_the_middle_finishes_elsewhere_with_one_result(tmp_path):
    with workers(1, "default") as [victim]:
        job = waits(tmp_path, 1, seconds=4)
        wait_until(lambda: lines(tmp_path / "op0.started"))
        victim.kill()
        with workers(1, "default"):
            seconds = wait_until(lambda: is_finished(job))

    print(f"finished {seconds:.1f} s after the kill")
    assert job.status == JobStatus.COMPLETED
    operation = job.operations.get()
    assert (operation.losses, operation.attempts) == (1, 0)
    assert len(lines(tmp_path / "op0.started")) == 2
    assert len(lines(tmp_path / "op0.ended")) == 1, "the killed worker's subprocess must die with it"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("abort", "subprocess_crashed"),
        ("killed", "subprocess_crashed"),
        ("hang", "time_limit"),
        ("memory", "memory_limit"),
    ],
)
def test_subprocess_that_misbehaves_costs_its_attempts_and_nothing_else(how, code):
    with workers(1, "default") as [worker]:
        job = misbehaving(how)
        Operation.objects.filter(job=job, name="test-misbehave").update(max_attempts=1)
        wait_until(lambda: is_finished(job))
        assert worker.poll() is None

    assert (job.status, job.operations_completed) == (JobStatus.COMPLETED_WITH_ERRORS, 2)
    failed = job.operations.get(status="failed")
    assert (failed.error_code, failed.attempts) == (code, 1)
    assert failed.error_detail


def test_tensor_batch_that_dies_is_not_charged_and_its_members_run_alone():
    with workers(1, "ml"):
        jobs.pause_queue("ml")
        hows = ["abort", "well", "well"]
        operations = [NewOperation("test-misbehave-together", {"how": how}) for how in hows]
        job = jobs.submit_job(kind="test", operations=operations)
        job.operations.update(max_attempts=1)
        jobs.resume_queue("ml")
        wait_until(lambda: is_finished(job))

    assert (job.status, job.operations_completed, job.operations_failed) == (
        JobStatus.COMPLETED_WITH_ERRORS,
        2,
        1,
    )
    assert list(job.operations.values_list("run_alone", flat=True)) == [True, True, True]


def test_cancel_ends_a_running_subprocess(tmp_path):
    with workers(1, "default") as [worker]:
        job = waits(tmp_path, 1, seconds=60)
        wait_until(lambda: lines(tmp_path / "op0.started"))
        [pid] = map(int, lines(tmp_path / "op0.started"))
        jobs.cancel_job(job)
        wait_until(lambda: not psutil.pid_exists(pid))
        after = jobs.submit_job(kind="test", operations=[NewOperation("test-double", {"value": 1})])
        wait_until(lambda: is_finished(after))
        assert worker.poll() is None

    assert job.status == JobStatus.CANCELLED
    assert lines(tmp_path / "op0.ended") == []


def test_stopped_worker_gives_its_work_back_uncharged(tmp_path):
    worker = start_worker("default")
    job = waits(tmp_path, 1, seconds=60)
    wait_until(lambda: lines(tmp_path / "op0.started"))
    [pid] = map(int, lines(tmp_path / "op0.started"))

    stop(worker)

    operation = job.operations.get()
    assert (operation.status, operation.attempts, operation.losses) == ("queued", 0, 0)
    assert not psutil.pid_exists(pid)


def test_redis_emptied_in_the_middle_loses_nothing(tmp_path):
    with workers(1, "default"):
        job = waits(tmp_path, 12, seconds=0.3)
        wait_until(lambda: Operation.objects.filter(job=job, status="completed").count() >= 2)
        for _ in range(5):
            wakeups.redis_client().flushall()
            time.sleep(0.2)
        second = waits(tmp_path, 1, seconds=0)
        wakeups.redis_client().flushall()
        wait_until(lambda: is_finished(job) and is_finished(second))

    assert (job.status, second.status) == (JobStatus.COMPLETED, JobStatus.COMPLETED)
    assert job.operations_completed == 12


def test_two_hundred_operations_with_ten_kills_finish_once_each(tmp_path):
    chance = random.Random(7)
    running = [start_worker("default") for _ in range(2)]
    try:
        job = waits(tmp_path, 200, seconds=0.15)
        for _ in range(10):
            time.sleep(chance.uniform(0.5, 1.5))
            victim = chance.randrange(len(running))
            if chance.random() < 0.5:
                running[victim].kill()
                running[victim].wait()
                running[victim] = start_worker("default")
            else:
                _kill_a_subprocess_of(running[victim].pid, chance)
            sweeper.sweep()
        seconds = wait_until(lambda: is_finished(job), wait_s=150)
    finally:
        for worker in running:
            stop(worker)

    print(f"finished {seconds:.1f} s after the last kill")
    assert (job.status, job.operations_completed) == (JobStatus.COMPLETED, 200)
    assert job.events.filter(code="finished").count() == 1
    assert Counter(job.operations.values_list("status", flat=True)) == {"completed": 200}


def _kill_a_subprocess_of(pid: int, chance: random.Random) -> None:
    try:
        children = [
            child for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())
        ]
        if children:
            os.kill(chance.choice(children).pid, signal.SIGKILL)
    except (psutil.Error, ProcessLookupError):
        pass
