"""Requests for work: their fields, and what they ask for."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from api.access.authentication import request_source
from api.core.errors import ErrorCode, invalid_field
from api.core.idempotency import key_of
from api.core.requests import FilesField, IdempotentSerializer, OptionalIdField, QuerySerializer, TextField
from batches.submission import Submission
from pixproject.web.base import request_id
from processing import services
from processing.algorithms.operations.table import OPERATIONS
from processing.api.waiting import wait_field
from processing.filters import priority_of
from processing.states import Priority

MAX_IMAGES = 10_000
SOURCES = ("file", "image", "images", "batch")
NAMES = ("output_folder", "filename_prefix", "reference")
_OPERATION = {"type": "string", "enum": list(OPERATIONS)}


@extend_schema_field(
    {
        "type": "array",
        "maxItems": services.MAX_STEPS,
        "items": {
            "oneOf": [
                _OPERATION,
                {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": _OPERATION,
                        "parameters": {"type": "object", "description": "See `GET /api/operations/`."},
                    },
                    "additionalProperties": False,
                },
            ]
        },
        "example": ["webp", {"name": "resize", "parameters": {"width": 200}}],
    }
)
class StepsField(serializers.Field):
    """A list of operations; `services.parse_work` checks it."""

    is_structured = True
    default_error_messages = {"invalid": "Send a list of operations, not {kind}."}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("invalid", kind=type(data).__name__)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class WorkSerializer(IdempotentSerializer):
    """What to do and how the results are named."""

    operations = StepsField(
        help_text='Operations with a result each: names or `{"name", "parameters"}`; in a form as one JSON text.'
    )
    pipeline = StepsField(help_text="Operations applied one after the other, with one result.")
    priority = serializers.ChoiceField(
        choices=Priority.labels, required=False, allow_null=True, allow_blank=True
    )
    output_folder = TextField(max_length=200, required=False, allow_null=True, allow_blank=True)
    filename_prefix = TextField(max_length=100, required=False, allow_null=True, allow_blank=True)
    reference = TextField(max_length=200, required=False, allow_null=True, allow_blank=True)
    dry_run = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        work = services.parse_work(
            operations=attrs.pop("operations", None), pipeline=attrs.pop("pipeline", None)
        )
        return {**attrs, "work": work}


class JobRequestSerializer(WorkSerializer):
    """Work and the images it is for: at least one of `image`, `images`, `batch`."""

    image = OptionalIdField()
    images = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=MAX_IMAGES
    )
    batch = OptionalIdField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not any(attrs.get(name) for name in SOURCES):
            detail = f"Send at least one of: {', '.join(SOURCES)}."
            raise invalid_field("file", detail, code=ErrorCode.REQUIRED)
        return attrs


class JobFormSerializer(JobRequestSerializer):
    """A multipart form with files to take in and work on; lists are one JSON text each."""

    file = FilesField(help_text="Repeat for several.")


class NamesQuery(QuerySerializer):
    output_folder = TextField(
        max_length=200, required=False, allow_blank=True, help_text="As the field of the same name."
    )
    filename_prefix = TextField(
        max_length=100, required=False, allow_blank=True, help_text="As the field of the same name."
    )
    wait = wait_field("Ignored: use the header Prefer.")


def submission_of(request: Request, *, image_id: UUID | None = None) -> Submission:
    """What a request asks for; with `image_id` the address names the image and the body may not."""
    names = NamesQuery.read(request)
    body = JobFormSerializer if request.FILES else JobRequestSerializer
    values = {**names, **(WorkSerializer if image_id else body).read(request)}
    ids = [image_id or values.get("image"), *(values.get("images") or ())]
    return Submission(
        work=values["work"],
        delivery=delivery_of(values, request),
        files=tuple(values.get("file", ())),
        image_ids=tuple(dict.fromkeys(one for one in ids if one)),
        batch_id=values.get("batch"),
        is_dry_run=values["dry_run"],
    )


def delivery_of(values: Mapping[str, Any], request: Request) -> services.Delivery:
    """How the results of a request are named, and who asked."""
    return services.Delivery(
        priority=priority_of(values.get("priority") or Priority.NORMAL.label),
        idempotency_key=key_of(request) or "",
        requested_by=request.user,
        source=request_source(request),
        request_id=request_id.current(),
        **{name: values.get(name) or "" for name in NAMES},
    )
