"""DRF's parsers with Django's limit on everything in a request but its files."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import parsers
from rest_framework.exceptions import ParseError


def refuse_large_body(parser_context: Mapping[str, Any] | None) -> None:
    """DRF reads JSON and forms past DATA_UPLOAD_MAX_MEMORY_SIZE."""
    size = int((parser_context or {})["request"].META.get("CONTENT_LENGTH") or 0)
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if size > limit:
        raise RequestDataTooBig(f"The request has {size} bytes; the limit without files is {limit}.")


class JSONParser(parsers.JSONParser):
    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        refuse_large_body(parser_context)
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None


class FormParser(parsers.FormParser):
    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        refuse_large_body(parser_context)
        return super().parse(stream, media_type, parser_context)


class MultiPartParser(parsers.MultiPartParser):
    """Bounded by Django itself; files go through `pixproject.uploads`."""
