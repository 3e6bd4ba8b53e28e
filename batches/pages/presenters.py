"""What the pages of batches show: lines of the list, bars of groups, the history in sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.shortcuts import get_object_or_404

from api.access.permissions import GROUP_SCOPES
from batches import services
from batches.models import Batch, BatchImage
from batches.models.batch import GRADES_PER_BAR
from images.models import Image
from pixproject.web.base.text import has_unstorable_characters
from processing.models import Job, add_running
from processing.pages import job_presenter
from processing.states import JOB_TERMINAL

STRIP = 6
MAX_BARS = 24
VIEWS = ("archived", "deleted")


def find(batch_id: UUID, *, is_deleted: bool | None = False) -> Batch:
    """A batch with its counts, or 404; `is_deleted` None takes both."""
    batches = Batch.objects.all()
    if is_deleted is not None:
        batches = batches.filter(deleted_at__isnull=not is_deleted)
    batch: Batch = get_object_or_404(services.listed(batches), pk=batch_id)
    return batch


@dataclass(frozen=True)
class Line:
    """A batch in the list."""

    batch: Any
    image_ids: Sequence[Any]
    job: Job | None
    poll: job_presenter.Poll | None

    @property
    def confirmed_percent(self) -> int:
        return round(100 * int(self.batch.confirmed_count) / max(1, int(self.batch.group_count)))


def batches_matching(data: Mapping[str, str], *, user: Any) -> QuerySet[Batch]:
    """The batches that the list's filters ask for; a word that is no filter's finds nothing."""
    view = data.get("view", "")
    batches = Batch.objects.filter(deleted_at__isnull=view != "deleted")
    if view != "deleted":
        is_archived = Q(status=Batch.Status.ARCHIVED)
        batches = batches.filter(is_archived if view == "archived" else ~is_archived)
    words = {name: data.get(name, "").strip() for name in ("search", "status", "stage", "assignee")}
    if any(has_unstorable_characters(word) for word in words.values()):
        return batches.none()
    if words["search"]:
        batches = batches.filter(
            Q(batch_name__icontains=words["search"]) | Q(note__icontains=words["search"])
        )
    if words["status"]:
        batches = batches.filter(status=words["status"])
    if words["stage"]:
        batches = batches.filter(review_stage=words["stage"])
    if words["assignee"]:
        batches = batches.filter(assignee__username=words["assignee"])
    if data.get("whose") == "mine":
        batches = batches.filter(Q(assignee=user) | Q(reviewer=user) | Q(owner=user))
    return services.listed(batches)


def lines(batches: Iterable[Any], *, step: int = 0, progress: int = -1) -> list[Line]:
    """Lines of a list, with first pictures and running jobs in two more queries whatever their number."""
    listed = list(batches)
    keys = [batch.pk for batch in listed]
    inside = BatchImage.objects.filter(batch=OuterRef("pk"), image__status__in=Image.PRESENT)
    first = inside.order_by("position", "id").values("image_id")[:STRIP]
    strips = dict(Batch.objects.filter(pk__in=keys).order_by().values_list("pk", ArraySubquery(first)))
    jobs = open_jobs(keys)
    polls = {key: job_presenter.next_poll(job, step=step, progress=progress) for key, job in jobs.items()}
    return [
        Line(batch, strips.get(batch.pk) or [], jobs.get(batch.pk), polls.get(batch.pk)) for batch in listed
    ]


def open_jobs(keys: Sequence[Any]) -> dict[Any, Job]:
    """For each batch the job that works on it, the newest where there are several."""
    jobs = list(Job.objects.filter(batch__in=keys).exclude(status__in=JOB_TERMINAL).order_by("created_at"))
    add_running(jobs)
    return {job.batch_id: job for job in jobs}


def people() -> QuerySet:
    """Who may be given work: everybody who may change groups."""
    may_write = [name for name, scope in GROUP_SCOPES.items() if scope != "read"]
    users = get_user_model().objects.filter(is_active=True)
    users = users.filter(Q(groups__name__in=may_write) | Q(is_superuser=True))
    return users.distinct().order_by("username")


@dataclass(frozen=True)
class FigureBar:
    """One bar of a drawing that is 100 wide or high."""

    title: str
    count: int
    length: float  # percent of the longest
    at: float = 0.0  # where it begins, in percent
    label: str = ""
    is_confirmed: bool = False

    @property
    def height(self) -> float:
        """In a drawing of 50 with a visible rest for the smallest."""
        return round(max(1.5, self.length * 0.48), 2)

    @property
    def left(self) -> float:
        return round(self.at + 0.6, 2)

    @property
    def top(self) -> float:
        return round(50 - self.height, 2)


def group_bars(batch: Batch) -> tuple[list[FigureBar], int]:
    """The largest groups as bars, and how many groups are not shown."""
    groups: list[Any] = list(batch.groups.with_counts()[: MAX_BARS + 1])
    total = len(groups) if len(groups) <= MAX_BARS else batch.groups.count()
    longest = max((group.count for group in groups), default=0) or 1
    bars = [
        FigureBar(
            group.title,
            group.count,
            100 * group.count / longest,
            label=group.label,
            is_confirmed=group.is_confirmed,
        )
        for group in groups[:MAX_BARS]
    ]
    return bars, max(0, total - MAX_BARS)


def quality_bars(batch: Batch) -> tuple[list[FigureBar], int]:
    """How many images have which grade, in tens; and how many are not measured."""
    counts, missing = batch.batch_images.present().grade_counts()
    bars = [
        FigureBar(f"{at} to {at + GRADES_PER_BAR}", count, 100 * count / (max(counts) or 1), at)
        for at, count in zip(range(0, 100, GRADES_PER_BAR), counts, strict=True)
    ]
    return bars, missing
