"""What the pages show of jobs: titles, results beside their sources, and how soon to look again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, IntegerField, OuterRef, QuerySet, Subquery, Sum, Value, When

from processing import estimates, phrases, queue_metrics
from processing.handlers import PIPELINE
from processing.models import Job, Operation, OperationArtifact, add_running
from processing.pages.result_presenter import Result, operation_title
from processing.states import BACKGROUND_KINDS, JobStatus, OperationStatus

OPERATIONS_SHOWN = 60
OPERATIONS_UNFOLDED = 12
RESULTS_PER_PAGE = 12
FIRST_POLL_MS, SLOWEST_POLL_MS, POLL_GROWTH = 400, 8000, 1.35


def visible_jobs() -> QuerySet[Job]:
    """Jobs that people asked for, the newest first."""
    return Job.objects.exclude(kind__in=BACKGROUND_KINDS).select_related("requested_by", "image")


def with_first_image(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """With `first_image`, the id of an image that stands for the job."""
    operations = Operation.objects.filter(job=OuterRef("pk"), image__isnull=False).order_by("position")
    return jobs.annotate(first_image=Subquery(operations.values("image_id")[:1]))


def job_title(job: Job) -> str:
    """What a job does: 'Resize → WebP', 'WebP, AVIF', 'Blur (3×), PNG'."""
    work = job.parameters if isinstance(job.parameters, dict) else {}
    counts = Counter(operation_title(step["name"]) for step in work.get("operations", []))
    parts = [f"{title} ({count}×)" if count > 1 else title for title, count in counts.items()]
    if work.get("pipeline"):
        parts.append(operation_title(PIPELINE, {"steps": work["pipeline"]}))
    return ", ".join(parts) or operation_title(job.kind)


@dataclass(frozen=True)
class OperationRow:
    """An operation in the list of a job."""

    operation: Operation
    title: str
    notes: Sequence[str]
    is_removed: bool

    @property
    def percent(self) -> int:
        """How far it is while it runs, if it reports that."""
        is_running = self.operation.status == OperationStatus.RUNNING
        return int(100 * self.operation.progress) if is_running else 0


@dataclass(frozen=True)
class Poll:
    """When to ask again: soon after something moved, more and more rarely while nothing does."""

    delay_ms: int
    step: int
    progress: int


def next_poll(job: Job, *, step: int, progress: int) -> Poll:
    now = int(100 * (job.operations_done + job.running_share))
    step = 0 if progress != now else min(step + 1, 20)
    return Poll(min(SLOWEST_POLL_MS, int(FIRST_POLL_MS * POLL_GROWTH**step)), step, now)


def results(job: Job, *, offset: int = 0) -> list[Result]:
    """A page of a job's results in the order of its operations, and one more: then there is a next page."""
    links = (
        OperationArtifact.objects.filter(operation__job=job)
        .select_related("artifact", "operation", "operation__image")
        .order_by("operation__position", "role")
    )
    return [Result(link) for link in links[offset : offset + RESULTS_PER_PAGE + 1]]


@dataclass(frozen=True)
class Savings:
    """How much smaller all results of a job are than what they were made from."""

    results: int
    bytes: int
    percent: int

    @property
    def grown_bytes(self) -> int:
        return -self.bytes

    @property
    def grown_percent(self) -> int:
        return -self.percent


def savings(job: Job) -> Savings | None:
    """None without results whose sources are known."""
    links = OperationArtifact.objects.filter(operation__job=job, operation__image__isnull=False).order_by()
    sums = links.aggregate(
        count=Count("pk"), made=Sum("artifact__byte_size"), sources=Sum("operation__image__byte_size")
    )
    if not sums["count"]:
        return None
    saved = sums["sources"] - sums["made"]
    return Savings(sums["count"], saved, round(100 * saved / sums["sources"]))


