"""The engine's promises, in one process: claims, fences, counters, priorities, cancel, retry."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from processing import sweeper
from processing.engine import jobs, leases, wakeups
from processing.engine.jobs import NewOperation
from processing.engine.leases import Completion
from processing.engine.registry import HANDLERS, Handler, NotYet
from processing.engine.worker import claim_batch, run_until_idle
from processing.models import Job, Operation, QueueControl
from processing.states import JobStatus, OperationStatus, Priority
from tests.processing.engine import functions, handlers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _handlers():
    handlers.install()
    handlers.SAVED.clear()


def submit(*names: str, **submission) -> Job:
    return jobs.submit_job(kind="test", operations=[NewOperation(name) for name in names], **submission)


def doubles(*values: int, **submission) -> Job:
    operations = [NewOperation("test-double", {"value": value}) for value in values]
    return jobs.submit_job(kind="test", operations=operations, **submission)


def expire_all_leases() -> None:
    Operation.objects.filter(status="running").update(lease_until=timezone.now() - timedelta(seconds=1))


def summary(job: Job) -> tuple:
    job.refresh_from_db()
    return job.status, job.operations_completed, job.operations_failed, job.operations_cancelled


def test_job_completes_with_all_its_results():
    job = doubles(1, 2, 3)

    assert run_until_idle() == 3

    assert summary(job) == (JobStatus.COMPLETED, 3, 0, 0)
    assert sorted(value for _, value in handlers.SAVED) == [2, 4, 6]
    assert job.finished_at is not None
    assert job.started_at is not None
    assert [event.code for event in job.events.all()] == ["submitted", "finished"]


def test_input_at_fault_fails_at_once_and_the_others_complete():
    job = submit("test-empty", "test-refused", "test-empty")

    run_until_idle()

    assert summary(job) == (JobStatus.COMPLETED_WITH_ERRORS, 2, 1, 0)
    failed = job.operations.get(status="failed")
    assert (failed.error_code, failed.error_detail) == ("damaged_image", "The image is upside down.")


def test_unexpected_error_is_retried_until_attempts_are_used_up():
    job = jobs.submit_job(kind="test", operations=[NewOperation("test-misbehave", {"how": "raise"})])
    for expected in (1, 2):
        run_until_idle()
        operation = job.operations.get()
        assert (operation.status, operation.attempts) == (OperationStatus.QUEUED, expected)
        assert operation.available_at > timezone.now()
        job.operations.update(available_at=timezone.now())

    run_until_idle()

    assert summary(job) == (JobStatus.FAILED, 0, 1, 0)
    assert job.operations.get().error_code == "internal_error"


def test_operation_that_no_handler_knows_fails_with_a_reason():
    job = submit("test-empty")
    job.operations.update(name="from-another-version")

    run_until_idle()

    assert job.operations.get().error_code == "unknown_operation"


def test_late_completion_of_a_lost_worker_is_dropped():
    job = doubles(1)
    [first] = leases.claim("default")
    expire_all_leases()
    assert leases.expire() == (1, 0)
    [second] = leases.claim("default")

    assert leases.complete([Completion(first, 1, {"by": "first"})]) == set()
    assert leases.complete([Completion(second, 1, {"by": "second"})]) == {second.operation_id}
    assert leases.complete([Completion(second, 1, {})]) == set()

    assert summary(job) == (JobStatus.COMPLETED, 1, 0, 0)
    assert job.operations.get().result == {"by": "second"}


def test_late_failure_and_requeue_of_a_lost_worker_are_dropped():
    doubles(1)
    [first] = leases.claim("default")
    expire_all_leases()
    leases.expire()

    assert not leases.fail(first, code="x", detail="x")
    assert not leases.requeue(first)


def test_operation_whose_worker_is_lost_five_times_fails_and_finalizes_its_job():
    job = doubles(1)
    for _ in range(leases.MAX_LOSSES):
        assert len(leases.claim("default")) == 1
        expire_all_leases()
        sweeper.sweep()

    assert summary(job) == (JobStatus.FAILED, 0, 1, 0)
    operation = job.operations.get()
    assert (operation.error_code, operation.losses, operation.attempts) == ("worker_lost", 5, 0)


def test_claims_come_by_priority_then_age():
    low, first, urgent, second = (doubles(n, priority=p) for n, p in enumerate((3, 2, 0, 2)))

    claimed = [leases.claim("default")[0].job_id for _ in range(4)]

    assert claimed == [urgent.pk, first.pk, second.pk, low.pk]


def test_priority_changes_while_waiting():
    first, second = doubles(1), doubles(2)

    assert jobs.set_priority(second, Priority.URGENT)

    assert leases.claim("default")[0].job_id == second.pk
    assert first.pk != second.pk


def test_paused_queue_hands_out_nothing_until_it_is_resumed():
    job = doubles(1)
    jobs.pause_queue("default", reason="maintenance")
    assert run_until_idle() == 0

    jobs.resume_queue("default")

    assert run_until_idle() == 1
    assert summary(job)[0] == JobStatus.COMPLETED
    assert QueueControl.objects.get(name="default").reason == ""


def test_cancel_while_waiting_and_while_running():
    job = doubles(1, 2)
    [running] = leases.claim("default")

    assert jobs.cancel_job(job) == 2
    assert jobs.cancel_job(job) == 0

    assert leases.owned([running]) == set()
    assert leases.complete([Completion(running, 1, {})]) == set()
    assert summary(job) == (JobStatus.CANCELLED, 0, 0, 2)
    assert leases.claim("default") == []


def test_retry_runs_what_failed_again():
    job = jobs.submit_job(
        kind="test",
        operations=[NewOperation("test-empty"), NewOperation("test-refused"), NewOperation("test-refused")],
    )
    run_until_idle()
    first, second = job.operations.filter(status="failed")

    assert jobs.retry_job(job, operation_ids=[first.pk]) == 1
    assert summary(job) == (JobStatus.QUEUED, 1, 1, 0)
    run_until_idle()
    assert summary(job) == (JobStatus.COMPLETED_WITH_ERRORS, 1, 2, 0)
    assert jobs.retry_failed(error_code="damaged_image") == 2
    assert jobs.retry_failed(error_code="damaged_image") == 0
    assert second.status == "failed"


def test_retry_after_cancel_completes_the_job():
    job = doubles(1, 2)
    jobs.cancel_job(job)

    assert jobs.retry_job(job) == 2
    run_until_idle()

    assert summary(job) == (JobStatus.COMPLETED, 2, 0, 0)


def test_operations_of_one_name_are_claimed_together_and_run_alone_ones_are_not():
    submit(*["test-empty-batch"] * 5)
    Operation.objects.filter(position__in=(0, 1)).update(run_alone=True)

    sizes = [[len(group) for group in claim_batch("ml")] for _ in range(3)]

    assert sizes == [[1], [1], [3]]


def test_batch_completes_each_of_its_operations():
    job = submit(*["test-empty-batch"] * 70)

    run_until_idle()

    assert summary(job) == (JobStatus.COMPLETED, 70, 0, 0)


def test_members_of_a_batch_took_a_share_of_its_time_each():
    job = submit(*["test-slow-batch"] * 4)

    run_until_idle()

    durations_ms = [operation.duration_ms for operation in job.operations.all()]
    assert min(durations_ms) >= 100
    assert sum(durations_ms) < 4 * 400  # what it would be if each had taken all of it


def test_claim_uses_the_index_of_waiting_operations_after_a_large_submission():
    jobs.submit_job(kind="test", operations=[NewOperation("test-empty")] * 5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_operation")
        values = {
            "queue": "default",
            "name": None,
            "limit": 1,
            "token": uuid.uuid4(),
            "worker": "",
            "lease": "15 s",
        }
        cursor.execute("EXPLAIN " + leases._CLAIM, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "operation_waiting" in plan
    assert "Sort Key: processing_operation" not in plan


def test_every_status_has_its_moves_written_down():
    from processing.states import JOB_MOVES, OPERATION_MOVES

    assert set(JOB_MOVES) == set(JobStatus)
    assert set(OPERATION_MOVES) == set(OperationStatus)


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_finish_the_last_two_operations_finalize_once():
    for _ in range(20):
        job = submit("test-empty", "test-empty")
        claims = [leases.claim("default")[0] for _ in range(2)]
        barrier = threading.Barrier(2)

        def finish(claim, barrier=barrier):
            barrier.wait()
            leases.complete([Completion(claim, 1, {})])
            connections.close_all()

        threads = [threading.Thread(target=finish, args=(claim,)) for claim in claims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert summary(job) == (JobStatus.COMPLETED, 2, 0, 0)
        assert job.events.filter(code="finished").count() == 1


@pytest.mark.django_db(transaction=True)
def test_submission_neither_fails_nor_waits_while_redis_is_away(settings):

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    wakeups.sender.cache_clear()
    try:
        job = submit("test-empty")
    finally:
        wakeups.sender.cache_clear()

    assert run_until_idle() == 1
    assert summary(job)[0] == JobStatus.COMPLETED


def test_sweeper_wakes_a_queue_nobody_was_told_about_but_not_a_paused_one():
    wakeups.redis_client().flushall()
    QueueControl.objects.all().delete()
    doubles(1)

    assert sweeper.sweep()["woken"] == 1
    assert sweeper.sweep()["woken"] == 0, "one wake-up is on its way"

    wakeups.redis_client().flushall()
    jobs.pause_queue("default")
    assert sweeper.sweep()["woken"] == 0


@pytest.mark.django_db(transaction=True)
def test_claim_does_not_wait_for_another_workers_claim():
    doubles(1)
    doubles(2)
    claimed, may_end = threading.Event(), threading.Event()
    first: list = []

    def claim_slowly():
        with transaction.atomic():
            first.extend(leases.claim("default"))
            claimed.set()
            may_end.wait(30)
        connections.close_all()

    slow = threading.Thread(target=claim_slowly)
    slow.start()
    claimed.wait(30)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        [second] = leases.claim("default")
    finally:
        may_end.set()
        slow.join()
        connection.close()  # with its time-out

    assert second.operation_id != first[0].operation_id


def test_operation_that_must_wait_goes_back_uncharged_and_completes_later(monkeypatch):
    asked = []

    def load(_claim, _scratch):
        asked.append(1)
        if len(asked) < 3:
            raise NotYet("Its neighbours are not done.", delay_s=0)
        return ()

    handler = Handler("test-not-yet", "default", functions.nothing, load=load)
    monkeypatch.setitem(HANDLERS, handler.name, handler)
    job = jobs.submit_job(kind="test", operations=[NewOperation(handler.name)])

    run_until_idle()

    operation = job.operations.get()
    assert (operation.status, operation.attempts, len(asked)) == ("completed", 0, 3)


def test_chores_happen_as_often_as_asked_and_one_that_fails_stops_no_other(monkeypatch):
    done = []

    def fail():
        raise ValueError

    monkeypatch.setattr(sweeper, "CHORES", {"a": (0, fail), "b": (3600, lambda: done.append(1))})
    done_at: dict[str, float] = {}

    sweeper.do_chores(done_at)
    sweeper.do_chores(done_at)

    assert done == [1]
