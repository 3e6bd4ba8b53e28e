"""Accept suggested groups for ungrouped images."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from api.core.requests import NumberField
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version, ids_field
from batches.api.responses import ChangedSerializer, changed
from batches.groups import suggestions


class AcceptSerializer(VersionedSerializer):
    """Which images to put into their nearest group: by their ids, or by group and distance."""

    image_ids = ids_field(required=False, allow_empty=False)
    group_label = serializers.CharField(
        required=False, max_length=64, help_text="Images whose nearest group has this label."
    )
    max_distance = NumberField(
        required=False, min_value=0, max_value=2, help_text="Images with a group within this distance."
    )
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only count; change nothing.")


class CountedGroupSerializer(serializers.Serializer):
    group_label = serializers.CharField()
    title = serializers.CharField()
    count = serializers.IntegerField()


class AcceptedSerializer(ChangedSerializer):
    dry_run = serializers.BooleanField()
    count = serializers.IntegerField(help_text="Number of images that were (or would be) moved.")
    groups = CountedGroupSerializer(many=True, required=False, help_text="For dry_run: where they would go.")


class ResolvingActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(request=AcceptSerializer, parameters=[IF_MATCH], responses=AcceptedSerializer)
    @action(detail=True, methods=["POST"], url_path="suggestions/accept")
    @idempotent
    def accept_suggestions(self, request: Request, pk: str) -> Response:
        """Put images into the groups nearest to them."""
        batch, values = self.get_object(), AcceptSerializer.read(request)
        if values.pop("dry_run"):
            rows = suggestions.preview(batch, **values)
            groups = [
                {"group_label": group.label, "title": group.title, "count": count} for group, count in rows
            ]
            return changed(batch, None, dry_run=True, count=sum(count for _, count in rows), groups=groups)
        change, count = suggestions.accept(
            batch, actor=request.user, expected_version=expected_version(request), **values
        )
        return changed(batch, change, dry_run=False, count=count)
