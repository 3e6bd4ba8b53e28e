"""The statuses of jobs and operations, and the moves between them."""

from django.db import models


class Priority(models.IntegerChoices):
    URGENT = 0, "urgent"
    HIGH = 1, "high"
    NORMAL = 2, "normal"
    LOW = 3, "low"


class Queue(models.TextChoices):
    LIGHT = "light"
    DEFAULT = "default"
    ML = "ml"


class JobStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"


class OperationStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Jobs that nobody asked for one by one: thumbnails and measures of uploads, searched texts. Lists leave them out unless
# asked for; they do not keep an image from being purged.
BACKGROUND_KINDS = ("ingest", "measure", "search")

JOB_TERMINAL = (JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.FAILED, JobStatus.CANCELLED)
OPERATION_OPEN = (OperationStatus.QUEUED, OperationStatus.RUNNING)

# What each status may become. `processing.jobs` is the only writer; every move is one guarded UPDATE.
JOB_MOVES: dict[JobStatus, tuple[JobStatus, ...]] = {
    JobStatus.QUEUED: (JobStatus.RUNNING, *JOB_TERMINAL),
    JobStatus.RUNNING: JOB_TERMINAL,
    JobStatus.COMPLETED: (),
    JobStatus.COMPLETED_WITH_ERRORS: (JobStatus.QUEUED,),
    JobStatus.FAILED: (JobStatus.QUEUED,),
    JobStatus.CANCELLED: (JobStatus.QUEUED,),
}
OPERATION_MOVES: dict[OperationStatus, tuple[OperationStatus, ...]] = {
    OperationStatus.QUEUED: (OperationStatus.RUNNING, OperationStatus.COMPLETED, OperationStatus.CANCELLED),
    OperationStatus.RUNNING: (
        OperationStatus.QUEUED,
        OperationStatus.COMPLETED,
        OperationStatus.FAILED,
        OperationStatus.CANCELLED,
    ),
    OperationStatus.COMPLETED: (),
    OperationStatus.FAILED: (OperationStatus.QUEUED,),
    OperationStatus.CANCELLED: (OperationStatus.QUEUED,),
}
