"""Jobs, operations and results as JSON."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from processing import estimates
from processing.models import Job, JobEvent, Operation, OperationArtifact, add_running
from processing.states import JobStatus, Priority
from processing.storage import links

# A job's own JSON shows this many operations and results; the lists behind its links have all of them.
INLINE_ROWS = 200


class ArtifactSerializer(serializers.Serializer):
    """One result: a file under the name that its request asked for."""

    id = serializers.UUIDField()
    operation = serializers.CharField(source="operation.name")
    operation_id = serializers.IntegerField()
    job = serializers.UUIDField(source="operation.job_id")
    image = serializers.UUIDField(source="operation.image_id", allow_null=True)
    role = serializers.CharField()
    format = serializers.CharField(source="artifact.format")
    byte_size = serializers.IntegerField(source="artifact.byte_size")
    width = serializers.IntegerField(source="artifact.width")
    height = serializers.IntegerField(source="artifact.height")
    sha256 = serializers.CharField(source="artifact.sha256")
    name = serializers.CharField()
    folder = serializers.CharField()
    source_name = serializers.CharField(help_text="The file name of the image that it was made from.")
    source_sha256 = serializers.CharField()
    notes = serializers.ListField(source="artifact.notes", child=serializers.CharField())
    facts = serializers.DictField(
        source="artifact.facts",
        help_text="How the result was made, by operation: model, weights_sha256, device, …",
    )
    url = serializers.CharField(
        allow_null=True, help_text="A signed link that works without credentials until it expires."
    )
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When `url` expires.")
    removed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the file was removed; `url` is then null."
    )
    links = serializers.DictField(child=serializers.CharField())

    def to_representation(self, link: OperationArtifact) -> dict[str, Any]:
        link.url, link.expires_at = links.signed_url(link)  # type: ignore[attr-defined]
        link.removed_at = None  # type: ignore[attr-defined]
        path = f"/api/artifacts/{link.pk}/"
        link.links = {"self": path, "file": f"{path}file/", "compare": f"{path}compare/"}  # type: ignore[attr-defined]
        return super().to_representation(link)


def removed_artifacts(operation: Operation) -> list[dict[str, Any]]:
    """Results whose files are gone, listed like the others but without a url."""
    facts = {
        "source_name": "",
        "source_sha256": "",
        "operation": operation.name,
        "operation_id": operation.pk,
        "job": str(operation.job_id),
        "image": operation.image_id and str(operation.image_id),
        "notes": [],
        "facts": {},
        "url": None,
        "expires_at": None,
        "links": {},
    }
    entries = []
    for removed in operation.result.get("removed", []):
        shown = {name: value for name, value in removed.items() if name != "why"}
        entries.append({**facts, **shown, "notes": [f"The file was removed: {removed['why']}."]})
    return entries


class OperationErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class OperationSerializer(serializers.ModelSerializer):
    """One operation of a job."""

    error = serializers.SerializerMethodField()
    artifact = serializers.SerializerMethodField(help_text="The ID of its first result.")
    priority = serializers.CharField(source="get_priority_display")
    notes = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField(help_text="The numbers of work that creates no files.")

    class Meta:
        model = Operation
        fields = [
            "id",
            "position",
            "name",
            "status",
            "parameters",
            "image",
            "queue",
            "priority",
            "progress",
            "cached",
            "attempts",
            "max_attempts",
            "losses",
            "error",
            "artifact",
            "notes",
            "result",
            "duration_ms",
            "available_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(OperationErrorSerializer(allow_null=True))
    def get_error(self, operation: Operation) -> dict[str, str] | None:
        if not operation.error_code:
            return None
        return {"code": operation.error_code, "detail": operation.error_detail}

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_artifact(self, operation: Operation) -> str | None:
        return next((str(link.pk) for link in operation.links.all()), None)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_notes(self, operation: Operation) -> list[str]:
        return list(operation.result.get("notes", []))

    @extend_schema_field(serializers.DictField())
    def get_result(self, operation: Operation) -> dict[str, Any]:
        return {
            key: value for key, value in operation.result.items() if key not in ("removed", "notes", "facts")
        }


class ProgressSerializer(serializers.Serializer):
    total = serializers.IntegerField(source="operations_total")
    done = serializers.IntegerField(source="operations_completed")
    failed = serializers.IntegerField(source="operations_failed")
    cancelled = serializers.IntegerField(source="operations_cancelled")
    percent = serializers.IntegerField()


class EtaSerializer(serializers.Serializer):
    seconds_p50 = serializers.FloatField()
    seconds_p90 = serializers.FloatField()
    based_on = serializers.IntegerField(help_text="How many finished operations the estimate is based on.")


class JobListSerializer(serializers.ModelSerializer):
    """A job without its operations, for lists."""

    priority = serializers.ChoiceField(source="get_priority_display", choices=Priority.labels)
    status = serializers.ChoiceField(choices=JobStatus.choices)
    progress = ProgressSerializer(source="*")
    requested_by: serializers.SlugRelatedField = serializers.SlugRelatedField(
        slug_field="username", read_only=True
    )
    links = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "status",
            "priority",
            "progress",
            "image",
            "batch",
            "output_folder",
            "filename_prefix",
            "reference",
            "idempotency_key",
            "requested_by",
            "source",
            "request_id",
            "created_at",
            "started_at",
            "finished_at",
            "links",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_links(self, job: Job) -> dict[str, str]:
        path = f"/api/jobs/{job.pk}/"
        parts = ("operations", "events", "artifacts", "download")
        return {"self": path, **{part: f"{path}{part}/" for part in parts}}


class JobSerializer(JobListSerializer):
    """A job with its first operations and results."""

    eta = serializers.SerializerMethodField()
    operations = OperationSerializer(
        many=True, help_text=f"The first {INLINE_ROWS}; `links.operations` lists all."
    )
    operations_total = serializers.IntegerField(help_text="How many operations the job has.")
    artifacts = ArtifactSerializer(
        many=True,
        help_text=f"The first {INLINE_ROWS} results, then removed ones of the operations shown; "
        "`links.artifacts` lists all that can be downloaded.",
    )
    artifacts_total = serializers.IntegerField(
        help_text="How many results of the job can be downloaded; removed ones are not counted."
    )
    is_truncated = serializers.BooleanField(
        help_text=f"There are more than {INLINE_ROWS} operations or results: see `links` for the rest."
    )

    class Meta(JobListSerializer.Meta):
        fields = [
            *JobListSerializer.Meta.fields,
            "eta",
            "parameters",
            "operations",
            "operations_total",
            "artifacts",
            "artifacts_total",
            "is_truncated",
        ]
        read_only_fields = fields

    @extend_schema_field(EtaSerializer)
    def get_eta(self, job: Job) -> dict[str, float | int]:
        return estimates.job_eta(job).as_dict()

    def to_representation(self, job: Job) -> dict[str, Any]:
        add_running([job])
        operations = list(with_links(job.operations.order_by("position"))[:INLINE_ROWS])
        made = list(results_of(job)[: INLINE_ROWS + 1])
        is_whole = len(made) <= INLINE_ROWS
        removed = [note for operation in operations for note in removed_artifacts(operation)]
        shown = [*ArtifactSerializer(made[:INLINE_ROWS], many=True).data, *removed]
        return {
            **JobListSerializer(job, context=self.context).data,
            "eta": self.get_eta(job),
            "parameters": job.parameters,
            "operations": OperationSerializer(operations, many=True).data,
            "operations_total": job.operations_total,
            "artifacts": shown[:INLINE_ROWS],
            "artifacts_total": len(made) if is_whole else results_of(job).count(),
            "is_truncated": job.operations_total > len(operations) or not is_whole,
        }


def results_of(job: Job) -> QuerySet[OperationArtifact]:
    """The results of a job whose files are there, in the order of its operations."""
    rows = OperationArtifact.objects.filter(operation__job=job).select_related("artifact", "operation")
    return rows.order_by("operation__position", "role")


def with_links(operations: QuerySet[Operation]) -> QuerySet[Operation]:
    """Operations with their results, in three queries whatever their number."""
    made = OperationArtifact.objects.select_related("artifact", "operation").order_by("role")
    return operations.prefetch_related(Prefetch("links", made))


def job_json(job: Job) -> dict[str, Any]:
    """The whole JSON of a job as it is now."""
    return dict(JobSerializer(job).data)


class JobEventSerializer(serializers.ModelSerializer):
    class Meta:
        model = JobEvent
        fields = ["id", "at", "level", "code", "message", "data"]
        read_only_fields = fields
