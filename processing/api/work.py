"""Requests for work: their fields, and what they ask for."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
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
    """A list of operations; in a form its JSON, or a part for each. `services.parse_work` checks it."""

    default_error_messages = {"invalid": "Send a list of operations, not {kind}."}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, **options)

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        return value_or_values(dictionary, str(self.field_name))

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str | list):
            self.fail("invalid", kind=type(data).__name__)
        if isinstance(data, list) and all(isinstance(part, str) for part in data):
            return [_json_or_text(part) for part in data]
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ImageIdsField(serializers.ListField):
    """A list of image ids; in a form a part for each, its JSON, or ids with commas or blanks between them."""

    child = serializers.UUIDField()

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, max_length=MAX_IMAGES, **options)

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        return value_or_values(dictionary, str(self.field_name))

    def to_internal_value(self, data: Any) -> list[UUID]:
        if isinstance(data, str) and data.lstrip().startswith("["):
            try:
                data = json.loads(data)
            except (ValueError, RecursionError):
                raise serializers.ValidationError(
                    "This is not valid JSON.", code=ErrorCode.MALFORMED
                ) from None
        elif isinstance(data, str):
            data = data.replace(",", " ").split()
        image_ids: list[UUID] = super().to_internal_value(data)
        return image_ids


def value_or_values(dictionary: Mapping[str, Any], name: str) -> Any:
    """A field of JSON as it is; that of a form as a value or, if repeated, as a list."""
    if not hasattr(dictionary, "getlist") or name not in dictionary:
        return dictionary.get(name, empty)
    values = dictionary.getlist(name)
    return values[0] if len(values) == 1 else values


def _json_or_text(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


class WorkSerializer(IdempotentSerializer):
    """What to do and how the results are named."""

    operations = StepsField(
        help_text='Operations with a result each: names or `{"name", "parameters"}`; in a form as JSON.'
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
    """Work and the images it is for: at least one of `file`, `image`, `images`, `batch`."""

    file = FilesField(required=False, help_text="Repeat for several.")
    image = OptionalIdField()
    images = ImageIdsField()
    batch = OptionalIdField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if not any(attrs.get(name) for name in SOURCES):
            detail = f"Send at least one of: {', '.join(SOURCES)}."
            raise invalid_field("file", detail, code=ErrorCode.REQUIRED)
        return attrs


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
    values = {**names, **(WorkSerializer if image_id else JobRequestSerializer).read(request)}
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
