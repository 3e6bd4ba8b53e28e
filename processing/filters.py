"""Filters of the lists of jobs and results."""

from typing import Any
from uuid import UUID

import django_filters as filters
from django.db.models import Exists, OuterRef, Q, QuerySet

from api.core.errors import invalid_choice
from processing.models import Job, Operation, OperationArtifact
from processing.states import BACKGROUND_KINDS, JobStatus, Priority, Queue

ALL_KINDS = "all"


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def has_operation(**conditions: Any) -> Exists:
    """Jobs with an operation of which the conditions hold."""
    return Exists(Operation.objects.filter(job=OuterRef("pk"), **conditions))


class JobFilter(filters.FilterSet):
    status = filters.MultipleChoiceFilter(choices=JobStatus.choices)
    kind = filters.CharFilter(method="by_kind", help_text="Use `all` to include internal work.")
    image = filters.UUIDFilter(method="by_image")
    batch = filters.UUIDFilter(field_name="batch_id")
    queue = filters.ChoiceFilter(choices=Queue.choices, method="by_queue")
    requested_by = filters.CharFilter(method="by_requester", help_text="A user name or `me`.")
    error_code = filters.CharFilter(method="by_error")
    operation = filters.CharFilter(method="by_operation", help_text="The name of an operation.")
    reference = filters.CharFilter()
    idempotency_key = filters.CharFilter()
    source = filters.CharFilter()
    priority = filters.ChoiceFilter(
        choices=[(label, label) for label in Priority.labels], method="by_priority"
    )
    created_after = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")
    search = filters.CharFilter(
        method="by_text", help_text="Searches ID, reference, prefix, folder and request ID."
    )
    ordering = filters.OrderingFilter(
        fields=["created_at", "started_at", "finished_at", "priority", "status", "kind", "operations_total"]
    )

    class Meta:
        model = Job
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Job]) -> QuerySet[Job]:
        jobs: QuerySet[Job] = super().filter_queryset(queryset)
        return jobs if self.data.get("kind") else jobs.exclude(kind__in=BACKGROUND_KINDS)

    def by_kind(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        return queryset if value == ALL_KINDS else queryset.filter(kind=value)

    def by_image(self, queryset: QuerySet[Job], _name: str, value: UUID) -> QuerySet[Job]:
        return queryset.filter(Q(image_id=value) | has_operation(image_id=value))

    def by_queue(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        return queryset.filter(has_operation(queue=value))

    def by_error(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        return queryset.filter(has_operation(error_code=value))

    def by_operation(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        return queryset.filter(has_operation(name=value))

    def by_requester(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        if value == "me" and self.request is not None:
            return queryset.filter(requested_by=self.request.user)
        return queryset.filter(requested_by__username=value)

    def by_priority(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        return queryset.filter(priority=priority_of(value))

    def by_text(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        texts = ("reference", "filename_prefix", "output_folder", "request_id", "idempotency_key")
        matches = Q()
        for text in texts:
            matches |= Q(**{f"{text}__icontains": value})
        job_id = uuid_or_none(value)
        return queryset.filter(matches | Q(pk=job_id) if job_id else matches)


def priority_of(name: Any) -> Priority:
    """A priority by its name."""
    for priority in Priority:
        if priority.label == name:
            return priority
    raise invalid_choice("priority", name, Priority.labels)


class ArtifactFilter(filters.FilterSet):
    job = filters.UUIDFilter(field_name="operation__job_id")
    image = filters.UUIDFilter(field_name="operation__image_id")
    operation = filters.CharFilter(field_name="operation__name")
    format = filters.CharFilter(field_name="artifact__format")
    role = filters.CharFilter()
    folder = filters.CharFilter()
    name = filters.CharFilter()
    sha256 = filters.CharFilter(field_name="artifact__sha256")
    created_after = filters.IsoDateTimeFilter(field_name="operation__finished_at", lookup_expr="gte")
    created_before = filters.IsoDateTimeFilter(field_name="operation__finished_at", lookup_expr="lt")
    ordering = filters.OrderingFilter(
        fields=[
            ("operation__finished_at", "created_at"),
            ("name", "name"),
            ("artifact__byte_size", "byte_size"),
        ]
    )

    class Meta:
        model = OperationArtifact
        fields: list[str] = []
