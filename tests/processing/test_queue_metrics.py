"""Numbers of what waits, runs and failed: right after every move, and read without reading the operations."""

import json
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Max
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pixproject.dashboard import dashboard
from processing import queue_metrics
from processing.engine import jobs, leases
from processing.engine.jobs import NewOperation, submit_job
from processing.models import Artifact, Job, Operation, RowCount
from processing.states import Priority
from tests.factories.rest import client_of

pytestmark = pytest.mark.django_db
LARGE = 20_000


def assert_counts_are_right() -> None:
    """Before and after folding, which changes no number."""
    for _ in range(2):
        rows = Operation.objects.order_by().values_list("queue", "status")
        assert queue_metrics.operations_by_status() == Counter(rows)
        assert queue_metrics.jobs_by_status() == Counter(Job.objects.values_list("status", flat=True))
        failed = Operation.objects.filter(status="failed").order_by()
        newest = dict(failed.values_list("error_code").annotate(newest=Max("finished_at")))
        counts = Counter(failed.values_list("error_code", flat=True))
        assert queue_metrics.failed_by_error() == [
            {"error_code": code, "count": counts[code], "newest": newest[code]}
            for code in sorted(counts, key=lambda code: (-counts[code], code))
        ]
        artifacts = Artifact.objects.values_list("byte_size", flat=True)
        assert queue_metrics.stored_results() == (len(artifacts), sum(artifacts))
        queue_metrics.fold_counts()


def new_job(count: int) -> Job:
    return submit_job(kind="process", operations=[NewOperation("webp")] * count)


def make_finished(job: Job, count: int, status: str, error_code: str = "") -> None:
    """Many finished operations, made by the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO processing_operation (job_id, position, name, parameters, cache_key, queue, priority, status,
                attempts, max_attempts, losses, run_alone, worker, progress, cached, name_number, error_code,
                error_detail, result, finished_at, duration_ms)
            SELECT %s, (SELECT coalesce(max(position), 0) FROM processing_operation WHERE job_id = %s) + n, 'webp',
                '{}', '', 'default', 5, %s, 0, 3, 0, false, '', 1, false, 1, %s, '', '{}',
                CASE WHEN %s IN ('completed', 'failed') THEN now() - make_interval(secs => n) END, 5
            FROM generate_series(1, %s) AS n""",
            [job.pk, job.pk, status, error_code, status, count],
        )


def test_counts_follow_every_move():
    job, other = new_job(8), new_job(2)
    assert_counts_are_right()

    claims = leases.claim("default", limit=6)
    assert_counts_are_right()

    leases.complete([leases.Completion(claim, 5, {}) for claim in claims[:2]])
    leases.fail(claims[2], code="time_limit", detail="")
    leases.fail(claims[3], code="too_large", detail="")
    leases.requeue(claims[4], code="busy")
    assert_counts_are_right()

    jobs.set_priority(other, Priority.LOW)
    jobs.cancel_job(job)
    assert_counts_are_right()

    jobs.retry_job(job, statuses=["failed"])
    assert_counts_are_right()

    Artifact.objects.create(cache_key="a", file="a", sha256="a", format="png", byte_size=7, width=1, height=1)
    Artifact.objects.update(byte_size=9)
    assert_counts_are_right()

    Artifact.objects.all().delete()
    Job.objects.filter(pk=other.pk).delete()
    assert_counts_are_right()
    Job.objects.all().delete()
    assert_counts_are_right()
    assert not RowCount.objects.exists()


def test_oldest_waiting_operation_of_a_queue():
    new_job(3)
    [claimed] = leases.claim("default", limit=1)
    now, waiting = timezone.now(), Operation.objects.filter(status="queued")
    Operation.objects.filter(pk=claimed.operation_id).update(available_at=now - timedelta(hours=9))
    waiting.filter(pk=waiting.first().pk).update(available_at=now - timedelta(hours=2))

    oldest = {queue.name: queue.oldest_waiting_seconds for queue in queue_metrics.queue_numbers()}

    assert oldest == {"light": None, "default": pytest.approx(7200, abs=60), "ml": None}


def test_counts_follow_a_statement_that_moves_rows_two_ways():
    new_job(2)
    claims = leases.claim("default", limit=2)
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=9))
    Operation.objects.filter(pk=claims[0].operation_id).update(losses=leases.MAX_LOSSES - 1)

    assert leases.expire() == (1, 1)

    assert_counts_are_right()


def test_counts_forget_what_was_rolled_back():
    new_job(1)
    with transaction.atomic():
        new_job(3)
        transaction.set_rollback(True)

    assert_counts_are_right()


def test_old_hours_are_folded_into_one():
    job = new_job(1)
    Operation.objects.update(status="completed", finished_at=timezone.now())
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    assert queue_metrics.finished_by_hour(hour - timedelta(hours=1))[hour, "completed"] == 1

    long_ago = timezone.now() - timedelta(hours=queue_metrics.HOURS_KEPT + 2)
    Operation.objects.filter(job=job).update(finished_at=long_ago)
    queue_metrics.fold_counts()

    assert list(RowCount.objects.filter(kind="operation").values_list("hour", "count")) == [(None, 1)]


def rows_read(sql: str, table: str) -> int:
    """How many rows of a table a query reads, those that it throws away included."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        [[answer]] = cursor.fetchall()
    plans = [(json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]]
    read = 0
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if plan.get("Relation Name") == table:
            rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
            read += round(rows * plan["Actual Loops"])
    return read


@pytest.mark.parametrize("status", ["queued", "completed", "failed"])
def test_numbers_read_few_operations(status):
    job = new_job(1)
    make_finished(job, LARGE, status, "time_limit" if status == "failed" else "")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_operation")
    client = client_of("admin")
    addresses = ("/api/jobs/summary/", "/api/queues/", "/metrics", "/api/health/")

    with CaptureQueriesContext(connection) as captured:
        dashboard()
        for address in addresses:
            assert client.get(address).status_code in (200, 503), address

    read = [
        (rows_read(query["sql"], "processing_operation"), query["sql"])
        for query in captured
        if "processing_operation" in query["sql"]
    ]
    assert read
    assert max(read)[0] < 1000, max(read)
