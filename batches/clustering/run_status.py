"""Runs and batches follow their jobs: what workers, cancellations and retries did to a job is written to both."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from batches.models import Batch, ClusterRun
from processing.models import Job, Operation
from processing.states import JOB_TERMINAL, OPERATION_OPEN, JobStatus, OperationStatus

RunStatus = ClusterRun.Status
OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)
OPERATION = "analyze"
INTERVAL_S = 1.0
_BATCH_STATUS = {
    RunStatus.QUEUED: Batch.Status.QUEUED,
    RunStatus.RUNNING: Batch.Status.ANALYZING,
    RunStatus.FAILED: Batch.Status.FAILED,
    RunStatus.CANCELLED: Batch.Status.CANCELLED,
}


def sync_runs(*batch_ids: UUID) -> int:
    """Bring runs and batches in line with their jobs, of these batches or of all; answers how many runs moved.

    A completed run is written by the operation that completes it, so only the other ends are found here.
    """
    retried = Q(status__in=[RunStatus.FAILED, RunStatus.CANCELLED]) & ~Q(job__status__in=JOB_TERMINAL)
    runs = ClusterRun.objects.filter(Q(status__in=OPEN) | (retried & Q(job__isnull=False)))
    if batch_ids:
        runs = runs.filter(batch__in=batch_ids)
    return sum(_sync_run(run) for run in runs.select_related("job"))


def _sync_run(stale: ClusterRun) -> bool:
    if _status_from_job(stale, stale.job)[0] in (None, stale.status):
        return False
    with transaction.atomic():
        batch = Batch.objects.select_for_update(no_key=True).filter(pk=stale.batch_id).first()
        run = (
            ClusterRun.objects.select_for_update(of=("self",))
            .select_related("job")
            .filter(pk=stale.pk)
            .first()
        )
        if batch is None or run is None:
            return False
        status, facts = _status_from_job(run, run.job)
        if status in (None, run.status):
            return False
        others = ClusterRun.objects.filter(batch=run.batch_id, status__in=OPEN).exclude(pk=run.pk)
        if status in OPEN and run.status not in OPEN and others.exists():
            return False  # a run that would be taken up again has to wait for another one
        ClusterRun.objects.filter(pk=run.pk).update(status=status, **facts)
        set_batch_status(batch, _BATCH_STATUS[RunStatus(status)])
    return True


def set_batch_status(batch: Batch, status: str) -> None:
    """Set what a batch's run makes of its status; an archived batch stays archived."""
    own = Batch.objects.filter(pk=batch.pk).exclude(status=Batch.Status.ARCHIVED)
    own.update(status=status, updated_at=timezone.now())


def _status_from_job(run: ClusterRun, job: Job | None) -> tuple[str | None, dict[str, Any]]:
    """The status that a run should have by its job, with the facts that go with it; None where it is right."""
    if run.status == RunStatus.COMPLETED:
        return None, {}
    if job is None:
        return _ended(RunStatus.FAILED, "gone", "The job of the run was deleted before it finished.")
    operation = Operation.objects.filter(job=job, name=OPERATION).first()
    if operation is None or (job.is_terminal and operation.status == OperationStatus.COMPLETED):
        return _ended(RunStatus.FAILED, "gone", "The operation of the run ended without a result.")
    if operation.status == OperationStatus.CANCELLED:
        return _ended(RunStatus.CANCELLED, "", "")
    if operation.status == OperationStatus.FAILED:
        return _ended(RunStatus.FAILED, operation.error_code, operation.error_detail)
    if operation.status not in OPERATION_OPEN:
        return None, {}
    status = RunStatus.QUEUED if job.status == JobStatus.QUEUED else RunStatus.RUNNING
    return status, {"error_code": "", "error_detail": "", "finished_at": None}


def _ended(status: str, code: str, detail: str) -> tuple[str, dict[str, Any]]:
    return status, {"error_code": code, "error_detail": detail, "finished_at": timezone.now()}
