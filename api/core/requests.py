"""How requests are read: bodies and query strings by serializers, which the API's document shows as they are."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.validators import BaseValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.request import Request

from api.core import phrases
from api.core.errors import ApiError, ErrorCode
from pixproject.web.base.text import has_unstorable_characters

Numbers = tuple[float, float]  # a limit, and what exceeded it


class InvalidFields(serializers.ValidationError):
    """Wrong fields; `exceeded` has the numbers of each error that is about a limit, by its field and code."""

    def __init__(self, detail: Any, *, exceeded: Mapping[tuple[str, str], Numbers]) -> None:
        super().__init__(detail)
        self.exceeded = exceeded


class StrictSerializer(serializers.Serializer):
    """Reads a body. Refuses unknown fields, files in the wrong part, and text that no row can hold."""

    read_elsewhere: tuple[str, ...] = ()  # checked here, used by others: not among the values

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """The fields of a request.

        Raises:
            ApiError: 400 for a body that is not an object.
            ValidationError: 400 naming every wrong field.
        """
        data: Any = request.data
        if not isinstance(data, Mapping):
            kind = type(data).__name__
            raise ApiError(ErrorCode.MALFORMED, f"The body must be a JSON object or a form, not {kind}.")
        return cls.check(data, request)

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
        errors = self._misplaced(data) if isinstance(data, Mapping) else {}
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

    def _misplaced(self, data: Mapping[str, Any]) -> dict[str, Any]:
        fields = {name: field for name, field in self.fields.items() if not field.read_only}
        files = [name for name, field in fields.items() if isinstance(field, FilesField)]
        unknown = serializers.ErrorDetail(phrases.unknown_field(fields), ErrorCode.UNKNOWN_FIELD)
        errors = {name: [unknown] for name in data if name not in fields}
        if hasattr(data, "getlist"):
            message = f"Send files in parts named {' or '.join(files)}." if files else unknown
            misplaced = serializers.ErrorDetail(message, ErrorCode.UNKNOWN_FIELD)
            names_with_files = [name for name in data if name not in files and _has_file(data.getlist(name))]
            errors |= {name: [misplaced] for name in names_with_files}
        return errors


class QuerySerializer(StrictSerializer):
    """Reads a query string, and documents it: `parameters=[QuerySerializer]`. With no fields, allows none."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        return cls.check(request.query_params.dict(), request)


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


def _has_file(parts: list[Any]) -> bool:
    return any(isinstance(part, UploadedFile) for part in parts)


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
        if self.field_name not in dictionary:
            return empty
        name = str(self.field_name)
        return dictionary.getlist(name) if hasattr(dictionary, "getlist") else dictionary[name]

    def to_internal_value(self, data: Any) -> list[UploadedFile]:
        parts = data if isinstance(data, list) else []
        files = [part for part in parts if isinstance(part, UploadedFile)]
        if not files:
            self.fail("no_file")
        return files

    def to_representation(self, value: Any) -> Any:
        return value
