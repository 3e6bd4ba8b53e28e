"""Split a group: by chosen images at once, or automatically as a job."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import request_source
from api.core.errors import ApiError
from api.core.idempotency import idempotent
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version, ids_field
from batches.api.responses import ChangedSerializer, changed, etag, groups_json
from batches.groups import operations as grouping
from batches.groups import splitting
from batches.groups import validation as group_values
from batches.history.changes import Kind
from batches.serializers import GroupSerializer
from processing.api.waiting import RETRY_AFTER_S, preferred_wait_s
from processing.models import Job
from processing.services import wait_until_finished
from processing.states import JobStatus

WAIT_S = 10


class SplitSerializer(VersionedSerializer):
    label = serializers.CharField(max_length=64)  # type: ignore[assignment]
    image_ids = ids_field(required=False, allow_empty=False, help_text="The images to move into a new group.")
    auto = serializers.BooleanField(
        required=False, default=False, help_text="Split automatically instead of by image_ids."
    )
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=group_values.MAX_NAME, help_text="Name of the new group."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["auto"] == ("image_ids" in attrs):
            error = serializers.ErrorDetail("Send either image_ids or auto: true.", code="required")
            raise serializers.ValidationError({"image_ids": [error]})
        if attrs["auto"] and attrs.get("name"):
            raise serializers.ValidationError({"name": "Not allowed with auto: true."})
        return attrs


class SplitGroupSerializer(ChangedSerializer):
    group = GroupSerializer(required=False, help_text="With image_ids: the new group.")
    groups = GroupSerializer(many=True, required=False, help_text="With auto: the new groups.")
    moved = serializers.IntegerField(required=False, help_text="With auto: number of images moved into them.")
    notes = serializers.ListField(child=serializers.CharField(), required=False)


class SplitJobSerializer(ChangedSerializer):
    job = serializers.UUIDField()
    status = serializers.CharField()
    links = serializers.DictField(child=serializers.CharField())


class SplittingActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        request=SplitSerializer,
        parameters=[IF_MATCH],
        responses={
            201: SplitGroupSerializer,
            200: OpenApiResponse(SplitGroupSerializer, "With auto: there was nothing to split."),
            202: OpenApiResponse(
                SplitJobSerializer, "With auto: still running after 10 s (or `Prefer: wait=N`)."
            ),
        },
    )
    @action(detail=True, methods=["POST"], url_path="groups/split")
    def split_group(self, request: Request, pk: str) -> Response:
        """Move images of a group into a new one, or split the group automatically."""
        wait_s = preferred_wait_s(request)
        answer = self._split(request)
        if answer.status_code != 202:
            return answer
        if not wait_until_finished(answer.data["job"], WAIT_S if wait_s is None else wait_s).is_finished:
            return answer
        batch, job = self.get_object(), Job.objects.get(pk=answer.data["job"])
        operation = job.operations.get()
        if job.status != JobStatus.COMPLETED:
            raise ApiError(
                operation.error_code or "conflict", operation.error_detail or f"The split was {job.status}."
            )
        result = operation.result
        made = groups_json(batch, *result["groups"]) if result["groups"] else []
        steps = batch.changes.filter(kind=Kind.SPLIT, created_at__gte=job.created_at)
        change = steps.order_by("sequence").first() if made else None
        more = {"groups": made, "moved": result["moved"], "notes": result["notes"]}
        return changed(batch, change, status=201 if made else 200, **more)

    @idempotent
    def _split(self, request: Request) -> Response:
        batch, values, version = self.get_object(), SplitSerializer.read(request), expected_version(request)
        label, user = values["label"], request.user
        if values["auto"]:
            source = request_source(request)
            job = splitting.submit_split(batch, label, actor=user, source=source, expected_version=version)
            path = f"/api/jobs/{job.pk}/"
            body = {"version": batch.version, "change": None, "job": str(job.pk), "status": job.status}
            headers = {"Location": path, "Retry-After": str(RETRY_AFTER_S), **etag(batch.version)}
            return Response({**body, "links": {"job": path}}, status=202, headers=headers)
        chosen, name = values["image_ids"], values.get("name", "")
        step = grouping.split(batch, label, chosen, name=name, actor=user, expected_version=version)
        return changed(batch, step.change, status=201, group=groups_json(batch, step.group.label)[0])
