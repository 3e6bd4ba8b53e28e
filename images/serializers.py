"""Images as JSON."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.access.permissions import has_scope
from api.core.reading import FastSerializerMixin
from api.core.serializers import ErrorItemSerializer
from api.models import AuditEvent, Scope
from images.models import Image
from processing.algorithms.codecs.formats import FORMATS

PARTS = (
    "file",
    "thumbnail",
    "metadata",
    "quality",
    "similar",
    "artifacts",
    "jobs",
    "history",
    "process",
    "restore",
)


class IssueSerializer(serializers.Serializer):
    """A fault of an image, with its number and its cut-off."""

    code = serializers.CharField()
    measure = serializers.CharField()
    value = serializers.FloatField()
    threshold = serializers.FloatField()
    explanation = serializers.CharField(help_text="For example: blurred: sharpness 0.11 < 0.38")
    severity = serializers.FloatField(required=False, help_text="From just above 0 (at the cut-off) to 1.")


class ImageSerializer(FastSerializerMixin, serializers.ModelSerializer):
    """An image. `filename`, `file_path` and `image_hash` are older names of three of its fields."""

    filename = serializers.CharField(source="original_filename")
    file_path = serializers.CharField(source="file", help_text="Storage key of the original.")
    image_hash = serializers.CharField(source="sha256")
    mime_type = serializers.SerializerMethodField()
    uploaded_by = serializers.SerializerMethodField()
    phash = serializers.SerializerMethodField(help_text="64-bit perceptual hash, hexadecimal.")
    gps = serializers.SerializerMethodField(help_text="Needs the scope write.")
    issues = IssueSerializer(many=True)
    quality_metrics = serializers.SerializerMethodField(help_text="Names of the scores beside it.")
    quality_scores = serializers.SerializerMethodField(help_text="In the order of quality_metrics.")
    thumbnail = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Image
        fields = [
            "id",
            "status",
            "filename",
            "original_filename",
            "file_path",
            "image_hash",
            "sha256",
            "format",
            "mime_type",
            "byte_size",
            "width",
            "height",
            "mode",
            "frame_count",
            "orientation",
            "dpi_x",
            "dpi_y",
            "phash",
            "captured_at",
            "exif",
            "gps",
            "kind",
            "quality_grade",
            "quality_profile",
            "issues",
            "quality_metrics",
            "quality_scores",
            "title",
            "note",
            "tags",
            "pinned",
            "reference",
            "metadata",
            "source",
            "uploaded_by",
            "created_at",
            "updated_at",
            "deleted_at",
            "thumbnail",
            "links",
        ]
        read_only_fields = fields

    def get_mime_type(self, image: Image) -> str:
        return FORMATS[image.format].mime_type

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_uploaded_by(self, image: Image) -> str | None:
        return image.uploaded_by.get_username() if image.uploaded_by else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_phash(self, image: Image) -> str | None:
        return None if image.phash is None else f"{image.phash & 0xFFFF_FFFF_FFFF_FFFF:016x}"

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_gps(self, image: Image) -> dict[str, Any] | None:
        return image.gps if sees_gps(self.context) else None

    def get_quality_metrics(self, image: Image) -> list[str]:
        return list(settings.QUALITY_METRICS)

    @extend_schema_field(serializers.ListField(child=serializers.FloatField(allow_null=True)))
    def get_quality_scores(self, image: Image) -> list[float | None]:
        rows = image.shown_scores if hasattr(image, "shown_scores") else image.quality_scores.all()
        values = {row.metric: row.value for row in rows}
        return [values.get(name) for name in settings.QUALITY_METRICS]

    def get_thumbnail(self, image: Image) -> str:
        return f"/api/images/{image.pk}/thumbnail/?size=256"

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_links(self, image: Image) -> dict[str, str]:
        path = f"/api/images/{image.pk}/"
        return {"self": path, **{part: f"{path}{part}/" for part in PARTS}}


def sees_gps(context: Any) -> bool:
    """Asked once per answer, not once per image."""
    if "sees_gps" not in context:
        context["sees_gps"] = has_scope(context["request"], Scope.WRITE)
    return bool(context["sees_gps"])


class UploadedImageSerializer(ImageSerializer):
    duplicate = serializers.BooleanField(read_only=True, help_text="The library already had this file.")

    class Meta(ImageSerializer.Meta):
        fields = [*ImageSerializer.Meta.fields, "duplicate"]
        read_only_fields = fields


class UploadResultSerializer(serializers.Serializer):
    """What became of one of several files; a rejected one has the fields of an error body."""

    status = serializers.ChoiceField(choices=["created", "duplicate", "rejected"])
    filename = serializers.CharField()
    image = UploadedImageSerializer(required=False)
    type = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = ErrorItemSerializer(many=True, required=False)  # type: ignore[assignment]
    request_id = serializers.CharField(required=False)


class UploadResultsSerializer(serializers.Serializer):
    results = UploadResultSerializer(many=True)


class MetadataSerializer(serializers.ModelSerializer):
    """What the file says of itself."""

    raw = serializers.JSONField(source="exif_raw")
    gps = serializers.SerializerMethodField(help_text="Needs the scope write.")

    class Meta:
        model = Image
        fields = [
            "id",
            "format",
            "width",
            "height",
            "mode",
            "frame_count",
            "orientation",
            "dpi_x",
            "dpi_y",
            "captured_at",
            "exif",
            "raw",
            "gps",
            "metadata",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_gps(self, image: Image) -> dict[str, Any] | None:
        return image.gps if sees_gps(self.context) else None


class HistorySerializer(serializers.ModelSerializer):
    """The audit log is for administrators: others do not learn of keys and requests, nor readers of persons."""

    ACTOR, CREDENTIALS = ("actor_name",), ("api_key_prefix", "request_id")
    actor_name = serializers.CharField(help_text="Empty for callers without the scope write.")
    api_key_prefix = serializers.CharField(help_text="Empty for callers without the scope admin.")
    request_id = serializers.CharField(help_text="Empty for callers without the scope admin.")

    def to_representation(self, instance: AuditEvent) -> dict[str, Any]:
        request = self.context["request"]
        hidden: tuple[str, ...] = () if has_scope(request, Scope.ADMIN) else self.CREDENTIALS
        hidden += () if has_scope(request, Scope.WRITE) else self.ACTOR
        return {**super().to_representation(instance), **dict.fromkeys(hidden, "")}

    class Meta:
        model = AuditEvent
        fields = ["at", "action", "actor_name", "api_key_prefix", "request_id", "detail"]
        read_only_fields = fields


class BulkResultSerializer(serializers.Serializer):
    action = serializers.CharField()
    dry_run = serializers.BooleanField()
    matched = serializers.IntegerField(help_text="Number of images chosen.")
    changed = serializers.IntegerField(help_text="Number of images that were (or would be) changed.")
    unchanged = serializers.IntegerField(
        help_text="Number of images that needed no change or cannot be changed this way."
    )
    ids = serializers.ListField(child=serializers.UUIDField(), help_text="IDs of the changed images.")
