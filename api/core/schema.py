"""What the OpenAPI document says of every operation: that errors have one body."""

from typing import Any

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
                },
            },
        },
        "request_id": {"type": "string"},
        "limit": {
            "type": "integer",
            "description": "The limit that was exceeded, if it is a size or a count.",
        },
        "value": {"type": "integer", "description": "The size or count that exceeded the limit."},
    },
}
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
