"""What was measured of images: quality, embeddings, and which are near-duplicates of each other."""

import uuid

from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast
from pgvector.django import HalfVectorField, HnswIndex, VectorField

from images.models.image import Image

# Dimensions of each embedder's vectors; every one has its own index, in half precision, which 2048 dimensions need.
VECTOR_DIMENSIONS = {"pix_small": 384, "dinov2": 384, "clip": 512, "resnet50": 2048}


class QualityScore(models.Model):
    """One measure of one image: a number, or why there is none."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="quality_scores")
    metric = models.CharField(max_length=32)
    value = models.FloatField(null=True, blank=True)
    normalized = models.FloatField(null=True, blank=True, help_text="0 to 1; higher is better.")
    metric_version = models.CharField(
        max_length=64, help_text="Changes whenever the same image would get a different score."
    )
    weights_sha256 = models.CharField(max_length=64, blank=True)
    input_size = models.PositiveIntegerField(
        default=0, help_text="Longer side of the measured image, in pixels."
    )
    duration_ms = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "metric", "metric_version"], name="quality_score_once"),
            models.CheckConstraint(
                condition=Q(value__isnull=False, error_code="") | (Q(value__isnull=True) & ~Q(error_code="")),
                name="quality_score_value_or_error",
            ),
        ]
        indexes = [models.Index(fields=["metric", "value"], name="quality_score_by_value")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.image_id}"


class QualityProfile(models.Model):
    """The cut-offs for images of one kind; a changed profile is a new version."""

    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Image.Kind)
    thresholds = models.JSONField(default=dict, help_text="The cut-off of each measure.")
    version = models.PositiveIntegerField(default=1)
    active = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["kind", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="quality_profile_version_once"),
            models.UniqueConstraint(
                fields=["kind"], condition=Q(active=True), name="quality_profile_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Embedding(models.Model):
    """An image as an L2-normalised vector of one model."""

    image = models.ForeignKey(Image, models.CASCADE, related_name="embeddings")
    model = models.CharField(max_length=32)
    weights_sha256 = models.CharField(max_length=64)
    dim = models.PositiveIntegerField()
    vector = VectorField(help_text="float32, L2-normalized.")
    duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "model", "weights_sha256"], name="embedding_once"),
            models.CheckConstraint(condition=Q(dim__gt=0), name="embedding_has_dimensions"),
        ]
        indexes = [
            models.Index(fields=["model", "weights_sha256"], name="embedding_by_model"),
            *(
                HnswIndex(
                    OpClass(Cast("vector", HalfVectorField(dimensions=dim)), name="halfvec_cosine_ops"),
                    name=f"embedding_{model}_hnsw",
                    m=16,
                    ef_construction=64,
                    condition=Q(model=model),
                )
                for model, dim in VECTOR_DIMENSIONS.items()
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.image_id}"


class DuplicatePair(models.Model):
    """Two images that may show the same thing; a verdict stays decided."""

    class Kind(models.TextChoices):
        PIXELS = "pixels"  # equal pixels in different files
        NEAR = "near"

    class Verdict(models.TextChoices):
        PENDING = "pending"
        DUPLICATE = "duplicate"
        NOT_DUPLICATE = "not_duplicate"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    a = models.ForeignKey(Image, models.CASCADE, related_name="+")
    b = models.ForeignKey(Image, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind)
    distance = models.FloatField(
        validators=[MinValueValidator(0), MaxValueValidator(1)], help_text="0 (identical) to 1."
    )
    hash_distance = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How many of the 64 bits differ."
    )
    model = models.CharField(max_length=32, blank=True, help_text="The model whose vectors were compared.")
    verdict = models.CharField(max_length=16, choices=Verdict, default=Verdict.PENDING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["distance", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["a", "b", "kind"], name="duplicate_pair_once"),
            models.CheckConstraint(condition=Q(a__lt=F("b")), name="duplicate_pair_ordered"),
            models.CheckConstraint(
                condition=Q(verdict__in=["pending", "duplicate", "not_duplicate"]),
                name="duplicate_pair_verdict_known",
            ),
        ]
        indexes = [
            models.Index(fields=["b"], name="duplicate_pair_by_b"),
            models.Index(fields=["verdict", "distance"], name="duplicate_pair_by_verdict"),
        ]

    def __str__(self) -> str:
        return f"{self.a_id} and {self.b_id}"

    @property
    def sides(self) -> tuple[Image, Image]:
        """Both images; the one with more pixels first, which is the one that people mostly keep."""
        first, second = sorted((self.a, self.b), key=lambda image: image.width * image.height, reverse=True)
        return first, second
