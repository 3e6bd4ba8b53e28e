"""Runs and batches follow their jobs through failures, cancellations and retries."""

import pytest

from batches.clustering import service as analysis
from batches.clustering.run_status import sync_runs
from batches.models import ClusterRun
from processing.engine import jobs, leases
from processing.engine.worker import run_until_idle
from processing.models import Operation
from tests.factories.analyzed import MODEL, analysed, batch_of, groups_of, heaps, with_vectors

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return batch_of(with_vectors(heaps(8, 8)))


@pytest.fixture
def run(batch):
    return analysis.submit_analysis(batch, parameters=analysis.parse_parameters({"model": MODEL}))


def statuses(run):
    run = ClusterRun.objects.select_related("batch").get(pk=run.pk)
    return run.status, run.batch.status


def test_a_claimed_job_is_a_running_run(run):
    assert statuses(run) == ("queued", "queued")
    leases.claim("ml")

    assert sync_runs() == 1

    assert statuses(run) == ("running", "analyzing")
    assert sync_runs() == 0


def test_a_cancelled_job_cancels_its_run_and_a_retry_takes_it_up_again(batch, run):
    jobs.cancel_job(run.job)
    sync_runs(batch.pk)
    assert statuses(run) == ("cancelled", "cancelled")

    jobs.retry_job(run.job)
    sync_runs(batch.pk)
    assert statuses(run) == ("queued", "queued")

    run_until_idle()
    assert statuses(run) == ("completed", "complete")
    assert len(groups_of(batch)) == 2


def test_a_failed_job_tells_why(batch, run):
    Operation.objects.filter(job=run.job).update(status="queued", max_attempts=1)
    [claim] = leases.claim("ml")
    leases.fail(claim, code="memory_limit", detail="It needed more memory than there is.")

    sync_runs()

    assert statuses(run) == ("failed", "failed")
    run.refresh_from_db()
    assert (run.error_code, run.error_detail) == ("memory_limit", "It needed more memory than there is.")
    assert run.finished_at is not None
    assert analysed(batch).number == 2


def test_a_retry_beside_another_run_waits_for_nobody(batch, run):
    jobs.cancel_job(run.job)
    second = analysis.submit_analysis(batch, parameters=analysis.parse_parameters({"model": MODEL}))
    jobs.retry_job(run.job)

    sync_runs()
    assert statuses(run) == ("cancelled", "queued")
    Operation.objects.filter(job=second.job).update(available_at="2999-01-01T00:00Z")
    run_until_idle()

    operation = Operation.objects.get(job=run.job)
    assert (operation.status, operation.error_code) == ("failed", "conflict")
    assert "another run of this batch is in progress" in operation.error_detail


def test_a_removed_job_ends_its_run(batch, run):
    run.job.delete()

    sync_runs()

    assert statuses(run) == ("failed", "failed")


def test_an_archived_batch_keeps_its_status(batch, run):
    type(batch).objects.filter(pk=batch.pk).update(status="archived")
    jobs.cancel_job(run.job)

    sync_runs()

    assert statuses(run) == ("cancelled", "archived")


def test_a_batch_that_is_removed_meanwhile_fails_the_operation_plainly(batch, run):
    job = run.job
    batch.delete()

    run_until_idle()

    operation = Operation.objects.get(job=job)
    assert (operation.status, operation.error_code) == ("failed", "gone")
