"""How requests are read: bodies and query strings by serializers, which the API's document shows as they are."""

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.core.validators import BaseValidator
from django.http import QueryDict
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request

from api.core import phrases
from api.core.errors import ApiError, ErrorCode
from api.core.parsers import refuse_infinite_numbers
from pixproject.web.base.text import has_unstorable_characters

Numbers = tuple[float, float]  # a limit, and what exceeded it
View = TypeVar("View", bound=Callable[..., Any])
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def takes_files(*, or_json: bool = True) -> Callable[[View], View]:
    """Mark a view method whose body may be a multipart form with files. All other bodies are JSON.

    Args:
        or_json: whether it also works without files; that body is JSON then, too.
    """

    def mark(view: View) -> View:
        view.bodies = "files or json" if or_json else "files"  # type: ignore[attr-defined]
        return view

    return mark


def body_of(request: Request) -> Mapping[str, Any]:
    """What the body says, as JSON or as a form with files; nothing where there is none.

    Raises:
        ApiError: 415 for a form where no file belongs and for a body of no type, 400 for one that is no object.
    """
    # Asked here and not by the choice of a parser: Django reads a form before DRF does, to find its CSRF token.
    sent_type = request.content_type.partition(";")[0].strip().lower()
    handler = getattr(request.parser_context["view"], (request.method or "").lower(), None)
    bodies = getattr(handler, "bodies", "json")
    is_form = sent_type in FORMS
    if _has_body(request) and (not sent_type or (is_form and bodies == "json")):
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, phrases.json_only(sent_type))
    data: Any = request.data
    if is_form and bodies == "files or json" and data and not request.FILES:
        raise ApiError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, phrases.json_only(sent_type))
    if not isinstance(data, Mapping):
        raise ApiError(ErrorCode.MALFORMED, "The body must be a JSON object.")
    return data


def _has_body(request: Request) -> bool:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return length != "0" or "HTTP_TRANSFER_ENCODING" in request.META


class InvalidFields(serializers.ValidationError):
    """Wrong fields; `exceeded` has the numbers of each error that is about a limit, by its field and code."""

    def __init__(self, detail: Any, *, exceeded: Mapping[tuple[str, str], Numbers]) -> None:
        super().__init__(detail)
        self.exceeded = exceeded


class StrictSerializer(serializers.Serializer):
    """Reads a body. Refuses unknown fields, repeated ones, files in the wrong part, text that no row can hold."""

    read_elsewhere: tuple[str, ...] = ()  # checked here, used by others: not among the values

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """The fields of a request.

        Raises:
            ApiError: 415 or 400 for a body that `body_of` refuses.
            ValidationError: 400 naming every wrong field.
        """
        data = body_of(request)
        return cls.check(cls._plain(data) if isinstance(data, QueryDict) else data, request)

    @classmethod
    def _plain(cls, form: QueryDict) -> dict[str, Any]:
        """A form as the object that JSON would have sent: files as lists, lists and objects as one JSON text each.

        Django REST framework's own reading takes every value of a form for an object with no members.
        """
        fields = cls().fields
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, parts in form.lists():
            field = fields.get(name)
            texts = [part for part in parts if not isinstance(part, UploadedFile)]
            if isinstance(field, FilesField):
                values[name] = parts
            elif len(texts) < len(parts):
                names = [other for other, one in fields.items() if isinstance(one, FilesField)]
                errors[name] = [
                    serializers.ErrorDetail(phrases.misplaced_file(names), ErrorCode.UNKNOWN_FIELD)
                ]
            elif len(texts) > 1:
                errors[name] = [serializers.ErrorDetail(phrases.SEND_ONCE, ErrorCode.INVALID)]
            elif isinstance(field, STRUCTURED) or getattr(field, "is_structured", False):
                try:
                    values[name] = json.loads(texts[0])
                    refuse_infinite_numbers({name: values[name]})
                except (ValueError, RecursionError):
                    errors[name] = [serializers.ErrorDetail(phrases.ONE_JSON_TEXT, ErrorCode.MALFORMED)]
            else:
                values[name] = texts[0]
        if errors:
            raise serializers.ValidationError(errors)
        return values

    @classmethod
    def check(cls, data: Mapping[str, Any], request: Request) -> dict[str, Any]:
        """The fields of `data`. Raises as `read` does."""
        serializer = cls(data=data, context={"request": request})
        if not serializer.is_valid():
            raise InvalidFields(
                serializer.errors, exceeded=dict(_exceeded(serializer, data, serializer.errors))
            )
        return dict(serializer.validated_data)

    def get_fields(self) -> dict[str, serializers.Field]:
        fields: dict[str, serializers.Field] = super().get_fields()
        for field in fields.values():
            choice = getattr(field, "child", field)
            if isinstance(choice, serializers.ChoiceField):
                choice.error_messages["invalid_choice"] = phrases.not_a_choice("{input}", choice.choices)
        return fields

    def to_internal_value(self, data: Any) -> Any:
        errors = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            details: Any = error.detail
            raise serializers.ValidationError({**details, **errors}) from None
        for name, value in values.items():
            if has_unstorable_characters(value):
                errors[name] = [serializers.ErrorDetail(phrases.UNSTORABLE, ErrorCode.INVALID)]
        if errors:
            raise serializers.ValidationError(errors)
        return {name: value for name, value in values.items() if name not in self.read_elsewhere}

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, Any]:
        fields = {name: field for name, field in self.fields.items() if not field.read_only}
        unknown = serializers.ErrorDetail(phrases.unknown_field(fields), ErrorCode.UNKNOWN_FIELD)
        return {name: [unknown] for name in data if name not in fields}


