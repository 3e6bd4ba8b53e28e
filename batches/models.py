import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


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

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch_name = models.CharField(max_length=200)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    parameters = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="batches"
    )
    images: "models.ManyToManyField" = models.ManyToManyField(
        "images.Image", through="BatchImage", related_name="batches"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "batches"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["draft", "queued", "analyzing", "complete", "failed", "cancelled", "archived"]
                ),
                name="batch_status_known",
            )
        ]

    def __str__(self) -> str:
        return self.batch_name


class BatchImage(models.Model):
    """An image's place in a batch."""

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="batch_images")
    image = models.ForeignKey("images.Image", models.PROTECT, related_name="batch_images")
    position = models.PositiveIntegerField(default=0)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["batch", "image"], name="batch_image_once")]

    def __str__(self) -> str:
        return f"{self.image_id} in {self.batch_id}"
