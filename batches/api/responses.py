"""What the API of a batch answers: its version as ETag, and the step of the history that a change became."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from batches.groups.queries import listed_groups
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.models import Batch, Group, GroupingChange
from batches.serializers import ChangeSerializer, GroupSerializer, batches_json
from batches.services import listed


class ChangedSerializer(serializers.Serializer):
    """The result of a change of the groups."""

    version = serializers.IntegerField(
        help_text="Version of the batch after the change; also the header ETag."
    )
    change = ChangeSerializer(allow_null=True, help_text="null: nothing changed.")


class ChangedGroupSerializer(ChangedSerializer):
    group = GroupSerializer()


class ChangedGroupsSerializer(ChangedSerializer):
    groups = GroupSerializer(many=True, help_text="The groups that were named or created.")


def etag(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}


def batch_answer(batch: Batch, request: Request, *, status: int = 200, **more: Any) -> Response:
    """The batch as it is now."""
    row = listed(Batch.objects.filter(pk=batch.pk)).get()
    body = {**batches_json([row], request)[0], **more}
    return Response(body, status=status, headers=etag(row.version))


def changed(
    batch: Batch, change: GroupingChange | None, *, status: int = 200, headers: Any = None, **more: Any
) -> Response:
    """The answer to a change: version, step, and what it made."""
    body = {"version": batch.version, "change": change and ChangeSerializer(change).data, **more}
    return Response(body, status=status, headers={**etag(batch.version), **(headers or {})})


def groups_json(batch: Batch, *labels: str) -> list[dict[str, Any]]:
    """Some groups of a batch as JSON."""
    return [dict(row) for row in GroupSerializer(listed_groups(batch, labels=labels), many=True).data]


def group_json(batch: Batch, group: Group) -> dict[str, Any]:
    return groups_json(batch, group.label)[0]


def check_unchanged(batch: Batch, expected_version: ExpectedVersion | None) -> None:
    """Refuse what was decided on an older state; within a transaction, whose lock then keeps it so."""
    changes.check_version(changes.lock(batch), expected_version)
