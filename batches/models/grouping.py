"""What Pix proposed, and every change of the groups with its inverse."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from batches.models.batch import Batch


class ClusterRun(models.Model):
    """One clustering of a batch's images, numbered, with all that is needed to repeat it."""

    class Mode(models.TextChoices):
        FULL = "full"
        INCREMENTAL = "incremental"
        SWEEP = "sweep"  # a grid of parameters is tried; no labels

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="runs", db_index=False)
    number = models.PositiveIntegerField()
    mode = models.CharField(max_length=16, choices=Mode, default=Mode.FULL)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    model = models.CharField(max_length=32, help_text="Name of the embedder.")
    weights_sha256 = models.CharField(max_length=64, blank=True)
    parameters = models.JSONField(default=dict)
    activate = models.CharField(max_length=8, default="auto", help_text="auto, always or never.")
    seed = models.PositiveIntegerField(default=0)
    library_versions = models.JSONField(default=dict, blank=True)
    image_set_sha256 = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the images' hashes, one per line."
    )
    n_images = models.PositiveIntegerField(default=0)
    n_groups = models.PositiveIntegerField(default=0)
    n_noise = models.PositiveIntegerField(default=0)
    validity = models.FloatField(null=True, blank=True, help_text="DBCV, from −1 to 1.")
    notes = models.JSONField(default=list, blank=True)
    groups = models.JSONField(
        default=list, blank=True, help_text="Size, radius, medoid and so on for each label."
    )
    centroids = models.BinaryField(default=bytes, blank=True, help_text="float32 (groups, dim).")
    projection = models.BinaryField(
        default=bytes, blank=True, help_text="float32: the mean (dim), then the components (2, dim)."
    )
    grid = models.JSONField(default=list, blank=True, help_text="The results of a parameter sweep.")
    job = models.ForeignKey("processing.Job", models.SET_NULL, null=True, blank=True, related_name="runs")
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["batch", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="cluster_run_number_once"),
            models.UniqueConstraint(
                fields=["batch"],
                condition=Q(status__in=["queued", "running"]),
                name="cluster_run_one_at_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "completed", "failed", "cancelled"]),
                name="cluster_run_status_known",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=["full", "incremental", "sweep"]), name="cluster_run_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Run {self.number}"


class ClusterAssignment(models.Model):
    """What a run says of one image."""

    run = models.ForeignKey(ClusterRun, models.CASCADE, related_name="assignments", db_index=False)
    image = models.ForeignKey("images.Image", models.CASCADE, related_name="+")
    label = models.IntegerField(help_text="−1 means noise.")
    probability = models.FloatField(default=0)
    outlier_score = models.FloatField(default=0)
    x = models.FloatField(default=0)
    y = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "image"], name="cluster_assignment_once")]

    def __str__(self) -> str:
        return f"{self.image_id}: {self.label}"


class GroupingChange(models.Model):
    """One step of a batch's history: what it set, and what was there before. Its payload is never written again."""

    class Kind(models.TextChoices):
        ADD_IMAGES = "add_images"
        UPLOAD = "upload"
        REMOVE_IMAGES = "remove_images"
        APPLY_RUN = "apply_run"
        SET_GROUPS = "set_groups"
        CREATE_GROUP = "create_group"
        EDIT_GROUP = "edit_group"
        CONFIRM = "confirm"
        DELETE_GROUP = "delete_group"
        MOVE = "move"
        MERGE = "merge"
        SPLIT = "split"
        ACCEPT_SUGGESTIONS = "accept_suggestions"
        DECIDE = "decide"
        LOCK = "lock"
        RESOLVE_DUPLICATES = "resolve_duplicates"
        STAGE = "stage"  # shown in the history; reverted by its own moves, not by undo
        UNDO = "undo"
        REDO = "redo"

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="changes", db_index=False)
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=32, choices=Kind)
    summary = models.CharField(
        max_length=500, help_text="For example: moved 37 images from red shoes to boots."
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150, blank=True)
    forward = models.JSONField(default=dict, help_text="The values that the change set.")
    inverse = models.JSONField(default=dict, help_text="The values before the change.")
    image_count = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(help_text="The version of the batch after the change.")
    undoes = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="The change that an undo or redo reverted.",
    )
    undone_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["batch", "-sequence"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "sequence"], name="grouping_change_sequence_once"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "add_images",
                        "upload",
                        "remove_images",
                        "apply_run",
                        "set_groups",
                        "create_group",
                        "edit_group",
                        "confirm",
                        "delete_group",
                        "move",
                        "merge",
                        "split",
                        "accept_suggestions",
                        "decide",
                        "lock",
                        "resolve_duplicates",
                        "stage",
                        "undo",
                        "redo",
                    ]
                ),
                name="grouping_change_kind_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence}: {self.summary}"

    @property
    def is_step(self) -> bool:
        """Whether people can take it back; undos and redos are steps of the steps."""
        return self.kind not in (self.Kind.UNDO, self.Kind.REDO, self.Kind.STAGE)

    @property
    def is_undone(self) -> bool:
        return self.undone_by_id is not None
