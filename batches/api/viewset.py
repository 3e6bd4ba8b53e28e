"""Batches over REST: create, list, describe, delete; the other modules add what is done inside one."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.filters import StrictBooleanFilter
from api.core.idempotency import idempotent
from api.core.requests import takes_files
from api.core.written_files import removed_on_error
from api.models import Scope
from batches import services
from batches.api.groups import GroupsActions
from batches.api.history import HistoryActions
from batches.api.images import ImagesActions
from batches.api.jobs import JobsActions
from batches.api.near_duplicates import NearDuplicatesActions
from batches.api.neighbours import NeighboursActions
from batches.api.proposals import ProposalsActions
from batches.api.requests import (
    IF_MATCH,
    ChosenImagesSerializer,
    VersionedSerializer,
    chosen_ids,
    expected_version,
)
from batches.api.resolving import ResolvingActions
from batches.api.responses import batch_answer, check_unchanged, etag
from batches.api.runs import RunsActions
from batches.api.splitting import SplittingActions
from batches.api.stages import StagesActions
from batches.clustering.run_status import sync_runs
from batches.models import Batch
from batches.serializers import BatchSerializer, batches_json
from images.api.selection import SELECTION_FIELDS
from images.api.uploads import UploadSerializer, take_in
from images.api.viewset import UUID_PATTERN
from images.models import Image
from images.serializers import UploadResultsSerializer
from processing.api.waiting import WaitsForJob
from processing.states import Priority

WORDS = [(word, word) for word in Priority.labels]
# What only operators do; all other changes need `write`.
PROCESS = {
    "activate_run",
    "analyze",
    "analyze_and_wait",
    "archive",
    "cancel_jobs",
    "retry_jobs",
    "destroy",
    "process",
    "reopen",
    "restore",
    "unarchive",
}


# What a form with files says of the batch; its `kind` is that of the images.
CHOOSING = ("image_ids", *SELECTION_FIELDS)
IN_FORMS = ("batch_name", "note", "priority", "assignee", "reviewer", "parameters")


class DescriptionSerializer(serializers.Serializer):
    """What describes a batch."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    parameters = serializers.DictField(required=False)
    kind = serializers.ChoiceField(choices=Batch.Kind.choices, required=False)
    priority = serializers.ChoiceField(
        choices=Priority.labels, required=False, help_text="Also applied to its waiting jobs."
    )
    assignee = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=150,
        help_text="A user name, or null for nobody.",
    )
    reviewer = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=150,
        help_text="Who validates the batch.",
    )

    def validate_priority(self, word: str) -> int:
        return services.priority_of(word)


class BatchChangesSerializer(DescriptionSerializer, VersionedSerializer):
    batch_name = serializers.CharField(required=False, max_length=services.MAX_NAME)


class NewBatchSerializer(DescriptionSerializer, ChosenImagesSerializer):
    batch_name = serializers.CharField(max_length=services.MAX_NAME)
    version = None  # type: ignore[assignment]


class NewBatchFormSerializer(UploadSerializer, DescriptionSerializer):
    """A multipart form with files for a new batch; `kind` is that of the images."""

    batch_name = serializers.CharField(max_length=services.MAX_NAME)
    batch = None  # type: ignore[assignment]


class CreatedBatchSerializer(BatchSerializer):
    upload = UploadResultsSerializer(required=False, help_text="For files: the result for each.")

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "upload"]
        read_only_fields = fields


class BatchFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Batch.Status.choices)
    review_stage = filters.ChoiceFilter(choices=Batch.Stage.choices)
    kind = filters.ChoiceFilter(choices=Batch.Kind.choices)
    priority = filters.ChoiceFilter(choices=WORDS, method="of_priority")
    owner = filters.CharFilter("owner__username", max_length=150)
    assignee = filters.CharFilter("assignee__username", max_length=150)
    reviewer = filters.CharFilter("reviewer__username", max_length=150)
    batch_name = filters.CharFilter("batch_name", max_length=200)
    image = filters.ModelChoiceFilter(field_name="batch_images__image", queryset=Image.objects.all())
    search = filters.CharFilter("batch_name", "icontains", max_length=200)
    archived = StrictBooleanFilter(
        method="in_archive", help_text="true: only archived batches; false: none of them."
    )
    deleted = StrictBooleanFilter(method="among_deleted", help_text="true: only deleted batches.")
    created_after = filters.IsoDateTimeFilter("created_at", "gte")
    created_before = filters.IsoDateTimeFilter("created_at", "lt")
    ordering = filters.OrderingFilter(
        fields=[
            (name, name) for name in ("created_at", "updated_at", "batch_name", "priority", "image_count")
        ]
    )

    class Meta:
        model = Batch
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        query = self.form.cleaned_data
        if not query.get("deleted"):
            queryset = queryset.filter(deleted_at=None)
        queryset = super().filter_queryset(queryset)
        # The id makes the order of equal rows steady, or pages would repeat and miss some.
        return queryset.order_by(*queryset.query.order_by, "-id") if query.get("ordering") else queryset

    def of_priority(self, batches: QuerySet, _name: str, word: str) -> QuerySet:
        return batches.filter(priority=services.priority_of(word))

    def in_archive(self, batches: QuerySet, _name: str, value: bool) -> QuerySet:
        archived = {"status": Batch.Status.ARCHIVED}
        return batches.filter(**archived) if value else batches.exclude(**archived)

    def among_deleted(self, batches: QuerySet, _name: str, value: bool) -> QuerySet:
        return batches.exclude(deleted_at=None) if value else batches


