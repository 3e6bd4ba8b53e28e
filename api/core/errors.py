"""The errors of every interface: one enum of codes, one exception, one JSON body."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from api.core import phrases
from pixproject.web.base import request_id


class ErrorCode(models.TextChoices):
    """Every code that an answer or a failed operation may carry; the label explains it."""

    # 400: a value is wrong
    INVALID = "invalid", "A value is not valid."
    MALFORMED = "malformed", "The body does not match its Content-Type."
    REQUIRED = "required", "A required field is missing."
    NULL = "null", "A field must not be null."
    BLANK = "blank", "A field must not be empty."
    TOO_LONG = "max_length", "A text or list is too long."
    TOO_SHORT = "min_length", "A text or list is too short."
    TOO_HIGH = "max_value", "A number is too high."
    TOO_LOW = "min_value", "A number is too low."
    INVALID_CHOICE = "invalid_choice", "A value is not one of the allowed choices."
    DOES_NOT_EXIST = "does_not_exist", "An object that the request names does not exist."
    UNIQUE = "unique", "A value is already in use."
    UNKNOWN_FIELD = "unknown_field", "The request has an unknown field or filter."
    NO_FILE = "no_file", "The upload has no file."
    EMPTY_FILE = "empty_file", "The file is empty (0 bytes)."
    TOO_MANY_FILES = "too_many_files", "The request has too many files."
    DAMAGED_IMAGE = "damaged_image", "The image is incomplete or damaged."
    SAME_FORMAT = "same_format", "The image already has the format that it should be converted to."
    INVALID_PARAMETER = "invalid_parameter", "A parameter of an operation is not valid."
    UNKNOWN_OPERATION = "unknown_operation", "No operation has this name."
    NO_RIDGES = "no_ridges", "No fingerprint was found in the image."
    PROCESSING_ERROR = "processing_error", "The image cannot be processed."
    DECODE_TIMEOUT = "decode_timeout", "The image took too long to decode."
    MEMORY_LIMIT = "memory_limit", "The image needs more memory than allowed."
    SUBPROCESS_CRASHED = "subprocess_crashed", "The image crashed the decoder."
    ALL_REJECTED = "all_rejected", "None of the files was accepted."
    # 401, 403
    NOT_AUTHENTICATED = "not_authenticated", "No credentials were sent."
    AUTHENTICATION_FAILED = "authentication_failed", "The credentials are wrong, expired or revoked."
    PERMISSION_DENIED = "permission_denied", "The required scope is missing."
    CSRF_FAILED = "csrf_failed", "The CSRF token is missing or wrong."
    LINK_INVALID = "link_invalid", "A signed link has expired or was changed."
    # 404 to 412
    NOT_FOUND = "not_found", "Nothing was found at this address."
    FILE_MISSING = "file_missing", "The record exists, but its file is missing."
    METHOD_NOT_ALLOWED = "method_not_allowed", "This address does not support the method."
    REQUEST_TIMEOUT = "request_timeout", "The request was sent too slowly."
    NOT_ACCEPTABLE = "not_acceptable", "None of the available formats matches the Accept header."
    BATCH_UNFINISHED = (
        "batch_unfinished",
        "The batch has images or groups that nobody has decided on; approving it needs a confirmation.",
    )
    EXPECTED_REQUIRED = (
        "expected_required",
        "The request is for many images; it must state how many it expects.",
    )
    COUNT_CHANGED = (
        "count_changed",
        "The number of chosen images differs from the number that the request expects.",
    )
    CONFLICT = "conflict", "The current state of the object does not allow this."
    IMAGE_IN_USE = "image_in_use", "The image is used by an unfinished job or belongs to a batch."
    IDEMPOTENCY_IN_PROGRESS = (
        "idempotency_in_progress",
        "The first request with this key is still being processed.",
    )
    GONE = "gone", "The object existed, but its files have been removed."
    PRECONDITION_FAILED = "precondition_failed", "Someone else has changed the object."
    # 413, 415, 416, 422
    IMAGE_TOO_LARGE = (
        "image_too_large",
        "The image has too many bytes, pixels or frames, or is too wide or too tall.",
    )
    REQUEST_TOO_LARGE = "request_too_large", "The request is too large."
    UNSUPPORTED_FORMAT = "unsupported_format", "The image format is not supported."
    NOT_AN_IMAGE = "not_an_image", "The file is not an image."
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", "The Content-Type is not supported."
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", "The byte range lies outside the file."
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        "The idempotency key was already used for a different request.",
    )
    MODEL_UNAVAILABLE = "model_unavailable", "The model's weights are not installed."
    # 429, 5xx
    THROTTLED = "throttled", "Too many requests."
    INTERNAL_ERROR = (
        "internal_error",
        "An internal error; the request ID helps to find the cause in the logs.",
    )
    UNAVAILABLE = "unavailable", "A service that this needs is not available right now."
    DISK_FULL = "disk_full", "The disk is nearly full."
    # only for failed operations
    TIME_LIMIT = "time_limit", "The operation took too long."
    WORKER_LOST = "worker_lost", "The workers running the operation stopped repeatedly."


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
    "request_timeout": 408,
    "batch_unfinished": 409,
    "expected_required": 409,
    "count_changed": 409,
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
    limit: float | None = None
    value: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "field": encodable(self.field),
            "row": self.row,
            "code": str(self.code),
            "detail": encodable(self.detail),
            **_numbers(self),
        }


def _numbers(error: "FieldError | ApiError") -> dict[str, float]:
    """`limit` and `value`, where a size or a count is at fault."""
    numbers = {"limit": error.limit, "value": error.value}
    return {name: number for name, number in numbers.items() if number is not None}


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal that every interface can show; `limit` and `value` give the numbers of its sentence exactly.

    `extra` are further members of its body, for errors that say more than that.
    """

    code: str
    detail: str
    status: int = 0
    errors: Sequence[FieldError] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: float | None = None
    value: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.detail)
        self.status = self.status or status_of(self.code)

    def __str__(self) -> str:
        return self.detail


def invalid_field(name: str, detail: str, *, code: str = ErrorCode.INVALID) -> ApiError:
    """The refusal of one field's value."""
    return ApiError(code, f"{name}: {detail}", errors=[FieldError(name, code, detail)])


def invalid_choice(name: str, value: Any, choices: Iterable[Any]) -> ApiError:
    """The refusal of a value that is not among the choices of its field."""
    return invalid_field(name, phrases.not_a_choice(value, choices), code=ErrorCode.INVALID_CHOICE)


def unknown_fields(unknown: Iterable[str], sentence: str) -> ApiError:
    """The refusal of fields or filters that do not exist, each by its name."""
    errors = [FieldError(name, ErrorCode.UNKNOWN_FIELD, sentence) for name in sorted(unknown)]
    return ApiError(ErrorCode.UNKNOWN_FIELD, f"{errors[0].field[:50]}: {sentence}", errors=errors)


def error_type(status: int) -> str:
    """The family of an error, for callers who do not want to know every code."""
    if status >= 500:
        return "server_error"
    return TYPES.get(status, "invalid_request")


def error_body(error: ApiError) -> dict[str, Any]:
    """The one body of every error; `limit` and `value` where a size or a count is at fault."""
    return {
        "type": error_type(error.status),
        "code": str(error.code),
        "detail": encodable(error.detail),
        "errors": [item.as_dict() for item in error.errors],
        "request_id": request_id.current(),
        **_numbers(error),
        **error.extra,
    }
