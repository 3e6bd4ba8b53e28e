"""Operations, queues, workers and clean-up over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access import audit
from api.access.authentication import request_source
from api.core.errors import ApiError, ErrorCode
from api.core.idempotency import idempotent
from api.core.requests import FlagField, IdempotentSerializer, StrictSerializer, TextField
from api.models import Scope
from pixproject.web.base import request_id
from processing import queue_metrics, services
from processing.algorithms.operations.table import OPERATIONS, OperationSpec
from processing.api.waiting import WaitsForJob, accepted
from processing.engine import jobs
from processing.models import QueueControl, WorkerHeartbeat
from processing.serializers import JobSerializer
from processing.storage import retention

MAX_REASON = 200


class OperationSpecSerializer(serializers.Serializer):
    """An operation on images, with the JSON Schema of its parameters."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    schema = serializers.DictField()
    output_formats = serializers.ListField(child=serializers.CharField())
    queue = serializers.CharField()
    version = serializers.IntegerField()
    available = serializers.BooleanField()
    why_not = serializers.CharField(allow_blank=True)


def operation_json(spec: OperationSpec) -> dict[str, Any]:
    why_not = services.why_unavailable(spec)
    return {
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "schema": spec.schema,
        "output_formats": list(spec.output_formats),
        "queue": spec.queue,
        "version": spec.version,
        "available": not why_not,
        "why_not": why_not,
    }


class OperationsView(APIView):
    @extend_schema(responses=OperationSpecSerializer(many=True), operation_id="operations_list")
    def get(self, request: Request) -> Response:
        """All operations, with the schemas that requests are checked against."""
        return Response([operation_json(spec) for spec in OPERATIONS.values()])


class OperationView(APIView):
    @extend_schema(responses=OperationSpecSerializer, operation_id="operations_retrieve")
    def get(self, request: Request, name: str) -> Response:
        if name not in OPERATIONS:
            names = ", ".join(OPERATIONS)
            raise ApiError(
                ErrorCode.NOT_FOUND, f"There is no operation {name!r}. Available operations: {names}."
            )
        return Response(operation_json(OPERATIONS[name]))


class QueueSerializer(serializers.Serializer):
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_waiting_seconds = serializers.FloatField(allow_null=True)
    paused = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    paused_by = serializers.CharField(allow_null=True)
    workers = serializers.IntegerField()
    threads = serializers.IntegerField()


class QueueChangeSerializer(StrictSerializer):
    paused = FlagField()
    reason = TextField(required=False, default="", allow_blank=True, max_length=MAX_REASON)


class QueuesView(APIView):
    @extend_schema(responses=QueueSerializer(many=True), operation_id="queues_list")
    def get(self, request: Request) -> Response:
        """Waiting and running operations in each queue, and its workers."""
        return Response(QueueSerializer(queue_metrics.queue_numbers(), many=True).data)


class QueueView(APIView):
    required_scopes = {"PATCH": Scope.ADMIN}

    @extend_schema(responses=QueueSerializer, operation_id="queues_retrieve")
    def get(self, request: Request, name: str) -> Response:
        return Response(QueueSerializer(_queue(name)).data)

    @extend_schema(request=QueueChangeSerializer, responses=QueueSerializer)
    def patch(self, request: Request, name: str) -> Response:
        """Pause or resume a queue. Running operations continue; no new ones start."""
        _queue(name)
        values = QueueChangeSerializer.read(request)
        paused, reason = values["paused"], values["reason"]
        if paused:
            jobs.pause_queue(name, by=request.user, reason=reason)
        else:
            jobs.resume_queue(name)
        target = QueueControl.objects.get(pk=name)
        detail = {"reason": reason} if reason else {}
        audit.record("queue.pause" if paused else "queue.resume", target, request=request, detail=detail)
        return Response(QueueSerializer(_queue(name)).data)


def _queue(name: str) -> queue_metrics.QueueNumbers:
    queues = {queue.name: queue for queue in queue_metrics.queue_numbers()}
    if name not in queues:
        raise ApiError(
            ErrorCode.NOT_FOUND, f"There is no queue {name!r}. Available queues: {', '.join(queues)}."
        )
    return queues[name]


class WorkerSerializer(serializers.ModelSerializer):
    queues = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = WorkerHeartbeat
        fields = ["id", "host", "pid", "queues", "threads", "running", "started_at", "seen_at"]
        read_only_fields = fields


class WorkersView(APIView):
    @extend_schema(responses=WorkerSerializer(many=True), operation_id="workers_list")
    def get(self, request: Request) -> Response:
        """The worker processes that reported within the last half minute."""
        return Response(WorkerSerializer(queue_metrics.live_workers(), many=True).data)


class CleanupRequestSerializer(IdempotentSerializer):
    days_old = serializers.IntegerField(min_value=retention.MIN_DAYS, max_value=retention.MAX_DAYS)
    classes = serializers.ListField(
        child=serializers.ChoiceField(["raw", "processed", "thumbnails"]),
        required=False,
        allow_empty=False,
        help_text="Default: all.",
    )
    dry_run = FlagField(required=False, default=False)


class ClassPlanSerializer(serializers.Serializer):
    title = serializers.CharField()
    cutoff = serializers.DateTimeField()
    count = serializers.IntegerField()
    byte_size = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())
    kept = serializers.DictField(
        child=serializers.IntegerField(), help_text="Number of files kept, by reason."
    )


class CleanupPlanSerializer(serializers.Serializer):
    dry_run = serializers.BooleanField()
    days_old = serializers.IntegerField()
    count = serializers.IntegerField()
    byte_size = serializers.IntegerField()
    classes = serializers.DictField(child=ClassPlanSerializer())


class CleanupView(WaitsForJob, APIView):
    required_scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        request=CleanupRequestSerializer,
        responses={
            202: JobSerializer,
            200: OpenApiResponse(
                CleanupPlanSerializer, "A dry run: what would be removed, and what is kept and why."
            ),
        },
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Remove old files. Inputs of unfinished jobs, pinned images and images in batches are kept."""
        values = CleanupRequestSerializer.read(request)
        days_old, classes = values["days_old"], retention.check_classes(values.get("classes"))
        moments = retention.cutoffs(classes, days_old=days_old)
        if values["dry_run"]:
            plan = retention.plan_as_json(retention.plan(moments))
            return Response({"dry_run": True, "days_old": days_old, **plan})
        job = retention.submit_cleanup(
            moments,
            requested_by=request.user,
            source=request_source(request),
            request_id=request_id.current(),
        )
        audit.record("cleanup", job, request=request, detail={"days_old": days_old, "classes": classes})
        return accepted(job)
