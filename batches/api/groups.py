"""The groups of a batch: list, create, rename, merge, split, move images between them, review images."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.errors import ApiError, ErrorCode
from api.core.idempotency import idempotent
from api.core.requests import QuerySerializer
from batches import phrases
from batches.api.requests import (
    IF_MATCH,
    ImageIdsSerializer,
    VersionedSerializer,
    expected_version,
    ids_field,
)
from batches.api.responses import (
    ChangedGroupSerializer,
    ChangedSerializer,
    changed,
    etag,
    group_json,
    groups_json,
)
from batches.groups import operations as grouping
from batches.groups import validation as group_values
from batches.groups.queries import ORDERINGS, listed_groups, unassigned_count
from batches.history.changes import GroupStep, Step
from batches.models import Batch, BatchImage, Group
from batches.serializers import GroupSerializer

# Any label, except for the words that the route uses at the same place.
LABEL = f"groups/(?P<label>(?!(?:{'|'.join(group_values.ACTIONS)})/?$)[^/]+)"


class GroupsQuery(QuerySerializer):
    ordering = serializers.ChoiceField(choices=ORDERINGS, required=False, default="-count")


class NewGroupSerializer(VersionedSerializer):
    label = serializers.CharField(  # type: ignore[assignment]
        required=False, allow_null=True, max_length=64, help_text="Default: the next free number."
    )
    name = serializers.CharField(required=False, allow_blank=True, max_length=group_values.MAX_NAME)
    colour = serializers.CharField(required=False, allow_blank=True, help_text="For example #e11d48.")
    image_ids = ids_field(required=False)


class GroupChangesSerializer(VersionedSerializer):
    name = serializers.CharField(required=False, allow_blank=True, max_length=group_values.MAX_NAME)
    label = serializers.CharField(required=False, max_length=64)  # type: ignore[assignment]
    colour = serializers.CharField(required=False, allow_blank=True, help_text="For example #e11d48.")
    cover = serializers.UUIDField(required=False, allow_null=True, help_text="An image of the group.")
    status = serializers.ChoiceField(
        choices=Group.Status.choices,
        required=False,
        help_text="confirmed: later runs leave the group unchanged.",
    )


class MergeSerializer(VersionedSerializer):
    into = serializers.CharField(max_length=64, help_text="Label of the group to keep.")

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()  # `from` is no name that Python lets a class have
        fields["from"] = serializers.ListField(
            child=serializers.CharField(max_length=64),
            allow_empty=False,
            max_length=1000,
            help_text="Labels of the groups to merge into it.",
        )
        return dict(fields)


class MoveSerializer(ImageIdsSerializer):
    to = serializers.CharField(max_length=64, allow_null=True, help_text="A group's label; null to ungroup.")


class DecideSerializer(ImageIdsSerializer):
    decision = serializers.ChoiceField(choices=BatchImage.Decision.choices)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=grouping.MAX_REASON)


class LockSerializer(ImageIdsSerializer):
    locked = serializers.BooleanField()


class AssignmentSerializer(serializers.Serializer):
    image_id = serializers.UUIDField()
    group_label = serializers.CharField(max_length=64, allow_null=True, allow_blank=True)


class SetGroupsSerializer(VersionedSerializer):
    """The group of each image, in one of two forms. Images that are not listed stay where they are."""

    groups = serializers.DictField(
        child=ids_field(),
        required=False,
        help_text="Image ids by label. New labels create groups; `unassigned`, `noise` and `-1` mean no group.",
    )
    assignments = serializers.ListField(
        child=AssignmentSerializer(),
        required=False,
        max_length=20_000,
        help_text="Images with labels of existing groups; with `create`, new labels create groups.",
    )
    create = serializers.BooleanField(  # type: ignore[assignment]
        required=False, help_text="Whether `assignments` may create groups."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("groups" in attrs) == ("assignments" in attrs):
            raise serializers.ValidationError({"groups": "Send either groups or assignments."})
        return attrs


class GroupListSerializer(serializers.Serializer):
    count = serializers.IntegerField()
    results = GroupSerializer(many=True)
    unassigned = serializers.IntegerField(help_text="Ungrouped images.")
    version = serializers.IntegerField(help_text="For If-Match; also sent as the header ETag.")


AnyStep = TypeVar("AnyStep", bound=Step)


class GroupsActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        operation_id="batches_groups_list",
        responses=GroupListSerializer,
        filters=False,
        parameters=[GroupsQuery],
    )
    @action(detail=True)
    def groups(self, request: Request, pk: str) -> Response:
        """All groups of the batch."""
        batch, query = self.get_object(), GroupsQuery.read(request)
        rows = listed_groups(batch, ordering=query["ordering"])
        body = {
            "count": len(rows),
            "results": GroupSerializer(rows, many=True).data,
            "unassigned": unassigned_count(batch),
            "version": batch.version,
        }
        return Response(body, headers=etag(batch.version))

    @extend_schema(request=NewGroupSerializer, parameters=[IF_MATCH], responses={201: ChangedGroupSerializer})
    @groups.mapping.post
    @idempotent
    def create_group(self, request: Request, pk: str) -> Response:
        """Create a group, optionally with images."""
        batch = self.get_object()
        values = NewGroupSerializer.read(request)
        return _group_step(batch, request, grouping.create_group, status=201, **values)

    @extend_schema(request=SetGroupsSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @groups.mapping.put
    def set_groups(self, request: Request, pk: str) -> Response:
        """Set the group of each listed image: `{"groups": {label: [ids]}}` or `{"assignments": […]}`."""
        batch, values = self.get_object(), SetGroupsSerializer.read(request)
        ids_by_label, creates = values.get("groups"), values.get("create", "groups" in values)
        if ids_by_label is None:
            ids_by_label = {}
            for row in values["assignments"]:
                ids_by_label.setdefault(row["group_label"] or "", []).append(row["image_id"])
        return _step(batch, request, grouping.set_groups, groups=ids_by_label, creates=creates)

    @extend_schema(request=MergeSerializer, parameters=[IF_MATCH], responses=ChangedGroupSerializer)
    @action(detail=True, methods=["POST"], url_path="groups/merge")
    @idempotent
    def merge_groups(self, request: Request, pk: str) -> Response:
        """Merge groups: move all images into one and remove the empty groups."""
        batch, values = self.get_object(), MergeSerializer.read(request)
        into, sources = values["into"], values["from"]
        version = expected_version(request)
        step = grouping.merge(batch, into=into, sources=sources, actor=request.user, expected_version=version)
        return changed(batch, step.change, group=groups_json(batch, into)[0])

    @extend_schema(request=MoveSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @action(detail=True, methods=["POST"], url_path="groups/move")
    @idempotent
    def move_images(self, request: Request, pk: str) -> Response:
        """Move images into a group, or out of all groups; later runs leave them there."""
        return _step(self.get_object(), request, grouping.move, **MoveSerializer.read(request))

    @extend_schema(request=DecideSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @action(detail=True, methods=["POST"], url_path="groups/decide")
    @idempotent
    def decide_images(self, request: Request, pk: str) -> Response:
        """Accept or reject images, or clear the decision."""
        return _step(self.get_object(), request, grouping.decide, **DecideSerializer.read(request))

    @extend_schema(request=LockSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @action(detail=True, methods=["POST"], url_path="groups/lock")
    @idempotent
    def lock_images(self, request: Request, pk: str) -> Response:
        """Lock images so that later runs do not move them, or unlock them."""
        return _step(self.get_object(), request, grouping.lock, **LockSerializer.read(request))

    @extend_schema(responses=GroupSerializer)
    @action(detail=True, url_path=LABEL)
    def group(self, request: Request, pk: str, label: str) -> Response:
        """One group."""
        batch = self.get_object()
        groups = groups_json(batch, label)
        if not groups:
            raise _unknown(label)
        return Response(groups[0], headers=etag(batch.version))

    @extend_schema(request=GroupChangesSerializer, parameters=[IF_MATCH], responses=ChangedGroupSerializer)
    @group.mapping.patch
    def edit_group(self, request: Request, pk: str, label: str) -> Response:
        """Change a group's name, label, colour or cover; confirm or reopen it."""
        batch, values = self.get_object(), GroupChangesSerializer.read(request)
        if not values:
            raise ApiError(ErrorCode.REQUIRED, "Send at least one of: name, label, colour, cover, status.")
        return _group_step(batch, request, grouping.edit_group, label=label, values=values)

    @extend_schema(parameters=[IF_MATCH], responses=ChangedSerializer)
    @group.mapping.delete
    def delete_group(self, request: Request, pk: str, label: str) -> Response:
        """Dissolve a group; its images become ungrouped."""
        return _step(self.get_object(), request, grouping.delete_group, label=label)


def _step(batch: Batch, request: Request, write: Callable[..., Step], **values: Any) -> Response:
    return changed(batch, _written(batch, request, write, **values).change)


def _group_step(
    batch: Batch, request: Request, write: Callable[..., GroupStep], *, status: int = 200, **values: Any
) -> Response:
    step = _written(batch, request, write, **values)
    return changed(batch, step.change, status=status, group=group_json(batch, step.group))


def _written(batch: Batch, request: Request, write: Callable[..., AnyStep], **values: Any) -> AnyStep:
    version = expected_version(request)
    is_addressed = "label" in values and write is not grouping.create_group
    if is_addressed and not batch.groups.filter(label=values["label"]).exists():
        raise _unknown(values["label"])  # a 404 in the address; in the body it is a 400
    return write(batch, actor=request.user, expected_version=version, **values)


def _unknown(label: str) -> ApiError:
    return ApiError(ErrorCode.NOT_FOUND, phrases.no_group(label))
