"""The bodies of requests: how the documentation shows them and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from processing.algorithms.operations.table import OPERATIONS
from processing.filters import priority_of
from processing.models import Job
from processing.services import MAX_STEPS
from processing.states import OperationStatus, Priority

_NAMES = {"type": "string", "enum": list(OPERATIONS)}


@extend_schema_field(
    {
        "type": "array",
        "maxItems": MAX_STEPS,
        "items": {
            "oneOf": [
                _NAMES,
                {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": _NAMES,
                        "parameters": {"type": "object", "description": "See `GET /api/operations/`."},
                    },
                    "additionalProperties": False,
                },
            ]
        },
        "example": ["webp", {"name": "resize", "parameters": {"width": 200}}],
    }
)
class StepsField(serializers.JSONField):
    """A list of operations, as the documentation shows it; `services.parse_work` reads it."""


class WorkSerializer(serializers.Serializer):
    """What to do and how the results are named."""

    operations = StepsField(
        required=False, help_text='Done side by side: names or `{"name", "parameters"}`; in a form as JSON.'
    )
    pipeline = StepsField(required=False, help_text="Done one after the other, with one result.")
    priority = serializers.ChoiceField(choices=Priority.labels, required=False)
    output_folder = serializers.CharField(max_length=200, required=False)
    filename_prefix = serializers.CharField(max_length=100, required=False)
    reference = serializers.CharField(max_length=200, required=False)
    idempotency_key = serializers.CharField(max_length=255, required=False)
    dry_run = serializers.BooleanField(required=False)


class JobRequestSerializer(WorkSerializer):
    """Work and the pictures it is for: at least one of `file`, `image`, `images`, `batch`."""

    file = serializers.ListField(
        child=serializers.FileField(), required=False, help_text="Repeat for several."
    )
    image = serializers.UUIDField(required=False)
    images = serializers.ListField(child=serializers.UUIDField(), required=False)
    batch = serializers.UUIDField(required=False)


class RangeSerializer(serializers.Serializer):
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class EstimateSerializer(serializers.Serializer):
    items = serializers.IntegerField(help_text="Operations.")
    cached = serializers.IntegerField(help_text="Of these, results that exist already.")
    seconds = RangeSerializer()
    bytes = serializers.IntegerField(help_text="Size of the sources.")
    based_on = serializers.IntegerField(help_text="How many finished operations this was measured on.")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="For denoise and one image: how noisy it is."
    )


class PrioritySerializer(serializers.Serializer):
    priority = serializers.ChoiceField(choices=Priority.labels)


class RetrySerializer(serializers.Serializer):
    only = serializers.ChoiceField(choices=["failed"], required=False)
    operations = serializers.ListField(child=serializers.IntegerField(), required=False)


class ErrorCountSerializer(serializers.Serializer):
    error_code = serializers.CharField()
    count = serializers.IntegerField()
    newest = serializers.DateTimeField()


class SummarySerializer(serializers.Serializer):
    jobs = serializers.DictField(child=serializers.IntegerField())
    queues = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    error_codes = ErrorCountSerializer(many=True)


def fields_of(data: Any, known: set[str]) -> dict[str, Any]:
    """A body that is an object with known fields only."""
    if not isinstance(data, Mapping):
        raise ApiError(ErrorCode.MALFORMED, f"The body must be an object, not {type(data).__name__}.")
    if unknown := sorted(set(data) - known):
        errors = [FieldError(name, ErrorCode.UNKNOWN_FIELD, "Not known here.") for name in unknown]
        detail = f"Unknown field {', '.join(map(repr, unknown))}; there are {', '.join(sorted(known))}."
        raise ApiError(ErrorCode.UNKNOWN_FIELD, detail, errors=errors)
    return {name: data[name] for name in data}


def read_priority(data: Any) -> Priority:
    fields = fields_of(data, {"priority"})
    if "priority" not in fields:
        raise invalid_field("priority", f"one of {', '.join(Priority.labels)}.", code=ErrorCode.REQUIRED)
    return priority_of(fields["priority"])


@dataclass(frozen=True)
class Retry:
    """Which operations to try again; without ids all that have one of the statuses."""

    operation_ids: list[int] | None
    statuses: tuple[str, ...]


def read_retry(data: Any, job: Job) -> Retry:
    fields = fields_of(data, {"only", "operations"})
    retryable = (OperationStatus.FAILED, OperationStatus.CANCELLED)
    if "only" in fields and fields["only"] != "failed":
        raise invalid_field("only", f"must be 'failed', not {fields['only']!r}.")
    statuses = (OperationStatus.FAILED,) if "only" in fields else retryable
    ids = fields.get("operations")
    if ids is None:
        return Retry(None, statuses)
    if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
        raise invalid_field("operations", "must be a list of the numbers of operations.")
    found = dict(
        job.operations.filter(pk__in=[one for one in ids if abs(one) < 2**63]).values_list("pk", "status")
    )
    if missing := [one for one in ids if one not in found]:
        detail = f"this job has no operation {missing[0]}."
        raise invalid_field("operations", detail, code=ErrorCode.DOES_NOT_EXIST)
    if finished := [one for one in ids if found[one] not in statuses]:
        allowed = " and ".join(statuses)
        detail = f"operation {finished[0]} is {found[finished[0]]}; only {allowed} ones are retried."
        raise invalid_field("operations", detail)
    return Retry(ids, statuses)
