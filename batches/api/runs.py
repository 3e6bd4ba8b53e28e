"""Run analyses of a batch, and look at their results."""

from typing import Any

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import request_source
from api.core.errors import ApiError, ErrorCode
from api.core.idempotency import idempotent
from api.core.pagination import PageQuery
from api.core.requests import NumberField
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version
from batches.api.responses import batch_answer, check_unchanged, etag
from batches.clustering import service as analysis
from batches.clustering.parameters import ACTIVATIONS, FIELDS, MODES, stored_parameters
from batches.clustering.run_status import sync_runs
from batches.groups.queries import image_ids_by_label, listed_groups
from batches.models import Batch, ClusterRun
from batches.serializers import BatchSerializer, RunSerializer
from processing.api.waiting import RETRY_AFTER_S, preferred_wait_s
from processing.services import wait_until_finished

QUICK_WAIT_S = 10
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N`: wait up to N seconds (at most 30) for the run, then answer with the groups.",
)
SHORT = {
    "embedder": "model",
    "selection": "cluster_selection_method",
    "epsilon": "cluster_selection_epsilon",
}
_WORDS = ("mode", "activate", "sizes", "samples", "dry_run")


def parameter_field(name: str, **options: Any) -> Any:
    """The field of a parameter of the analysis, with the limits that the service checks."""
    field: Any = FIELDS[name]
    kind = type(field)
    options = {"required": False, "help_text": f"{field.label}. {field.help_text}".strip(), **options}
    if issubclass(kind, forms.ChoiceField):
        return serializers.ChoiceField(choices=[value for value, _ in field.choices], **options)
    if issubclass(kind, forms.BooleanField):
        return serializers.BooleanField(**options)
    if issubclass(kind, forms.FloatField):
        return NumberField(min_value=field.min_value, **options)
    limits = {"min_value": field.min_value, "max_value": field.max_value}
    return serializers.IntegerField(allow_null=not field.required, **limits, **options)


class AnalyzeSerializer(VersionedSerializer):
    """How to group the batch. Parameters that are left out keep the values of the last full run, else the defaults."""

    mode = serializers.ChoiceField(
        choices=MODES,
        required=False,
        help_text="full; incremental: new images join the groups or are grouped among themselves; "
        "sweep: try a grid of parameters.",
    )
    activate = serializers.ChoiceField(
        choices=ACTIVATIONS,
        required=False,
        help_text="Whether to use the run's groups; auto: unless people have changed the groups.",
    )
    dry_run = serializers.BooleanField(required=False, help_text="Only estimate; start nothing.")
    model = parameter_field("model")
    min_cluster_size = parameter_field("min_cluster_size")
    min_samples = parameter_field("min_samples")
    metric = parameter_field("metric")
    cluster_selection_method = parameter_field("cluster_selection_method")
    cluster_selection_epsilon = parameter_field("cluster_selection_epsilon")
    allow_single_cluster = parameter_field("allow_single_cluster")
    embedder = parameter_field("model", help_text="Another name for model.")
    selection = parameter_field(
        "cluster_selection_method", help_text="Another name for cluster_selection_method."
    )
    epsilon = parameter_field(
        "cluster_selection_epsilon", help_text="Another name for cluster_selection_epsilon."
    )
    algorithm = serializers.ChoiceField(choices=["hdbscan"], required=False, help_text="The only choice.")
    reducer = serializers.ChoiceField(
        choices=["pca"], required=False, help_text="For the map; the only choice."
    )
    sizes = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        max_length=64,
        help_text="For a sweep: values of min_cluster_size.",
    )
    samples = serializers.ListField(
        child=serializers.IntegerField(allow_null=True),
        required=False,
        max_length=64,
        help_text="For a sweep: values of min_samples.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("mode") != "sweep" and (
            given := [name for name in ("sizes", "samples") if name in attrs]
        ):
            raise serializers.ValidationError({given[0]: "Allowed only with the mode sweep."})
        for short, name in SHORT.items():
            if short in attrs and name in attrs:
                raise serializers.ValidationError({short: f"Another name for {name}; send only one of them."})
            if short in attrs:
                attrs[name] = attrs.pop(short)
        return {name: value for name, value in attrs.items() if name not in ("algorithm", "reducer")}


class SecondsSerializer(serializers.Serializer):
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class AnalysisEstimateSerializer(serializers.Serializer):
    """What an analysis would do and how long it would take."""

    dry_run = serializers.BooleanField()
    images = serializers.IntegerField()
    to_embed = serializers.IntegerField(help_text="Images without a vector, which is computed first.")
    unusable = serializers.IntegerField(help_text="Damaged images without a vector, which are left out.")
    seconds = SecondsSerializer()
    based_on = serializers.IntegerField(help_text="Number of measurements that the range is based on.")
    notes = serializers.ListField(child=serializers.CharField())


class StartedSerializer(serializers.Serializer):
    """The run that was started."""

    run = RunSerializer()
    job = serializers.UUIDField()
    links = serializers.DictField(child=serializers.CharField())


class LabelledImagesSerializer(serializers.Serializer):
    group_label = serializers.CharField()
    name = serializers.CharField()
    count = serializers.IntegerField()
    images = serializers.ListField(child=serializers.UUIDField())


class GroupedBatchSerializer(BatchSerializer):
    """The batch with its groups, after waiting for the run."""

    run = RunSerializer()
    groups = LabelledImagesSerializer(many=True)
    unassigned = serializers.ListField(child=serializers.UUIDField(), help_text="Ungrouped images.")

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "run", "groups", "unassigned"]
        read_only_fields = fields


ANALYZE: dict[str, Any] = {
    "request": AnalyzeSerializer,
    "parameters": [PREFER, IF_MATCH],
    "responses": {
        200: OpenApiResponse(
            GroupedBatchSerializer, "After waiting: the groups. With `dry_run`: the estimate."
        ),
        202: StartedSerializer,
    },
}


class RunsActions:
    """Mixed into the view set of batches."""

    get_object: Any
    paginate_queryset: Any
    get_paginated_response: Any

    @extend_schema(**ANALYZE)
    @action(detail=True, methods=["POST"])
    def analyze(self, request: Request, pk: str) -> Response:
        """Start an analysis: missing vectors are computed first, then the images are clustered."""
        return self._analyze(request)

    @extend_schema(**ANALYZE)
    @analyze.mapping.put
    def analyze_and_wait(self, request: Request, pk: str) -> Response:
        """Start an analysis, and wait up to 10 s if all vectors exist and there are at most 500 images."""
        return self._analyze(request, waits_when_quick=True)

    def _analyze(self, request: Request, *, waits_when_quick: bool = False) -> Response:
        wait_s = preferred_wait_s(request)
        started = self._start(request)
        if started.status_code != 202:
            return started
        batch, number = self.get_object(), started.data["run"]["number"]
        run = batch.runs.get(number=number)
        if wait_s is None and waits_when_quick and analysis.is_quick(batch, {"model": run.model}):
            wait_s = QUICK_WAIT_S
        if wait_s is None or run.job_id is None or not wait_until_finished(run.job_id, wait_s).is_finished:
            return started
        batch = settled(batch)
        images = image_ids_by_label(batch)
        groups = [
            {
                "group_label": group.label,
                "name": group.name,
                "count": len(images.get(group.label, ())),
                "images": images.get(group.label, []),
            }
            for group in listed_groups(batch, ordering="label")
        ]
        shown = RunSerializer(run_of(batch, number)).data
        answer = batch_answer(batch, request, run=shown, groups=groups, unassigned=images.get("", []))
        answer["Preference-Applied"] = f"wait={wait_s}"
        return answer

    @idempotent
    def _start(self, request: Request) -> Response:
        batch, values = self.get_object(), AnalyzeSerializer.read(request)
        given = {name: value for name, value in values.items() if name not in _WORDS}
        parameters = analysis.parse_parameters(given, fallback=stored_parameters(batch.parameters))
        mode = values.get("mode", "full")
        if values.get("dry_run"):
            estimate = analysis.estimate_analysis(batch, parameters=parameters, mode=mode)
            return Response({"dry_run": True, **estimate})
        words = {name: values[name] for name in ("activate", "sizes", "samples") if name in values}
        with transaction.atomic():
            check_unchanged(batch, expected_version(request))
            run = analysis.submit_analysis(
                batch,
                parameters=parameters,
                mode=mode,
                actor=request.user,
                source=request_source(request),
                **words,
            )
        assert run.job_id is not None
        job, path = f"/api/jobs/{run.job_id}/", f"/api/batches/{batch.pk}/"
        body = {
            "run": RunSerializer(run_of(batch, run.number)).data,
            "job": str(run.job_id),
            "links": {"job": job, "run": f"{path}runs/{run.number}/", "batch": path},
        }
        headers = {"Location": job, "Retry-After": str(RETRY_AFTER_S), **etag(batch.version)}
        return Response(body, status=202, headers=headers)

    @extend_schema(operation_id="batches_runs_list", responses=RunSerializer(many=True), filters=False)
    @action(detail=True)
    def runs(self, request: Request, pk: str) -> Response:
        """The runs, newest first, without details of their groups and trials."""
        PageQuery.read(request)
        batch = settled(self.get_object())
        rows = _runs(batch).defer("centroids", "projection", "groups", "grid")
        page = self.paginate_queryset(rows)
        for run in page:
            run.groups, run.grid = [], []
        answer: Response = self.get_paginated_response(RunSerializer(page, many=True).data)
        return answer

    @extend_schema(responses=RunSerializer)
    @action(detail=True, url_path="runs/(?P<number>[0-9]{1,9})")
    def run(self, request: Request, pk: str, number: str) -> Response:
        """One run, with its parameters, its groups and, for a sweep, its trials."""
        batch = settled(self.get_object())
        return Response(RunSerializer(run_of(batch, number)).data)


def settled(batch: Batch) -> Batch:
    """The batch in line with its jobs."""
    if sync_runs(batch.pk):
        batch.refresh_from_db()
    return batch


def run_of(batch: Batch, number: str | int) -> ClusterRun:
    """A run by its number, else 404."""
    run: ClusterRun | None = _runs(batch).filter(number=min(int(number), 2**31 - 1)).first()
    if run is None:
        raise ApiError(ErrorCode.NOT_FOUND, f"The batch has no run {number}.")
    return run


def _runs(batch: Batch) -> QuerySet[ClusterRun]:
    runs: QuerySet[ClusterRun] = batch.runs.select_related("batch", "created_by").order_by("-number")
    return runs.defer("centroids", "projection")
