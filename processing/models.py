import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from processing.names import new_pair, result_name
from processing.states import JOB_TERMINAL, JobStatus, OperationStatus, Priority, Queue


class Job(models.Model):
    """One request for work: several operations, one status, finished exactly once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32, default="process")
    status = models.CharField(max_length=24, choices=JobStatus, default=JobStatus.QUEUED)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    operations_total = models.PositiveIntegerField(default=0)
    operations_completed = models.PositiveIntegerField(default=0)
    operations_failed = models.PositiveIntegerField(default=0)
    operations_cancelled = models.PositiveIntegerField(default=0)
    image = models.ForeignKey("images.Image", models.SET_NULL, null=True, blank=True, related_name="jobs")
    batch = models.ForeignKey("batches.Batch", models.SET_NULL, null=True, blank=True, related_name="jobs")
    parameters = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    output_folder = models.CharField(max_length=200, blank=True)
    filename_prefix = models.CharField(max_length=100, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    idempotency_key = models.CharField(max_length=255, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="jobs"
    )
    source = models.CharField(max_length=16, default="api")
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="job_status_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="job_priority_known"),
            models.CheckConstraint(
                condition=Q(status__in=JOB_TERMINAL, finished_at__isnull=False)
                | (~Q(status__in=JOB_TERMINAL) & Q(finished_at__isnull=True)),
                name="job_finished_iff_terminal",
            ),
            models.CheckConstraint(
                condition=Q(
                    operations_total__gte=F("operations_completed")
                    + F("operations_failed")
                    + F("operations_cancelled")
                ),
                name="job_counters_within_total",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="job_newest"),
            models.Index(fields=["status", "-created_at"], name="job_by_status"),
            models.Index(fields=["kind", "-created_at"], name="job_by_kind"),
            models.Index(fields=["requested_by", "-created_at"], name="job_by_requester"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_terminal(self) -> bool:
        return self.status in JOB_TERMINAL

    @property
    def operations_done(self) -> int:
        """Operations that will not run again: completed, failed and cancelled."""
        return self.operations_completed + self.operations_failed + self.operations_cancelled

    # How many operations' worth is done of those that run; `add_running` fills it in where it is shown.
    running_share = 0.0

    @property
    def percent(self) -> int:
        done = self.operations_done + self.running_share
        return 100 if self.is_terminal else min(99, int(100 * done / max(1, self.operations_total)))

    @property
    def percent_completed(self) -> int:
        """The share that has results; a job that was cancelled is done all the same."""
        return int(100 * self.operations_completed / max(1, self.operations_total))


class Operation(models.Model):
    """One unit of work of a job. The row is the truth; messages only wake workers up."""

    id = models.BigAutoField(primary_key=True)  # grows with time: the order of the queue within a priority
    # The unique index of job and position serves this key; each index costs every claim and completion.
    job = models.ForeignKey(Job, models.CASCADE, related_name="operations", db_index=False)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict, blank=True)
    image = models.ForeignKey(
        "images.Image", models.SET_NULL, null=True, blank=True, related_name="operations", db_index=False
    )
    cache_key = models.CharField(max_length=64, blank=True)
    queue = models.CharField(max_length=16, choices=Queue, default=Queue.DEFAULT)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    status = models.CharField(max_length=16, choices=OperationStatus, default=OperationStatus.QUEUED)
    available_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Failed attempts that count towards the limit."
    )
    max_attempts = models.PositiveSmallIntegerField(default=3)
    losses = models.PositiveSmallIntegerField(
        default=0, help_text="How many workers were lost while running it."
    )
    run_alone = models.BooleanField(default=False, help_text="Its tensor batch crashed, so it runs alone.")
    token = models.UUIDField(
        null=True, blank=True, help_text="Fencing token of the claim that owns this operation."
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=100, blank=True)
    progress = models.FloatField(default=0)
    cached = models.BooleanField(default=False)
    name_number = models.PositiveIntegerField(
        default=1, help_text="Which of the job's results with the same name it makes."
    )
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    result = models.JSONField(
        default=dict, blank=True, help_text="Notes and numbers of a finished operation."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["job", "position"]
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="operation_position_once"),
            models.CheckConstraint(
                condition=Q(status__in=OperationStatus.values), name="operation_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status="running", token__isnull=False, lease_until__isnull=False)
                | ~Q(status="running"),
                name="operation_running_has_lease",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "priority", "id"], name="operation_waiting", condition=Q(status="queued")
            ),
            # The oldest of a queue, without reading all that wait.
            models.Index(
                fields=["queue", "available_at"], name="operation_oldest", condition=Q(status="queued")
            ),
            models.Index(fields=["lease_until"], name="operation_leases", condition=Q(status="running")),
            models.Index(fields=["image"], name="operation_by_image", condition=Q(image__isnull=False)),
            models.Index(
                fields=["error_code", "-finished_at"], name="operation_failed", condition=Q(status="failed")
            ),
            # What finished lately, at next to no cost for those that write.
            BrinIndex(fields=["finished_at"], name="operation_finished", autosummarize=True),
            models.Index(
                fields=["name", "-finished_at"],
                name="operation_durations",
                condition=Q(status="completed", cached=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.status})"


class Artifact(models.Model):
    """A result file. Its storage key is neutral; names and folders belong to `OperationArtifact`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image = models.ForeignKey(
        "images.Image", models.SET_NULL, null=True, blank=True, related_name="artifacts"
    )
    cache_key = models.CharField(max_length=64)
    role = models.CharField(max_length=32, default="result")
    file = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=8)
    byte_size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    notes = models.JSONField(default=list, blank=True)
    facts = models.JSONField(
        default=dict,
        blank=True,
        help_text="How the result was made: model, hash of its weights, device, noise.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["cache_key", "role"], name="artifact_once_per_recipe")]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="artifact_newest"),
            models.Index(fields=["file"], name="artifact_by_file"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.format} {self.id}"

    @property
    def fact_sentences(self) -> list[str]:
        """How it was made: one line for each operation that has recorded something."""
        sentences = []
        for name, values in self.facts.items():
            parts = []
            if "noise_sigma" in values:
                parts.append(f"noise of about {values['noise_sigma']:.1f} of 255 levels before denoising")
            if "model" in values:
                parts.append(f"model {values['model']}, weights {values['weights_sha256'][:12]}")
                parts.append(f"computed on {values['device']} in {values['precision']}, {values['method']}")
            sentences.append(f"{name.replace('_', ' ').capitalize()}: {'; '.join(parts)}")
        return sentences


@dataclass(frozen=True)
class ResultSource:
    """What a result is made from; `number` tells it from the job's other results of the same name."""

    name: str
    sha256: str
    number: int = 1


class OperationArtifact(models.Model):
    """An operation's result under the name that its request asked for."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.ForeignKey(Operation, models.CASCADE, related_name="links")
    artifact = models.ForeignKey(Artifact, models.CASCADE, related_name="links")
    role = models.CharField(max_length=32, default="result")
    folder = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=255)
    # Kept here, since the image may be purged while its result stays.
    source_name = models.CharField(max_length=255, blank=True, help_text="What it was made from.")
    source_sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["operation_id", "role"]
        verbose_name = "result"
        constraints = [
            models.UniqueConstraint(fields=["operation", "role"], name="operation_artifact_role_once")
        ]
        indexes = [models.Index(fields=["folder", "name"], name="operation_artifact_by_name")]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def named(
        cls,
        artifacts: Iterable[Artifact],
        *,
        operation_id: int,
        operation: str,
        source: ResultSource,
        folder: str,
        prefix: str,
    ) -> "list[OperationArtifact]":
        """The links to all results of an operation, not saved yet, under names that tell their source."""
        pair = new_pair()
        return [
            cls(
                operation_id=operation_id,
                artifact=artifact,
                role=artifact.role,
                folder=folder,
                name=result_name(
                    operation=operation,
                    role=artifact.role,
                    source_name=source.name,
                    extension=artifact.format,
                    prefix=prefix,
                    number=source.number,
                    pair=pair,
                ),
                source_name=source.name,
                source_sha256=source.sha256,
            )
            for artifact in artifacts
        ]


class JobEvent(models.Model):
    """What happened to a job, for people: submitted, retried, failed, finished."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    level = models.CharField(max_length=8, default="info")
    code = models.CharField(max_length=64)
    message = models.TextField()
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["job", "id"]

    def __str__(self) -> str:
        return self.message


class RowCount(models.Model):
    """How many rows of a kind there are in a state: changes to that number, and their sum is the number.

    Triggers write one row for each statement and state that it changes, so that writers never wait for each other;
    `queue_metrics.fold_counts` replaces the changes by their sums.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=16)
    queue = models.CharField(max_length=16, blank=True)
    status = models.CharField(max_length=24, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    hour = models.DateTimeField(null=True, blank=True, help_text="When operations finished, by hours of UTC.")
    count = models.BigIntegerField()
    byte_size = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.count:+} {self.kind} {self.status}".rstrip()


class QueueControl(models.Model):
    """A queue's switch: a paused queue hands out no work."""

    name = models.CharField(max_length=16, primary_key=True, choices=Queue)
    paused = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    paused_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class WorkerHeartbeat(models.Model):
    """A worker process that was seen lately."""

    id = models.CharField(max_length=100, primary_key=True)
    host = models.CharField(max_length=100)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    threads = models.PositiveSmallIntegerField(default=1)
    running = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["host", "pid"]
        verbose_name = "worker"

    def __str__(self) -> str:
        return self.id


def add_running(jobs: Sequence[Job]) -> None:
    """Fill in `running_share` of jobs that run, in one query whatever their number."""
    open_ids = [job.pk for job in jobs if not job.is_terminal]
    if not open_ids:
        return
    running = Operation.objects.filter(job__in=open_ids, status=OperationStatus.RUNNING, progress__gt=0)
    shares = dict(running.order_by().values_list("job_id").annotate(share=Sum("progress")))
    for job in jobs:
        job.running_share = shares.get(job.pk, 0.0)
