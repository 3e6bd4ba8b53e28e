"""How far the operations are that run now, for the bars of their jobs."""

from collections.abc import Sequence

from django.db.models import Sum

from processing.models import Job, Operation
from processing.states import OperationStatus


def add_running(jobs: Sequence[Job]) -> None:
    """Fill in `running_share` of jobs that run, in one query whatever their number."""
    open_ids = [job.pk for job in jobs if not job.is_terminal]
    if not open_ids:
        return
    running = Operation.objects.filter(job__in=open_ids, status=OperationStatus.RUNNING, progress__gt=0)
    shares = dict(running.order_by().values_list("job_id").annotate(share=Sum("progress")))
    for job in jobs:
        job.running_share = shares.get(job.pk, 0.0)