def rows(job: Job) -> list[OperationRow]:
    """The operations that matter most: failed, running, waiting, then finished ones."""
    order = {"failed": 0, "running": 1, "queued": 2, "cancelled": 3, "completed": 4}
    rank = Case(
        *[When(status=status, then=Value(value)) for status, value in order.items()],
        output_field=IntegerField(),
    )
    ranked = job.operations.annotate(rank=rank).select_related("image")
    ranked = (
        ranked.order_by("rank", "position")
        if job.operations_total > OPERATIONS_SHOWN
        else ranked.order_by("position")
    )
    listed = []
    for operation in ranked[:OPERATIONS_SHOWN]:
        result = operation.result if isinstance(operation.result, dict) else {}
        title = operation_title(operation.name, operation.parameters)
        listed.append(OperationRow(operation, title, result.get("notes", []), bool(result.get("removed"))))
    return listed


def folded(listed: list[OperationRow], total: int) -> tuple[list[OperationRow], list[OperationRow]]:
    """Of many operations those that failed or run are shown at once; the others wait behind a disclosure."""
    if total <= OPERATIONS_UNFOLDED:
        return listed, []
    urgent = [row for row in listed if row.operation.status in ("failed", "running")][:OPERATIONS_UNFOLDED]
    return urgent, [row for row in listed if row not in urgent]


def waiting_reason(job: Job) -> str:
    """Why nothing happens yet, in a sentence; empty while something does."""
    if job.status != JobStatus.QUEUED:
        return ""
    waiting = set(job.operations.filter(status=OperationStatus.QUEUED).values_list("queue", flat=True))
    for queue in queue_metrics.queue_numbers():
        if queue.name in waiting and queue.paused:
            return phrases.paused(queue.name, queue.reason)
        if queue.name in waiting and not queue.workers:
            return phrases.unserved(queue.name)
    return phrases.WAITING_FOR_WORKER


def announcement(job: Job) -> str:
    """One sentence for people who listen to the page."""
    return phrases.job_state(
        job.status,
        done=job.operations_done,
        completed=job.operations_completed,
        failed=job.operations_failed,
        total=job.operations_total,
    )


def live_context(job: Job, *, step: int = 0, progress: int = -1) -> dict[str, Any]:
    """What the live part of a job's page shows."""
    add_running([job])
    shown = results(job)
    shown_rows, folded_rows = folded(rows(job), job.operations_total)
    return {
        "job": job,
        "title": job_title(job),
        "rows": shown_rows,
        "folded_rows": folded_rows,
        "folded_count": job.operations_total - len(shown_rows),
        "hidden_rows": max(0, job.operations_total - OPERATIONS_SHOWN),
        "results": shown[:RESULTS_PER_PAGE],
        "savings": savings(job) if shown else None,
        "next_offset": RESULTS_PER_PAGE if len(shown) > RESULTS_PER_PAGE else None,
        "events": job.events.order_by("-id")[:50],
        "eta": estimates.job_eta(job),
        "waiting_reason": waiting_reason(job),
        "announcement": announcement(job),
        "poll": None if job.is_terminal else next_poll(job, step=step, progress=progress),
    }


@dataclass(frozen=True)
class JobCard:
    """A job in a list."""

    job: Job
    title: str
    image_ids: Sequence[Any]
    image_count: int
    poll: Poll | None
    announcement: str


def cards(jobs: Iterable[Job], *, step: int = 0, progress: int = -1) -> list[JobCard]:
    """Cards of jobs with their first images, in one more query whatever their number."""
    listed = list(jobs)
    add_running(listed)
    images: dict[Any, list[Any]] = {}
    pairs = Operation.objects.filter(job__in=listed, position__lt=200, image__isnull=False)
    pairs = pairs.exclude(image__status="purged")
    for job_id, image_id in pairs.order_by("job_id", "position").values_list("job_id", "image_id"):
        seen_images = images.setdefault(job_id, [])
        if image_id not in seen_images:
            seen_images.append(image_id)
    return [
        JobCard(
            job,
            title=job_title(job),
            image_ids=images.get(job.pk, [])[:3],
            image_count=len(images.get(job.pk, [])),
            poll=None if job.is_terminal else next_poll(job, step=step, progress=progress),
            announcement=announcement(job),
        )
        for job in listed
    ]


def jobs_of(user: Any) -> QuerySet[Job]:
    return visible_jobs().filter(requested_by=user)
