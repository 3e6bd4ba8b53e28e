"""The errors of every door: one enum of codes, one exception, one JSON body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from pixproject.web.base import request_id


class ErrorCode(models.TextChoices):
    """Every code that an answer or a failed operation may carry; the label explains it."""

    # 400: a value is wrong
    INVALID = "invalid", "A value is not acceptable."
    MALFORMED = "malformed", "The body is not what its Content-Type says."
    REQUIRED = "required", "A required field is missing."
    NULL = "null", "A field must not be null."
    BLANK = "blank", "A field must not be empty."
    TOO_LONG = "max_length", "A text or list is too long."
    TOO_SHORT = "min_length", "A text or list is too short."
    TOO_HIGH = "max_value", "A number is too high."
    TOO_LOW = "min_value", "A number is too low."
    INVALID_CHOICE = "invalid_choice", "A value is not one of the allowed ones."
    DOES_NOT_EXIST = "does_not_exist", "A named object does not exist."
    UNIQUE = "unique", "A value is taken."
    UNKNOWN_FIELD = "unknown_field", "The request has a field or filter that is not known here."
    NO_FILE = "no_file", "An upload without a file."
    EMPTY_FILE = "empty_file", "A file of 0 bytes."
    TOO_MANY_FILES = "too_many_files", "More files than one request may hold."
    DAMAGED_IMAGE = "damaged_image", "The picture is truncated or broken."
    SAME_FORMAT = "same_format", "A conversion into the format that the source already has."
    INVALID_PARAMETER = "invalid_parameter", "A parameter of an operation is wrong."
    UNKNOWN_OPERATION = "unknown_operation", "No operation has this name."
    NO_RIDGES = "no_ridges", "The picture shows no fingerprint."
    PROCESSING_ERROR = "processing_error", "The picture cannot be worked on."
    DECODE_TIMEOUT = "decode_timeout", "The picture took too long to decode."
    MEMORY_LIMIT = "memory_limit", "The picture needs more memory than allowed."
    SUBPROCESS_CRASHED = "subprocess_crashed", "The picture crashed its decoder."
    ALL_REJECTED = "all_rejected", "None of the files was accepted."
    # 401, 403
    NOT_AUTHENTICATED = "not_authenticated", "No credentials were sent."
    AUTHENTICATION_FAILED = "authentication_failed", "The credentials are wrong, expired or revoked."
    PERMISSION_DENIED = "permission_denied", "The scope that this needs is missing."
    CSRF_FAILED = "csrf_failed", "The form's token is missing or wrong."
    LINK_INVALID = "link_invalid", "A signed link is expired or was changed."
    # 404 to 412
    NOT_FOUND = "not_found", "There is nothing here."
    FILE_MISSING = "file_missing", "The row exists, its file does not."
    METHOD_NOT_ALLOWED = "method_not_allowed", "The method is not supported here."
    NOT_ACCEPTABLE = "not_acceptable", "No representation suits the Accept header."
    CONFLICT = "conflict", "The object's state does not allow this."
    IMAGE_IN_USE = "image_in_use", "The image is the input of a live job or sits in a batch."
    IDEMPOTENCY_IN_PROGRESS = (
        "idempotency_in_progress",
        "The first request with this key is not answered yet.",
    )
    GONE = "gone", "It was here, and its files are removed."
    PRECONDITION_FAILED = "precondition_failed", "The object was changed by somebody else."
    # 413, 415, 416, 422
    IMAGE_TOO_LARGE = "image_too_large", "Too many bytes, pixels or frames, or too long a side."
    REQUEST_TOO_LARGE = "request_too_large", "The request is too large."
    UNSUPPORTED_FORMAT = "unsupported_format", "A picture of a format that is not accepted."
    NOT_AN_IMAGE = "not_an_image", "The content is not a picture."
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", "The Content-Type is not supported."
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", "The byte range lies outside the file."
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", "The key was used with another request."
    MODEL_UNAVAILABLE = "model_unavailable", "The model's weights are not installed."
    # 429, 5xx
    THROTTLED = "throttled", "Too many requests."
    INTERNAL_ERROR = "internal_error", "Something failed here; the request id helps to find it."
    UNAVAILABLE = "unavailable", "A part that this needs is not available now."
    DISK_FULL = "disk_full", "The disk is nearly full."
    # of failed operations only
    TIME_LIMIT = "time_limit", "The operation took too long."
    WORKER_LOST = "worker_lost", "The workers that ran it were lost again and again."


STATUS: dict[str, int] = {
    "not_authenticated": 401,
    "authentication_failed": 401,
    "permission_denied": 403,
    "csrf_failed": 403,
    "link_invalid": 403,
    "not_found": 404,
    "file_missing": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "image_in_use": 409,
    "idempotency_in_progress": 409,
    "gone": 410,
    "precondition_failed": 412,
    "image_too_large": 413,
    "request_too_large": 413,
    "memory_limit": 413,
    "unsupported_format": 415,
    "not_an_image": 415,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "idempotency_key_reused": 422,
    "model_unavailable": 422,
    "throttled": 429,
    "internal_error": 500,
    "time_limit": 500,
    "worker_lost": 500,
    "unavailable": 503,
    "disk_full": 507,
}
TYPES: dict[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found",
    409: "conflict",
    410: "not_found",
    412: "conflict",
    429: "rate_limited",
}


def status_of(code: str) -> int:
    """The HTTP status that goes with a code; 400 where the table names no other."""
    return STATUS.get(code, 400)


def encodable(text: str) -> str:
    """Text that quotes half a surrogate pair from a request cannot be sent as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field, or with one row of a file."""

    field: str
    code: str
    detail: str
    row: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "field": encodable(self.field),
            "row": self.row,
            "code": str(self.code),
            "detail": encodable(self.detail),
        }


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal that every door can show: the sentence names the limit and the actual value."""

    code: str
    detail: str
    status: int = 0
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.detail)
        self.status = self.status or status_of(self.code)

    def __str__(self) -> str:
        return self.detail


def invalid_field(name: str, detail: str, *, code: str = ErrorCode.INVALID) -> ApiError:
    """The refusal of one field's value."""
    return ApiError(code, f"{name}: {detail}", errors=[FieldError(name, code, detail)])


def error_type(status: int) -> str:
    """The family of an error, for callers who do not want to know every code."""
    if status >= 500:
        return "server_error"
    return TYPES.get(status, "invalid_request")


def error_body(error: ApiError) -> dict[str, Any]:
    """The one body of every error."""
    return {
        "type": error_type(error.status),
        "code": str(error.code),
        "detail": encodable(error.detail),
        "errors": [item.as_dict() for item in error.errors],
        "request_id": request_id.current(),
    }
