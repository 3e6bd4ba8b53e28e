"""DRF's parsers with Django's limit on everything in a request but its files."""

import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from api.core import phrases
from api.core.errors import ErrorCode, invalid_field


def refuse_large_body(parser_context: Mapping[str, Any] | None) -> None:
    """DRF reads JSON and forms past DATA_UPLOAD_MAX_MEMORY_SIZE."""
    size = int((parser_context or {})["request"].META.get("CONTENT_LENGTH") or 0)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if size > limit:
        raise RequestDataTooBig(phrases.request_too_large(size, limit, without_files=True))


# Lists whose own checks name the parameter that is no number, and its limits.
CHECKED_ELSEWHERE = ("operations", "pipeline")


class JSONParser(parsers.JSONParser):
    """JSON whose NaN and infinite numbers are refused by the name of their field, not by their place in the text."""

    strict = False

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        refuse_large_body(parser_context)
        try:
            data = super().parse(stream, media_type, parser_context)
            refuse_infinite_numbers(data)
            return data
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


def refuse_infinite_numbers(data: Any) -> None:
    for path, number in _not_finite(data):
        if not path.startswith(CHECKED_ELSEWHERE):
            detail = f"Enter a finite number, not {number}."
            raise invalid_field(path or "body", detail, code=ErrorCode.MALFORMED)


def _not_finite(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Where numbers are NaN or infinite, as `field.part[0]`."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _not_finite(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _not_finite(part, f"{path}[{index}]")


class MultiPartParser(parsers.MultiPartParser):
    """Bounded by Django itself; files go through `pixproject.web.uploads`."""
