"""A batch, what is in it, and the groups that its images are in."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Deferrable, F, Q
from django.db.models.functions import Floor, Least
from django.utils import timezone

from images.models import Image
from processing.states import Priority

GRADES_PER_BAR = 10


class BatchQuerySet(models.QuerySet["Batch"]):
    def present(self) -> "BatchQuerySet":
        """Those that are not deleted."""
        return self.filter(deleted_at__isnull=True)


class Batch(models.Model):
    """A named set of images that is worked on as one."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        QUEUED = "queued"
        ANALYZING = "analyzing"
        COMPLETE = "complete"
        FAILED = "failed"
        CANCELLED = "cancelled"
        ARCHIVED = "archived"

    class Stage(models.TextChoices):
        WORK = "work"
        VALIDATION = "validation"
        ACCEPTANCE = "acceptance"
        APPROVED = "approved"

    class Kind(models.TextChoices):
        CLUSTERING = "clustering"
        PROCESSING = "processing"
        IMPORT = "import"
        FINGERPRINT = "fingerprint"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch_name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.CLUSTERING)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    review_stage = models.CharField(max_length=16, choices=Stage, default=Stage.WORK)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.NORMAL)
    parameters = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="batches"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    active_run = models.ForeignKey(
        "batches.ClusterRun", models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    version = models.PositiveIntegerField(default=0, help_text="Increases with every change of the groups.")
    last_label = models.PositiveIntegerField(
        default=0,
        help_text="The highest number used as a label, so that a label in an exported file is never reused.",
    )
    images: "models.ManyToManyField" = models.ManyToManyField(
        "images.Image", through="BatchImage", related_name="batches"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "batches"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["draft", "queued", "analyzing", "complete", "failed", "cancelled", "archived"]
                ),
                name="batch_status_known",
            ),
            models.CheckConstraint(
                condition=Q(review_stage__in=["work", "validation", "acceptance", "approved"]),
                name="batch_review_stage_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["clustering", "processing", "import", "fingerprint"]),
                name="batch_kind_known",
            ),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="batch_priority_known"),
        ]
        indexes = [
            models.Index(fields=["status", "priority", "created_at"], name="batch_by_status"),
            models.Index(fields=["-created_at", "-id"], name="batch_newest"),
        ]

    def __str__(self) -> str:
        return self.batch_name

    @property
    def is_archived(self) -> bool:
        return self.status == self.Status.ARCHIVED

    @property
    def is_approved(self) -> bool:
        return self.review_stage == self.Stage.APPROVED

    @property
    def is_open(self) -> bool:
        """Whether its groups may be changed; `history.changes.check_open` refuses it otherwise."""
        return self.deleted_at is None and not (self.is_archived or self.is_approved)


class GroupQuerySet(models.QuerySet["Group"]):
    def with_counts(self) -> "GroupQuerySet":
        """Each with `count`, the number of its images that are in the library; the largest first."""
        present = models.Count("members", filter=Q(members__image__status__in=Image.PRESENT))
        return self.annotate(count=present).order_by("-count", "label")