@extend_schema(tags=["batches"])
class BatchViewSet(
    WaitsForJob,
    RunsActions,
    GroupsActions,
    HistoryActions,
    ImagesActions,
    NearDuplicatesActions,
    NeighboursActions,
    ProposalsActions,
    ResolvingActions,
    SplittingActions,
    StagesActions,
    JobsActions,
    mixins.ListModelMixin,
    viewsets.GenericViewSet,
):
    """Named sets of images that are grouped, reviewed and worked on as one."""

    queryset = services.listed(Batch.objects.all())
    serializer_class = BatchSerializer
    filterset_class = BatchFilter
    lookup_value_regex = UUID_PATTERN

    def scope_for(self, name: str | None) -> str | None:
        return Scope.PROCESS if name in PROCESS else None

    def get_queryset(self) -> QuerySet[Batch]:
        batches: QuerySet[Batch] = super().get_queryset()
        return batches if self.action in ("list", "restore") else batches.filter(deleted_at=None)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Batches, newest first; deleted ones only with `?deleted=true`."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return Response(self.get_paginated_response(batches_json(page, request)).data)

    @extend_schema(
        request={"application/json": NewBatchSerializer, "multipart/form-data": NewBatchFormSerializer},
        responses={201: CreatedBatchSerializer},
    )
    @takes_files()
    @idempotent
    def create(self, request: Request) -> Response:
        """Create a batch from `image_ids`, from a `filter` of the image list, `all`, uploaded files, or empty."""
        if request.FILES:
            return self._create_with_files(request)
        values = NewBatchSerializer.read(request)
        ids = chosen_ids(values, request)
        described = {name: value for name, value in values.items() if name not in CHOOSING}
        batch = services.create_batch(owner=request.user, image_ids=ids, **described)
        return _created(batch, request)

    def _create_with_files(self, request: Request) -> Response:
        values = NewBatchFormSerializer.read(request)
        described = {name: values[name] for name in IN_FORMS if name in values}
        with removed_on_error(), transaction.atomic():
            batch = services.create_batch(owner=request.user, **described)
            answer = take_in(request, values, batch=batch)
            if answer.status_code >= 400:  # none of the files was taken: then there is no batch either
                transaction.set_rollback(True)
                return answer
            body: Any = answer.data
            if "results" not in body:  # one image, as its upload alone answers it
                status = "duplicate" if body["duplicate"] else "created"
                row = {"status": status, "filename": body["original_filename"], "image": body}
                body = {"results": [row]}
            return _created(batch, request, upload=body)

    @extend_schema(responses=BatchSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One batch; its version is the ETag."""
        sync_runs(UUID(pk))
        batch = self.get_object()
        return Response(batches_json([batch], request)[0], headers=etag(batch.version))

    @extend_schema(request=BatchChangesSerializer, parameters=[IF_MATCH], responses=BatchSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the description of the batch."""
        batch = self.get_object()
        values = BatchChangesSerializer.read(request)
        services.update_batch(
            batch, actor=request.user, values=values, expected_version=expected_version(request)
        )
        return batch_answer(batch, request)

    @extend_schema(parameters=[IF_MATCH], responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete the batch. It can be restored; its images stay in the library."""
        batch = self.get_object()
        with transaction.atomic():
            check_unchanged(batch, expected_version(request))
            services.delete_batch(batch, actor=request.user)
        return Response(status=204)


def _created(batch: Batch, request: Request, **more: Any) -> Response:
    answer = batch_answer(batch, request, status=201, **more)
    answer["Location"] = f"/api/batches/{batch.pk}/"
    return answer
