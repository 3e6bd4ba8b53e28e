"""The review of a batch, and its archiving."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from batches import services, stages
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version
from batches.api.responses import batch_answer, check_unchanged
from batches.models import Batch
from batches.serializers import BatchSerializer


class EmptySerializer(VersionedSerializer):
    """Nothing but the version."""


class ReasonSerializer(VersionedSerializer):
    reason = serializers.CharField(max_length=stages.MAX_REASON, help_text="Why the batch is sent back.")


class ApprovalSerializer(VersionedSerializer):
    confirm = serializers.BooleanField(
        default=False, help_text="Approve the batch although it is not finished."
    )
    reason = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=stages.MAX_REASON,
        help_text="Why an unfinished batch is approved; required with `confirm` then.",
    )


ANSWER: dict[str, Any] = {"parameters": [IF_MATCH], "responses": BatchSerializer}


class StagesActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(request=EmptySerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def submit(self, request: Request, pk: str) -> Response:
        """Submit the batch for validation."""
        return self._move(request, "submit")

    @extend_schema(request=ApprovalSerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def approve(self, request: Request, pk: str) -> Response:
        """Advance the review: validate the batch, then approve it. An approved batch cannot be changed.

        A batch with ungrouped images, open groups or undecided images is refused (409 `batch_unfinished`, with the
        counts under `unfinished`) until the request is repeated with `confirm` and `reason`.
        """
        return self._move(request, "approve", ApprovalSerializer)

    @extend_schema(request=ReasonSerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def reject(self, request: Request, pk: str) -> Response:
        """Send the batch back, with a reason."""
        return self._move(request, "reject", ReasonSerializer)

    @extend_schema(request=EmptySerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def reopen(self, request: Request, pk: str) -> Response:
        """Reopen an approved batch for changes."""
        return self._move(request, "reopen")

    @extend_schema(request=EmptySerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def archive(self, request: Request, pk: str) -> Response:
        """Archive the batch; it cannot be changed until it is unarchived."""
        return self._put(request, services.archive)

    @extend_schema(request=EmptySerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def unarchive(self, request: Request, pk: str) -> Response:
        """Unarchive the batch."""
        return self._put(request, services.unarchive)

    @extend_schema(request=EmptySerializer, **ANSWER)
    @action(detail=True, methods=["POST"])
    @idempotent
    def restore(self, request: Request, pk: str) -> Response:
        """Restore a deleted batch with its groups and history."""
        return self._put(request, services.restore_batch)

    def _move(
        self, request: Request, name: str, body: type[VersionedSerializer] = EmptySerializer
    ) -> Response:
        batch, values = self.get_object(), body.read(request)
        stages.move(
            batch,
            name,
            actor=request.user,
            subject=request,
            expected_version=expected_version(request),
            **values,
        )
        return batch_answer(batch, request)

    def _put(self, request: Request, write: Callable[..., Batch]) -> Response:
        batch = self.get_object()
        EmptySerializer.read(request)
        with transaction.atomic():
            check_unchanged(batch, expected_version(request))
            write(batch, actor=request.user)
        return batch_answer(batch, request)
