"""What the OpenAPI document says of every operation: that errors have one body."""

from typing import Any

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "The one body of every error; `GET /api/errors/` lists the codes.",
    "required": ["type", "code", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "example": "invalid_request"},
        "code": {"type": "string", "example": "image_too_large"},
        "detail": {"type": "string", "example": "The file has 11000000 bytes; the limit is 10485760."},
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
