"""How far the work on batches is."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from batches.models import Batch
from processing.job_progress import add_running
from processing.models import Job
from processing.states import BACKGROUND_KINDS, JOB_TERMINAL


def live_jobs(batches: Sequence[Batch]) -> dict[UUID, Job]:
    """The newest unfinished job of each batch that has one, in two queries whatever their number."""
    unfinished = Job.objects.filter(batch__in=[batch.pk for batch in batches]).exclude(
        status__in=JOB_TERMINAL
    )
    jobs = list(unfinished.exclude(kind__in=BACKGROUND_KINDS).order_by("created_at"))
    add_running(jobs)
    return {job.batch_id: job for job in jobs if job.batch_id is not None}


def as_json(job: Job | None) -> dict[str, Any] | None:
    """A job as a batch's progress."""
    if job is None:
        return None
    return {"percent": job.percent, "job": str(job.pk), "kind": job.kind, "status": job.status}
