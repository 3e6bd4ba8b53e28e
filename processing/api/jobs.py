"""Jobs over REST: submit, watch, steer, download."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access import audit
from api.core.errors import ApiError, ErrorCode, invalid_field
from api.core.idempotency import idempotent
from api.core.requests import NoFieldsSerializer, QuerySerializer, StrictSerializer, takes_files
from api.core.schema import image_bytes
from api.models import Scope
from batches.submission import estimate, submit
from images.models import Image
from processing import queue_metrics
from processing.api.artifacts import result_response
from processing.api.waiting import WaitSerializer, WaitsForJob, accepted
from processing.api.work import (
    JobFormSerializer,
    JobRequestSerializer,
    NamesQuery,
    WorkSerializer,
    submission_of,
)
from processing.engine import jobs
from processing.filters import JobFilter, priority_of, uuid_or_none
from processing.models import Job, JobEvent, Operation
from processing.serializers import (
    ArtifactSerializer,
    JobEventSerializer,
    JobListSerializer,
    JobSerializer,
    OperationSerializer,
    job_json,
    results_of,
    with_links,
)
from processing.states import JobStatus, OperationStatus, Priority
from processing.storage.archive import archive


class RangeSerializer(serializers.Serializer):
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class EstimateSerializer(serializers.Serializer):
    items = serializers.IntegerField(help_text="Operations.")
    cached = serializers.IntegerField(help_text="Of these, results that exist already.")
    seconds = RangeSerializer()
    bytes = serializers.IntegerField(help_text="Size of the sources.")
    based_on = serializers.IntegerField(help_text="Number of finished operations that this is based on.")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="For denoise and one image: how noisy it is."
    )


class PrioritySerializer(StrictSerializer):
    priority = serializers.ChoiceField(choices=Priority.labels)


class RetrySerializer(StrictSerializer):
    """Which operations to retry: all that failed or were cancelled, unless these fields narrow it down."""

    only = serializers.ChoiceField(choices=["failed"], required=False, help_text="Only those that failed.")
    operations = serializers.ListField(
        child=serializers.IntegerField(max_value=2**63 - 1, min_value=0),
        required=False,
        allow_empty=False,
        help_text="Only those with these numbers.",
    )


class ErrorCountSerializer(serializers.Serializer):
    error_code = serializers.CharField()
    count = serializers.IntegerField()
    newest = serializers.DateTimeField()


class SummarySerializer(serializers.Serializer):
    jobs = serializers.DictField(child=serializers.IntegerField())
    queues = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    error_codes = ErrorCountSerializer(many=True)


PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N`: wait up to N seconds (at most 30) for the job to finish.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Repeating a request with the same key does the work only once.",
)
JOB_BODIES = {"application/json": JobRequestSerializer, "multipart/form-data": JobFormSerializer}
SUBMIT: dict[str, Any] = {
    "parameters": [PREFER, IDEMPOTENCY_KEY, NamesQuery],
    "responses": {
        202: JobSerializer,
        200: OpenApiResponse(EstimateSerializer, "A dry run: the estimate; nothing is stored."),
    },
}
TRIED_AGAIN = (OperationStatus.FAILED, OperationStatus.CANCELLED)
RETRYABLE = (JobStatus.FAILED, JobStatus.COMPLETED_WITH_ERRORS, JobStatus.CANCELLED)


class SubmitsWork(WaitsForJob):
    """What the views that accept work share."""

    def submit(self, request: Request, **source: Any) -> Response:
        submission = submission_of(request, **source)
        if submission.is_dry_run:
            return Response({"dry_run": True, **estimate(submission)})
        job = submit(submission)
        audit.record("job.submit", job, request=request, detail={"operations": job.operations_total})
        return accepted(job)


class JobViewSet(SubmitsWork, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Job.objects.select_related("requested_by").order_by("-created_at", "-id")
    serializer_class = JobSerializer
    filterset_class = JobFilter
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    http_method_names = ["get", "head", "options", "post", "patch"]

    def scope_for(self, name: str | None) -> str | None:
        changing = ("create", "cancel", "retry", "partial_update", "estimate")
        return Scope.PROCESS if name in changing else None

    @extend_schema(responses=JobListSerializer(many=True))
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(JobListSerializer(page, many=True).data)

    @extend_schema(parameters=[PREFER, WaitSerializer], responses=JobSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        job = self.get_object()
        headers = {} if job.is_terminal else {"Retry-After": "2"}
        return Response(job_json(job), headers=headers)

    @extend_schema(request=JOB_BODIES, **SUBMIT)
    @takes_files()
    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Submit work for images of the library, a batch, or uploaded files."""
        return self.submit(request)

    @extend_schema(request=JOB_BODIES, parameters=[NamesQuery], responses=EstimateSerializer)
    @action(detail=False, methods=["post"])
    @takes_files()
    def estimate(self, request: Request) -> Response:
        """Estimate a submission from measured durations; nothing is stored."""
        return Response(estimate(submission_of(request)))

    @extend_schema(request=PrioritySerializer, responses=JobSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the priority of a job."""
        priority = priority_of(PrioritySerializer.read(request)["priority"])
        job = self.get_object()
        if not jobs.set_priority(job, priority, actor=request.user):
            raise _conflict(job, "its priority can no longer be changed")
        audit.record("job.priority", job, request=request, detail={"priority": priority.label})
        return Response(job_json(job))

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Cancel waiting and running operations; finished ones stay as they are."""
        NoFieldsSerializer.read(request)
        job = self.get_object()
        if job.is_terminal or not jobs.cancel_job(job, actor=request.user):
            job.refresh_from_db()
            raise _conflict(job, "there is nothing left to cancel")
        audit.record("job.cancel", job, request=request)
        return Response(job_json(job))

    @extend_schema(request=RetrySerializer, responses={202: JobSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str | None = None) -> Response:
        """Retry failed and cancelled operations: all, only the failed ones, or those listed."""
        job = self.get_object()
        values = RetrySerializer.read(request)
        statuses = (OperationStatus.FAILED,) if "only" in values else TRIED_AGAIN
        ids = _operation_ids(job, values.get("operations"), statuses)
        if job.status not in RETRYABLE:
            raise _conflict(job, "only failed and cancelled operations of a finished job can be retried")
        count = jobs.retry_job(job, operation_ids=ids, statuses=statuses, actor=request.user)
        if not count:
            raise _conflict(job, "none of its operations can be retried")
        audit.record("job.retry", job, request=request, detail={"operations": count})
        return accepted(job)

    @extend_schema(responses=OperationSerializer(many=True), filters=False)
    @action(detail=True)
    def operations(self, request: Request, pk: str | None = None) -> Response:
        return self._page(
            with_links(self._job_rows(Operation.objects).order_by("position")), OperationSerializer
        )

    @extend_schema(responses=JobEventSerializer(many=True), filters=False)
    @action(detail=True)
    def events(self, request: Request, pk: str | None = None) -> Response:
        return self._page(self._job_rows(JobEvent.objects).order_by("id"), JobEventSerializer)

    @extend_schema(responses=ArtifactSerializer(many=True), filters=False)
    @action(detail=True)
    def artifacts(self, request: Request, pk: str | None = None) -> Response:
        return self._page(results_of(self.get_object()), ArtifactSerializer)

    @extend_schema(responses=image_bytes("application/zip"))
    @action(detail=True)
    def download(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The result's bytes, or a ZIP of several results."""
        job = self.get_object()
        results = list(results_of(job))
        if not job.is_terminal:
            raise _conflict(job, "its results can be downloaded when it is finished", {"Retry-After": "2"})
        if not results:
            if job.events.filter(code="artifacts_removed").exists():
                raise ApiError(ErrorCode.GONE, "The results of this job were removed; submit the work again.")
            raise ApiError(ErrorCode.NOT_FOUND, f"This job is {job.status} and has no results.")
        if len(results) == 1:
            return result_response(request._request, results[0])
        stream = archive(results)
        response = StreamingHttpResponse(stream, content_type="application/zip")
        response.headers["Content-Length"] = str(len(stream))
        response.headers["Content-Disposition"] = content_disposition_header(True, f"pix-{job.pk}.zip") or ""
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    @extend_schema(responses=SummarySerializer, filters=False)
    @action(detail=False)
    def summary(self, request: Request) -> Response:
        """How many jobs and operations there are, by status, queue and error code."""
        QuerySerializer.read(request)
        queues: dict[str, dict[str, int]] = {}
        for (queue, status), count in queue_metrics.operations_by_status().items():
            queues.setdefault(queue, {})[status] = count
        body = {
            "jobs": queue_metrics.jobs_by_status(),
            "queues": queues,
            "error_codes": queue_metrics.failed_by_error(),
        }
        return Response(body)

    def _job_rows(self, manager: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = manager.filter(job=self.get_object())
        return rows

    def _page(self, rows: QuerySet[Any], serializer: Any) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True).data)


class ImageProcessView(SubmitsWork, APIView):
    """`POST /api/images/{id}/process/`: the same as a job with that image."""

    required_scopes = {"POST": Scope.PROCESS}

    @extend_schema(request=WorkSerializer, operation_id="images_process", **SUBMIT)
    @idempotent
    def post(self, request: Request, pk: Any) -> Response:
        image_id = uuid_or_none(str(pk))
        images = Image.objects.exclude(status=Image.Status.PURGED)
        if image_id is None or not images.filter(pk=image_id).exists():
            raise ApiError(ErrorCode.NOT_FOUND, f"There is no image {pk}.")
        return self.submit(request, image_id=image_id)


def _operation_ids(
    job: Job, ids: list[int] | None, statuses: tuple[OperationStatus, ...]
) -> list[int] | None:
    """The named operations, if any, all of which the job has and can try again."""
    if ids is None:
        return None
    status_by_id = dict(job.operations.filter(pk__in=ids).values_list("pk", "status"))
    if missing := [one for one in ids if one not in status_by_id]:
        detail = f"This job has no operation {missing[0]}."
        raise invalid_field("operations", detail, code=ErrorCode.DOES_NOT_EXIST)
    if finished := [one for one in ids if status_by_id[one] not in statuses]:
        allowed, first = " and ".join(statuses), finished[0]
        detail = f"Operation {first} is {status_by_id[first]}; only {allowed} ones can be retried."
        raise invalid_field("operations", detail)
    return ids


def _conflict(job: Job, sentence: str, headers: dict[str, str] | None = None) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, f"The job is {job.status}: {sentence}.", headers=headers or {})
