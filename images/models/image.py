import uuid
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import models
from django.db.models import Q

EARLIEST_CAPTURE, LATEST_CAPTURE = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class Image(models.Model):
    """One original image; its bytes are unique among all images that are not purged."""

    class Status(models.TextChoices):
        READY = "ready"
        DAMAGED = "damaged"  # the stored file is missing or its hash is wrong
        TRASHED = "trashed"
        PURGED = "purged"  # the files are gone; the row records what was here

    PRESENT = (Status.READY, Status.DAMAGED)  # in the library, not in the trash

    class Kind(models.TextChoices):
        PHOTO = "photo"
        PRODUCT = "product"
        FINGERPRINT = "fingerprint"
        OTHER = "other"

    class Source(models.TextChoices):
        API = "api"
        WEB = "web"
        ADMIN = "admin"
        COMMAND = "command"

    ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sha256 = models.CharField(max_length=64)
    file = models.CharField(max_length=300, help_text="Storage key of the original.")
    original_filename = models.CharField(max_length=255)
    format = models.CharField(max_length=8)
    byte_size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(help_text="In pixels, after applying the EXIF orientation.")
    height = models.PositiveIntegerField(help_text="In pixels, after applying the EXIF orientation.")
    mode = models.CharField(max_length=16)
    frame_count = models.PositiveIntegerField(default=1)
    orientation = models.PositiveSmallIntegerField(default=1, help_text="EXIF orientation, 1–8.")
    dpi_x = models.FloatField(null=True, blank=True)
    dpi_y = models.FloatField(null=True, blank=True)
    phash = models.BigIntegerField(null=True, blank=True, help_text="64-bit perceptual hash, signed.")
    pixel_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Hash of the decoded pixels, orientation applied."
    )
    captured_at = models.DateTimeField(null=True, blank=True)
    exif = models.JSONField(default=dict, blank=True)
    exif_raw = models.JSONField(default=dict, blank=True)
    gps = models.JSONField(null=True, blank=True)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PHOTO)
    status = models.CharField(max_length=16, choices=Status, default=Status.READY)
    quality_grade = models.FloatField(null=True, blank=True, help_text="0 to 100; higher is better.")
    issues = models.JSONField(
        default=list, blank=True, help_text="The quality problems found in the image, with their numbers."
    )
    quality_profile = models.CharField(
        max_length=80, blank=True, help_text="The quality profile that these issues were found with."
    )
    title = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    pinned = models.BooleanField(default=False, help_text="Never removed by a clean-up.")
    reference = models.CharField(max_length=200, blank=True, help_text="Your own identifier for this image.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Your own data about this image.")
    source = models.CharField(max_length=16, choices=Source, default=Source.API)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="images"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sha256"], condition=~Q(status="purged"), name="image_bytes_once"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["ready", "damaged", "trashed", "purged"]), name="image_status_known"
            ),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="image_sha256_is_hex"),
            models.CheckConstraint(
                condition=Q(byte_size__gt=0, width__gt=0, height__gt=0), name="image_has_size"
            ),
            # Python reads the years 1 to 9999, in whatever time zone: a row beyond could not be read again.
            models.CheckConstraint(
                condition=Q(captured_at=None)
                | Q(captured_at__gte=EARLIEST_CAPTURE, captured_at__lt=LATEST_CAPTURE),
                name="image_captured_at_readable",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-created_at", "-id"], name="image_by_status"),
            models.Index(fields=["-created_at", "-id"], name="image_newest"),
            models.Index(fields=["reference"], name="image_by_reference", condition=~Q(reference="")),
            models.Index(fields=["captured_at"], name="image_by_captured"),
            models.Index(fields=["phash"], name="image_by_phash"),
            models.Index(fields=["pixel_sha256"], name="image_by_pixels", condition=~Q(pixel_sha256="")),
            models.Index(fields=["quality_grade"], name="image_by_grade"),
            GinIndex(fields=["issues"], name="image_by_issue", opclasses=["jsonb_path_ops"]),
            GinIndex(fields=["tags"], name="image_by_tag"),
        ]

    # What of the row could not be read (`images.readable`) and is shown as empty.
    unreadable_fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.title or self.original_filename

    @property
    def issues_text(self) -> str:
        return "; ".join(issue["explanation"] for issue in self.issues)

    @property
    def has_alpha(self) -> bool:
        return self.mode in self.ALPHA_MODES

    def open(self) -> File:
        """The original's bytes as a binary file."""
        return default_storage.open(self.file, "rb")


class Rendition(models.Model):
    """A thumbnail: `size` is the longest side in pixels."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="renditions")
    size = models.PositiveIntegerField()
    format = models.CharField(max_length=8)
    file = models.CharField(max_length=300)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    byte_size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True, help_text="Empty for thumbnails of older versions.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["image", "size", "format"], name="rendition_once")]

    def __str__(self) -> str:
        return f"{self.size} {self.format} of {self.image_id}"
