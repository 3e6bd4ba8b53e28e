"""Long operations tell how far they are, and stop when they are asked to, in real worker processes."""

from pathlib import Path

import pytest

from processing.engine import jobs, leases
from processing.engine.jobs import NewOperation
from processing.models import Job, add_running
from processing.serializers import job_json
from processing.states import JobStatus
from processing.tasks import progress as watched
from tests.processing.engine import handlers
from tests.processing.engine.processes import wait_until, workers


@pytest.fixture(autouse=True)
def _handlers():
    handlers.install()


def telling(folder: Path, *, seconds: float, count: int = 1) -> Job:
    new = NewOperation("test-tell", {"seconds": seconds, "folder": str(folder)})
    return jobs.submit_job(kind="test", operations=[new] * count)


def progress_of(job: Job) -> float:
    return float(job.operations.order_by("position")[0].progress)


def is_finished(job: Job) -> bool:
    job.refresh_from_db()
    return job.is_terminal


@pytest.mark.check
@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(240)
def test_progress_is_shown_and_cancel_keeps_the_subprocess(tmp_path):
    with workers(1, "ml"):
        first = telling(tmp_path, seconds=600)
        wait_until(lambda: progress_of(first) > 0)
        assert 0 < job_json(first)["operations"][0]["progress"] < 1
        jobs.cancel_job(first)
        wait_until((tmp_path / "tell.stopped").exists)

        second = telling(tmp_path, seconds=1)
        wait_until(lambda: is_finished(second))

    pids = (tmp_path / "tell.started").read_text().split()
    assert len(pids) == 2
    assert len(set(pids)) == 1, "the subprocess with its loaded networks must survive"
    assert (second.status, progress_of(second)) == (JobStatus.COMPLETED, 1)
    assert is_finished(first)
    assert first.status == JobStatus.CANCELLED


@pytest.mark.django_db
def test_bar_counts_what_runs():
    job = telling(Path("/nowhere"), seconds=1, count=4)
    [claim] = leases.claim("ml")

    assert leases.tell_progress([claim], {claim.operation_id: 0.5}) == {claim.operation_id}

    job.refresh_from_db()
    assert job.percent == 0
    add_running([job])
    assert job.percent == 12
    assert job_json(job)["progress"]["percent"] == 12


@pytest.mark.django_db
def test_progress_of_a_lost_claim_is_dropped():
    job = telling(Path("/nowhere"), seconds=1)
    [claim] = leases.claim("ml")
    jobs.cancel_job(job)

    assert leases.tell_progress([claim], {claim.operation_id: 0.5}) == set()
    assert leases.tell_progress([], {}) == set()
    assert progress_of(job) == 0


def test_function_is_asked_only_where_it_looks(tmp_path):
    assert watched.share_of(tmp_path) is None
    assert not watched.ask_to_stop(tmp_path)

    watched.ProgressFile(tmp_path).report(0.25)

    assert watched.share_of(tmp_path) == 0.25
    assert watched.ask_to_stop(tmp_path)
    with pytest.raises(watched.Stopped):
        watched.ProgressFile(tmp_path).report(0.5)
