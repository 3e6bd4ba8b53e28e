"""Estimates come from what finished operations took, shared over the threads that serve their queue."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from processing import estimates
from processing.estimates import Duration, Estimate
from processing.models import Job, Operation, WorkerHeartbeat
from processing.states import JobStatus, OperationStatus, Priority

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_threads_and_no_memory(settings, monkeypatch):
    settings.QUEUE_CONCURRENCY_DEFAULT = 2
    monkeypatch.setattr(estimates, "_remembered", {})


def job(**fields) -> Job:
    return Job.objects.create(operations_total=100, **fields)


def add(owner: Job, name: str, *, count: int = 1, **fields) -> None:
    start = owner.operations.count()
    rows = [Operation(job=owner, position=start + n, name=name, **fields) for n in range(count)]
    Operation.objects.bulk_create(rows)


def took(name: str, *durations_ms: int, cached: bool = False) -> None:
    done = job(status=JobStatus.COMPLETED, finished_at=timezone.now())
    for duration_ms in durations_ms:
        facts = {"status": OperationStatus.COMPLETED, "finished_at": timezone.now(), "cached": cached}
        add(done, name, duration_ms=duration_ms, **facts)


def test_measured_is_median_and_90th_percentile_of_what_was_computed():
    took("webp", *range(100, 1100, 100))
    took("webp", 0, 0, 0, cached=True)

    assert estimates.measured("webp") == Duration(500, 900, 10)


def test_never_measured_is_a_guess_that_the_first_measurement_replaces():
    assert estimates.measured("webp") == estimates.UNKNOWN
    took("webp", 70)
    assert estimates.measured("webp") == Duration(70, 70, 1)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ({}, Estimate(0, 0, 0)),
        ({("slow", "default"): 1}, Estimate(4, 4, 1)),  # one operation cannot be shared
        ({("slow", "default"): 10}, Estimate(20, 20, 1)),
        ({("slow", "default"): 10, ("quick", "default"): 10}, Estimate(22.5, 22.5, 2)),
        ({("slow", "default"): 10, ("quick", "ml"): 100}, Estimate(50, 50, 2)),  # queues work side by side
    ],
)
def test_estimate_shares_work_over_threads(settings, work, expected):
    settings.QUEUE_CONCURRENCY_ML = 1
    took("slow", 4000)
    took("quick", 500)

    assert estimates.estimate(work) == expected


def test_more_workers_finish_sooner():
    took("slow", 4000)
    now = timezone.now()
    facts = {
        "host": "h",
        "pid": 1,
        "queues": ["light", "default"],
        "threads": 9,
        "started_at": now,
        "seen_at": now,
    }
    for name in ("a", "b"):
        WorkerHeartbeat.objects.create(id=name, **facts)

    assert estimates.estimate({("slow", "default"): 10}) == Estimate(10, 10, 1)


def test_eta_counts_what_is_served_before():
    took("slow", 4000)
    first, mine, later = job(), job(), job()
    for owner in (first, mine, later):
        add(owner, "slow", count=2)

    assert estimates.job_eta(first).seconds_p50 == 4
    assert estimates.job_eta(mine).seconds_p50 == 8
    mine.priority = Priority.URGENT
    assert estimates.job_eta(mine).seconds_p50 == 4


def test_eta_of_what_tells_its_progress_follows_its_pace():
    took("slow", 4000)
    mine = job()
    began_at = timezone.now() - timedelta(seconds=30)
    lease = {"token": uuid.uuid4(), "lease_until": timezone.now()}
    add(mine, "slow", status=OperationStatus.RUNNING, started_at=began_at, progress=0.25, **lease)
    assert estimates.job_eta(mine).seconds_p50 == pytest.approx(90, abs=3)

    add(mine, "slow")
    assert estimates.job_eta(mine).seconds_p50 == pytest.approx(94, abs=3)
    assert estimates.job_eta(job()).seconds_p50 == 0


def test_finished_job_takes_no_more_time():
    assert estimates.job_eta(job(status=JobStatus.FAILED, finished_at=timezone.now())) == Estimate()
