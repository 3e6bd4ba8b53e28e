"""Keys, the caller and the audit as JSON."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.core.errors import ErrorCode
from api.core.requests import StrictSerializer
from api.models import ApiKey, AuditEvent, Scope


class ErrorItemSerializer(serializers.Serializer):
    field = serializers.CharField()
    row = serializers.IntegerField(allow_null=True)
    code = serializers.ChoiceField(choices=ErrorCode.choices)
    detail = serializers.CharField()


class ErrorCodeSerializer(serializers.Serializer):
    code = serializers.CharField()
    status = serializers.IntegerField()
    description = serializers.CharField()


class ApiKeySerializer(serializers.ModelSerializer):
    user = serializers.CharField(source="user.username")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "user",
            "scopes",
            "is_usable",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
        ]
        read_only_fields = fields


class CreatedApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(
        read_only=True, help_text="Shown only once. Send it as `Authorization: Api-Key <key>`."
    )

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]
        read_only_fields = fields


class ApiKeyChangesSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError(f"{value.isoformat()} is in the past.")
        return value


class NewApiKeySerializer(ApiKeyChangesSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False)
    user = serializers.CharField(
        max_length=150, required=False, help_text="The owner of the key; you by default."
    )


class LimitsSerializer(serializers.Serializer):
    """All limits on requests."""

    max_upload_bytes = serializers.IntegerField()
    max_image_pixels = serializers.IntegerField()
    max_image_side = serializers.IntegerField()
    max_frames = serializers.IntegerField()
    max_files_per_request = serializers.IntegerField()
    max_fields_bytes = serializers.IntegerField(help_text="The whole request except its files.")
    decode_timeout_seconds = serializers.IntegerField()
    formats = serializers.ListField(child=serializers.CharField())
    thumbnail_sizes = serializers.ListField(child=serializers.IntegerField())
    max_page_size = serializers.IntegerField()
    requests = serializers.CharField(help_text="Requests per period, for example 6000/min.")


class CallerSerializer(serializers.Serializer):
    id = serializers.IntegerField(source="pk")
    username = serializers.CharField()
    is_superuser = serializers.BooleanField()
    groups = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_groups(self, user: Any) -> list[str]:
        return list(user.groups.values_list("name", flat=True))


class MeSerializer(serializers.Serializer):
    user = CallerSerializer()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    api_key = ApiKeySerializer(allow_null=True)
    limits = LimitsSerializer()


class AuditEventSerializer(serializers.ModelSerializer):
    actor = serializers.IntegerField(source="actor_id", allow_null=True)

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "actor",
            "actor_name",
            "api_key_prefix",
            "request_id",
            "ip",
            "action",
            "target_type",
            "target_id",
            "detail",
        ]
        read_only_fields = fields
