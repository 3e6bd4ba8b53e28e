"""What the page of one batch shows: groups, quality, throughput, runs, history, jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Count,
    Func,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
)
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone

from api.models import Scope
from batches import stages
from batches.clustering.run_status import sync_runs
from batches.history import changes
from batches.models import Batch, BatchImage, Group
from batches.pages import presenters
from images.models import Image
from pixproject.web.admin import may
from pixproject.web.templatetags.pix_admin import spaced
from processing.models import Operation
from processing.pages.job_presenter import with_first_image
from processing.states import BACKGROUND_KINDS, OPERATION_OPEN, OperationStatus

MOST_GROUPS, MOST_PICTURES, MOST_RUNS, MOST_CHANGES, MOST_JOBS = 24, 24, 20, 25, 15
COLUMNS = 24
# How many seconds one column of the throughput may stand for.
STEPS_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)


@dataclass(frozen=True)
class Column:
    """Operations that ended in one stretch of time; the shares are percent of the best one, for drawing."""

    starts_at: datetime
    completed: int
    failed: int
    completed_share: float
    failed_share: float

    @property
    def label(self) -> str:
        begin = timezone.localtime(self.starts_at)
        return f"{begin:%Y-%m-%d %H:%M}: {spaced(self.completed)} completed, {spaced(self.failed)} failed"


@dataclass(frozen=True)
class Throughput:
    """How the work on a batch went on; `step_s` seconds are one column."""

    columns: Sequence[Column] = ()
    step_s: int = 0

    @property
    def best(self) -> int:
        return max((column.completed + column.failed for column in self.columns), default=0)


def details(request: HttpRequest, batch: Any) -> dict[str, Any]:
    """A constant number of queries, however large the batch is."""
    if sync_runs(batch.pk):
        batch.refresh_from_db(fields=["status"])
    group_bars, more_bars = presenters.group_bars(batch)
    quality_bars, unmeasured = presenters.quality_bars(batch)
    members = batch.batch_images.present().select_related("image")
    counts = Operation.objects.filter(job__batch=batch).aggregate(
        failed=Count("pk", filter=Q(status=OperationStatus.FAILED)),
        open=Count("pk", filter=Q(status__in=OPERATION_OPEN)),
    )
    runs = batch.runs.select_related("created_by").defer("groups", "centroids", "projection", "grid")
    jobs = batch.jobs.exclude(kind__in=BACKGROUND_KINDS).select_related("image", "requested_by")
    is_open = not batch.is_archived and batch.deleted_at is None
    return {
        "is_open": is_open,
        "unassigned_count": batch.image_count - batch.assigned_count,
        "pictures": members[:MOST_PICTURES],
        "groups": groups_with_pictures(batch),
        "group_bars": group_bars,
        "more_bars": more_bars,
        "quality_bars": quality_bars,
        "unmeasured": unmeasured,
        "throughput": throughput(batch),
        "runs": runs.order_by("-number")[:MOST_RUNS],
        "changes": changes.history(batch)[:MOST_CHANGES],
        "jobs": with_first_image(jobs).order_by("-created_at")[:MOST_JOBS],
        "failed_count": counts["failed"],
        "open_count": counts["open"],
        "moves": stages.moves_open_to(batch, request.user) if is_open else [],
        "may_write": may(request, Scope.WRITE),
        "may_process": may(request, Scope.PROCESS),
    }


def groups_with_pictures(batch: Batch) -> QuerySet[Group]:
    """The largest groups, each with `count` and `picture`: its cover, else its first image."""
    first = BatchImage.objects.filter(group=OuterRef("pk"), image__status__in=Image.PRESENT).order_by(
        "position"
    )
    cover = Image.objects.filter(pk=OuterRef("cover"), status__in=Image.PRESENT)
    picture = Coalesce(
        Subquery(cover.values("pk")), Subquery(first.values("image")[:1]), output_field=UUIDField()
    )
    groups: QuerySet[Group] = batch.groups.with_counts().annotate(picture=picture)[:MOST_GROUPS]
    return groups


class _Step(Func):
    """The number of the stretch of `step` seconds, counted from 1970, that a moment lies in."""

    template = "floor(extract(epoch from %(expressions)s) / %(step)d)::bigint"
    output_field = BigIntegerField()


def throughput(batch: Batch) -> Throughput:
    """What the batch's jobs finished over time, in the last `COLUMNS` stretches."""
    ended = (OperationStatus.COMPLETED, OperationStatus.FAILED)
    done = Operation.objects.filter(job__batch=batch, status__in=ended, finished_at__isnull=False).order_by()
    span = done.aggregate(first=Min("finished_at"), last=Max("finished_at"))
    if span["first"] is None:
        return Throughput()
    seconds = (span["last"] - span["first"]).total_seconds()
    step = next((step for step in STEPS_S if seconds < step * (COLUMNS - 1)), STEPS_S[-1])
    rows = done.values_list(_Step("finished_at", step=step), "status").annotate(count=Count("pk"))
    counts = {(number, status): count for number, status, count in rows}
    last = int(span["last"].timestamp() // step)
    numbers = range(last - COLUMNS + 1, last + 1)
    pairs = [(counts.get((number, "completed"), 0), counts.get((number, "failed"), 0)) for number in numbers]
    best = max(sum(pair) for pair in pairs) or 1
    epoch = datetime.fromtimestamp(0, UTC)
    columns = [
        Column(epoch + timedelta(seconds=number * step), good, bad, 100 * good / best, 100 * bad / best)
        for number, (good, bad) in zip(numbers, pairs, strict=True)
    ]
    return Throughput(columns, step)