class Group(models.Model):
    """Images of one batch that belong together. Images without a group are unassigned: noise stays noise."""

    class Status(models.TextChoices):
        OPEN = "open"
        CONFIRMED = "confirmed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="groups", db_index=False)
    label = models.CharField(max_length=64, help_text="Short and stable, for programs; unique in the batch.")
    name = models.CharField(
        max_length=200, blank=True, help_text="For people; empty until someone names the group."
    )
    colour = models.CharField(max_length=7, blank=True, help_text="For example #e11d48.")
    cover = models.ForeignKey("images.Image", models.SET_NULL, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = GroupQuerySet.as_manager()

    class Meta:
        ordering = ["batch", "label"]
        constraints = [
            # Deferred: undoing several changes at once may pass labels from one group to another.
            models.UniqueConstraint(
                fields=["batch", "label"], name="group_label_once", deferrable=Deferrable.DEFERRED
            ),
            # What the composite foreign key of BatchImage points to.
            models.UniqueConstraint(fields=["batch", "id"], name="group_of_batch"),
            models.CheckConstraint(condition=Q(status__in=["open", "confirmed"]), name="group_status_known"),
            models.CheckConstraint(condition=~Q(label=""), name="group_has_label"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """What people read."""
        return self.name or f"Group {self.label}"

    @property
    def is_confirmed(self) -> bool:
        return self.status == self.Status.CONFIRMED


class MemberQuerySet(models.QuerySet["BatchImage"]):
    def movable(self) -> "MemberQuerySet":
        """Those that an analysis may move: no person has placed, locked, confirmed or rejected them."""
        return self.exclude(_FIXED)

    def fixed(self) -> "MemberQuerySet":
        return self.filter(_FIXED)

    def present(self) -> "MemberQuerySet":
        """Those whose image is in the library, not in the trash."""
        return self.filter(image__status__in=Image.PRESENT)

    def grade_counts(self) -> tuple[list[int], int]:
        """How many images have which grade, in steps of ten with 100 in the last, and how many have none."""
        last = 100 // GRADES_PER_BAR - 1
        bar = Least(
            Floor(F("image__quality_grade") / GRADES_PER_BAR), last, output_field=models.IntegerField()
        )
        graded = self.filter(image__quality_grade__isnull=False).annotate(bar=bar)
        counts = dict(graded.order_by().values_list("bar").annotate(count=models.Count("pk")))
        missing = self.filter(image__quality_grade__isnull=True).count()
        return [counts.get(number, 0) for number in range(last + 1)], missing


class BatchImage(models.Model):
    """An image's place in a batch."""

    class AssignedBy(models.TextChoices):
        NOBODY = "", "nobody"
        AUTO = "auto"
        MANUAL = "manual"  # by a person, also to no group: analyses leave it there
        PROPAGATED = "propagated"  # inside the radius of a group that was there before
        IMPORT = "import"

    class Decision(models.TextChoices):
        PENDING = "pending"
        ACCEPTED = "accepted"
        REJECTED = "rejected"

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="batch_images")
    image = models.ForeignKey("images.Image", models.PROTECT, related_name="batch_images")
    position = models.PositiveIntegerField(default=0)
    group = models.ForeignKey(
        Group, models.SET_NULL, null=True, blank=True, related_name="members", db_index=False
    )
    assigned_by = models.CharField(max_length=16, choices=AssignedBy, blank=True, default=AssignedBy.NOBODY)
    locked = models.BooleanField(default=False)
    probability = models.FloatField(null=True, blank=True, help_text="Strength of membership, from 0 to 1.")
    outlier_score = models.FloatField(null=True, blank=True, help_text="GLOSH score, from 0 to 1.")
    decision = models.CharField(max_length=16, choices=Decision, default=Decision.PENDING)
    reject_reason = models.CharField(max_length=500, blank=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    added_at = models.DateTimeField(default=timezone.now)

    objects = MemberQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["batch", "image"], name="batch_image_once"),
            models.CheckConstraint(
                condition=Q(assigned_by__in=["", "auto", "manual", "propagated", "import"]),
                name="batch_image_assigned_by_known",
            ),
            models.CheckConstraint(
                condition=Q(decision__in=["pending", "accepted", "rejected"]),
                name="batch_image_decision_known",
            ),
        ]
        indexes = [
            models.Index(fields=["batch", "group"], name="batch_image_by_group"),
            models.Index(fields=["group"], name="batch_image_group"),
        ]

    def __str__(self) -> str:
        return f"{self.image_id} in {self.batch_id}"

    @property
    def alt_text(self) -> str:
        """The name of the image with what its marks show."""
        decision = "" if self.decision == self.Decision.PENDING else self.decision
        return ", ".join(filter(None, [str(self.image), decision, "locked" if self.locked else ""]))


_FIXED = (
    Q(assigned_by__in=[BatchImage.AssignedBy.MANUAL, BatchImage.AssignedBy.IMPORT])
    | Q(locked=True)
    | Q(decision=BatchImage.Decision.REJECTED)
    | Q(group__status=Group.Status.CONFIRMED)
)
