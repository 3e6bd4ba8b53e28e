"""What the OpenAPI document says of every operation: that bodies are JSON, and that errors have one body."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiTypes

from processing.algorithms.codecs.formats import FORMATS

NUMBERS: dict[str, Any] = {
    "limit": {"type": "number", "description": "The limit, where a number, a size or a count is at fault."},
    "value": {"type": "number", "description": "The number, size or count that was sent."},
    "matched": {
        "type": "integer",
        "description": "How many images were chosen, for `expected_required` and `count_changed`.",
    },
}
ERROR: dict[str, Any] = {
    "type": "object",
    "description": "The body of every error; `GET /api/errors/` lists the codes.",
    "required": ["type", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "example": "invalid_request"},
        "code": {"type": "string", "example": "image_too_large"},
        "detail": {"type": "string", "example": "This file is too large (11 MB). The limit is 10 MB."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "row", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "row": {"type": "integer", "nullable": True},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    **NUMBERS,
                },
            },
        },
        "request_id": {"type": "string"},
        **NUMBERS,
    },
}


def image_bytes(*more: str) -> dict[tuple[int, str], Any]:
    """The answer of a view that sends an image's bytes, by each media type that it may have."""
    types = {format.mime_type for format in FORMATS.values()}
    return {(200, mime_type): OpenApiTypes.BINARY for mime_type in (*sorted(types), *more)}


class Schema(AutoSchema):
    """Bodies are JSON; a view that takes files names its form itself."""

    def map_parsers(self) -> list[str]:
        return ["application/json"]


METHODS = {"get", "post", "put", "patch", "delete"}


def add_error_body(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: `default` stands for every status that an operation does not name itself."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "An error.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for path in result["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                operation["responses"].setdefault("default", answer)
    return result