class QuerySerializer(StrictSerializer):
    """Reads a query string, and documents it: `parameters=[QuerySerializer]`. With no fields, allows none."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        refuse_repeated(request)
        return cls.check(request.query_params.dict(), request)


def refuse_repeated(request: Request, *, except_for: Collection[str] = ()) -> None:
    """Of a parameter sent twice only one value would count, and nobody would know which."""
    sent = request.query_params.lists()
    if repeated := [name for name, values in sent if len(values) > 1 and name not in except_for]:
        raise serializers.ValidationError(dict.fromkeys(repeated, phrases.SEND_ONCE))


def _exceeded(
    field: Any, data: Any, errors: Any, path: str = ""
) -> Iterator[tuple[tuple[str, str], Numbers]]:
    """The limit and the actual number of each error that is about a length or a size."""
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            below = f"{path}.{name}" if path else str(name)
            if name in getattr(field, "fields", ()):
                part = field.fields[name]
                yield from _exceeded(part, part.get_value(data), inner, below)
            elif hasattr(field, "child") and inner:
                yield from _exceeded(field.child, data[name], inner, below)
        return
    for error in errors:
        if isinstance(error, Mapping):
            continue  # rows of a list of objects: their own sentences name the numbers
        for validator in field.validators:
            if error.code == getattr(validator, "code", None) and isinstance(validator, BaseValidator):
                value = validator.clean(field.to_internal_value(data))
                yield (path, error.code), (validator.limit_value, value)


class IdempotentSerializer(StrictSerializer):
    """A body that may carry its idempotency key; `api.core.idempotency` uses it."""

    read_elsewhere: tuple[str, ...] = ("idempotency_key",)

    idempotency_key = serializers.CharField(
        required=False, allow_null=True, max_length=255, help_text="As the header Idempotency-Key."
    )


class NoFieldsSerializer(StrictSerializer):
    """Takes no fields."""


# In a form, one JSON text. Other fields may say `is_structured`.
STRUCTURED = (
    serializers.DictField,
    serializers.JSONField,
    serializers.ListField,
    serializers.BaseSerializer,
)

# --- Fields --------------------------------------------------------------------------------------------


class TextField(serializers.CharField):
    """Text exactly as it was sent: not trimmed, and never a number turned into text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class FlagField(serializers.BooleanField):
    """True or false and nothing else: `yes` is refused."""

    TRUE_VALUES = {True, "true", "1"}
    FALSE_VALUES = {False, "false", "0"}


class NumberField(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class OptionalIdField(serializers.UUIDField):
    """An id; null and empty text mean none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_null=True, **options)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" else data)


@extend_schema_field({"type": "array", "items": {"type": "string", "format": "binary"}})
class FilesField(serializers.Field):
    """The parts of a form that hold files; text in parts of the same name is ignored."""

    default_error_messages = {"no_file": "Send at least one file as a part of a multipart form."}

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        return dictionary.get(str(self.field_name), empty)

    def to_internal_value(self, data: Any) -> list[UploadedFile]:
        parts = data if isinstance(data, list) else []
        files = [part for part in parts if isinstance(part, UploadedFile)]
        if not files:
            self.fail("no_file")
        return files

    def to_representation(self, value: Any) -> Any:
        return value
