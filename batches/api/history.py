"""The history of a batch, with undo and redo."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from api.core.pagination import CursorQuery, ListPagination
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version
from batches.api.responses import ChangedSerializer, changed, etag
from batches.history import changes
from batches.models import Batch, GroupingChange
from batches.serializers import ChangeSerializer

MAX_NUMBER = 2**31 - 1
SEQUENCE = "changes/(?P<sequence>[0-9]{1,9})"


class HistoryPagination(ListPagination):
    is_always_by_cursor = True


class HistoryPageSerializer(serializers.Serializer):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    version = serializers.IntegerField()
    undo = serializers.IntegerField(allow_null=True, help_text="The step that undo would undo.")
    redo = serializers.IntegerField(allow_null=True, help_text="The step that redo would redo.")
    results = ChangeSerializer(many=True)


class RedoSerializer(VersionedSerializer):
    pass


class UndoSerializer(VersionedSerializer):
    skip_conflicts = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Undo only what nobody has changed since.",
    )


class ChangesQuery(CursorQuery):
    since = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_NUMBER,
        help_text="Only changes after this version of the batch.",
    )


class HistoryActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        operation_id="batches_changes",
        responses=HistoryPageSerializer,
        filters=False,
        parameters=[ChangesQuery],
    )
    @action(detail=True, pagination_class=None)
    def changes(self, request: Request, pk: str) -> Response:
        """Changes of the groups, newest first."""
        batch, query = self.get_object(), ChangesQuery.read(request)
        pages = HistoryPagination()
        rows: Any = pages.paginate_queryset(changes.history(batch, since=query.get("since")), request)
        undo, redo = changes.next_undo(batch), changes.next_redo(batch)
        body = {
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "version": batch.version,
            "undo": undo and undo.sequence,
            "redo": redo and redo.undoes and redo.undoes.sequence,
            "results": ChangeSerializer(rows, many=True).data,
        }
        return Response(body, headers=etag(batch.version))

    @extend_schema(request=UndoSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @action(detail=True, methods=["POST"])
    @idempotent
    def undo(self, request: Request, pk: str) -> Response:
        """Undo the last step; a 409 names the later changes that conflict."""
        return self._undo(request)

    @extend_schema(
        request=UndoSerializer,
        parameters=[IF_MATCH, OpenApiParameter("sequence", int, OpenApiParameter.PATH)],
        responses=ChangedSerializer,
    )
    @action(detail=True, methods=["POST"], url_path=f"{SEQUENCE}/undo")
    @idempotent
    def undo_change(self, request: Request, pk: str, sequence: str) -> Response:
        """Undo one step of the history; a 409 names the later changes that conflict."""
        return self._undo(request, sequence=int(sequence))

    @extend_schema(request=RedoSerializer, parameters=[IF_MATCH], responses=ChangedSerializer)
    @action(detail=True, methods=["POST"])
    @idempotent
    def redo(self, request: Request, pk: str) -> Response:
        """Redo the step that was undone last."""
        batch = self.get_object()
        RedoSerializer.read(request)
        return _answer(
            batch, changes.redo(batch, actor=request.user, expected_version=expected_version(request))
        )

    def _undo(self, request: Request, sequence: int | None = None) -> Response:
        batch, values = self.get_object(), UndoSerializer.read(request)
        return _answer(
            batch,
            changes.undo(
                batch,
                actor=request.user,
                expected_version=expected_version(request),
                **values,
                sequence=sequence,
            ),
        )


def _answer(batch: Batch, change: GroupingChange) -> Response:
    return changed(batch, change)
