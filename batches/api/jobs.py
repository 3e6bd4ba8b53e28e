"""Operations on a batch's images, and the batch as a file."""

from dataclasses import asdict
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.utils import OpenApiResponse, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.permissions import has_scope
from api.core.idempotency import idempotent
from api.core.requests import FlagField, NoFieldsSerializer, NumberField, QuerySerializer, StrictSerializer
from api.models import Scope
from batches import processing as batch_work
from batches import services
from batches.api.requests import ids_field
from batches.api.responses import etag
from batches.exports import files as exports
from batches.models import Batch, BatchImage
from processing.api.jobs import EstimateSerializer
from processing.api.waiting import accepted
from processing.api.work import WorkSerializer, delivery_of
from processing.serializers import JobSerializer
from processing.storage.serving import ALTERED

DECISIONS = (*BatchImage.Decision.values, batch_work.ANY)


class ChosenSerializer(StrictSerializer):
    """Which images of the batch; by default all that are not rejected."""

    group = serializers.CharField(required=False, max_length=64, help_text="A group's label, or unassigned.")
    decision = serializers.ChoiceField(choices=DECISIONS, required=False)
    image_ids = ids_field(required=False, allow_empty=False)
    min_quality = NumberField(required=False, min_value=0, max_value=100)
    issue = serializers.CharField(required=False, max_length=64, help_text="An issue's code, or any.")


class ProcessSerializer(WorkSerializer):
    """Work on all or some images of the batch."""

    filter = ChosenSerializer(required=False)


class SkippedImageSerializer(serializers.Serializer):
    image = serializers.UUIDField()
    name = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BatchEstimateSerializer(EstimateSerializer):
    """What the work would cost."""

    dry_run = serializers.BooleanField()
    images = serializers.IntegerField(help_text="Chosen images that the work can be applied to.")
    left_out_count = serializers.IntegerField()
    left_out = SkippedImageSerializer(
        many=True, help_text="The first chosen images that are skipped, with reasons."
    )


class RetryJobsSerializer(StrictSerializer):
    """Which operations to retry: all that failed or were cancelled, unless `only` narrows it down."""

    only = serializers.ChoiceField(choices=["failed"], required=False, help_text="Only those that failed.")


class ChangedJobsSerializer(serializers.Serializer):
    jobs = serializers.IntegerField()
    operations = serializers.IntegerField()


class ExportQuery(QuerySerializer):
    format = serializers.ChoiceField(choices=list(exports.FORMATS), required=False, default="csv")
    rejected = FlagField(
        required=False, default=False, help_text="ZIP: include rejected images, in a separate folder."
    )


class SizeSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]
    title = serializers.CharField()
    status = serializers.CharField()
    count = serializers.IntegerField()


class BatchStatisticsSerializer(serializers.Serializer):
    """Counts of a batch, without images in the trash."""

    version = serializers.IntegerField()
    images = serializers.IntegerField()
    byte_size = serializers.IntegerField()
    assigned = serializers.IntegerField()
    unassigned = serializers.IntegerField()
    locked = serializers.IntegerField()
    groups = serializers.IntegerField()
    confirmed_groups = serializers.IntegerField()
    decisions = serializers.DictField(child=serializers.IntegerField())
    assigned_by = serializers.DictField(child=serializers.IntegerField())
    formats = serializers.DictField(child=serializers.IntegerField())
    quality = serializers.DictField(
        help_text="A histogram in steps of ten grades, the mean and the lowest grade."
    )
    issues = serializers.JSONField(help_text="Issues, most frequent first.")
    group_sizes = SizeSerializer(many=True)
    runs = serializers.IntegerField()
    changes = serializers.IntegerField()


class JobsActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        request=ProcessSerializer,
        responses={
            202: JobSerializer,
            200: OpenApiResponse(BatchEstimateSerializer, "For `dry_run`: nothing is stored."),
        },
    )
    @action(detail=True, methods=["POST"])
    @idempotent
    def process(self, request: Request, pk: str) -> Response:
        """Run operations or a pipeline on all or some images, as one job."""
        batch, values = self.get_object(), ProcessSerializer.read(request)
        work, filters = values["work"], values.get("filter", {})
        if values["dry_run"]:
            return Response({"dry_run": True, **batch_work.estimate_batch(batch, work, filters=filters)})
        job = batch_work.process_batch(
            batch,
            work,
            filters=filters,
            delivery=delivery_of(values, request),
            priority=services.priority_of(values["priority"]) if values.get("priority") else None,
        )
        return accepted(job)

    @extend_schema(request=RetryJobsSerializer, responses=ChangedJobsSerializer)
    @action(detail=True, methods=["POST"], url_path="jobs/retry")
    def retry_jobs(self, request: Request, pk: str) -> Response:
        """Retry the failed and cancelled operations of the batch's jobs; finished ones stay as they are."""
        values = RetryJobsSerializer.read(request)
        changed = batch_work.retry_jobs(
            self.get_object(), only_failed=values.get("only") == "failed", actor=request.user
        )
        return Response(asdict(changed))

    @extend_schema(request=NoFieldsSerializer, responses=ChangedJobsSerializer)
    @action(detail=True, methods=["POST"], url_path="jobs/cancel")
    def cancel_jobs(self, request: Request, pk: str) -> Response:
        """Cancel the waiting and running operations of the batch's jobs; finished ones stay as they are."""
        NoFieldsSerializer.read(request)
        return Response(asdict(batch_work.cancel_jobs(self.get_object(), actor=request.user)))

    @extend_schema(
        parameters=[ExportQuery],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/zip"): OpenApiTypes.BINARY,
        },
    )
    @action(detail=True)
    def export(self, request: Request, pk: str) -> HttpResponseBase:
        """The batch as a file: CSV, JSON manifest, or ZIP of the originals with one folder per group."""
        query = ExportQuery.read(request)
        return _sent(
            self.get_object(),
            query["format"],
            has_rejected=query["rejected"],
            has_positions=has_scope(request, Scope.WRITE),
        )

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    @action(detail=True)
    def manifest(self, request: Request, pk: str) -> HttpResponseBase:
        """Everything needed to repeat the grouping: hashes, parameters, seed, versions, decisions."""
        QuerySerializer.read(request)
        return _sent(self.get_object(), "json", is_attachment=False)

    @extend_schema(responses=BatchStatisticsSerializer)
    @action(detail=True)
    def statistics(self, request: Request, pk: str) -> Response:
        """Counts of images by group, decision, format, quality and issue."""
        QuerySerializer.read(request)
        batch = self.get_object()
        return Response(exports.statistics(batch), headers=etag(batch.version))


def _sent(
    batch: Batch,
    format: str,
    *,
    has_rejected: bool = False,
    has_positions: bool = True,
    is_attachment: bool = True,
) -> HttpResponseBase:
    file = exports.export(batch, format, has_rejected=has_rejected, has_positions=has_positions)
    response = StreamingHttpResponse(file.chunks, content_type=file.content_type)
    response.headers["Content-Length"] = str(file.byte_size)
    response.headers["Content-Disposition"] = content_disposition_header(is_attachment, file.name) or ""
    response.headers["Cache-Control"] = "private, no-cache"
    if format == "zip" and not has_positions:
        response.headers[ALTERED] = "gps"
    return response
