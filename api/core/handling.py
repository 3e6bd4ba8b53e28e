"""From any exception in a view to the one error body."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
from django.conf import settings
from django.core import exceptions as django_errors
from django.core import signals
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.template.loader import render_to_string
from rest_framework import exceptions as drf_errors
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access.throttling import AnonThrottle
from api.core import phrases
from api.core.disk import is_disk_full
from api.core.errors import ApiError, ErrorCode, FieldError, error_body
from api.models import Scope
from pixproject.web.base.text import byte_size
from processing.algorithms.errors import ProcessingError

logger = logging.getLogger("pix.api")
# Codes of Django's and DRF's validators that we name otherwise.
SYNONYMS = {
    "max_string_length": "max_length",
    "empty": "blank",
    "parse_error": "malformed",
    "error": "internal_error",
    "null_characters_not_allowed": "invalid",
}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Turn whatever a view raised into an answer; what nobody foresaw is logged and becomes a 500."""
    error = as_api_error(exc)
    if error is None:
        error = unforeseen(exc, context["request"])
    if error.status == 401:
        error = _limited(error, context)
    usual = {"Retry-After": "5"} if error.status == 503 else {}
    return Response(error_body(error), status=error.status, headers={**usual, **error.headers})


def _limited(error: ApiError, context: dict[str, Any]) -> ApiError:
    """Strangers' refusals count like their requests: DRF asks who they are before it counts anything."""
    throttle = AnonThrottle()
    if throttle.allow_request(context["request"], context["view"]):
        return error
    return from_drf(drf_errors.Throttled(throttle.wait()))


def unforeseen(exc: Exception, request: Any) -> ApiError:
    """Log a defect the way Django does, so that its monitoring and its test client see it."""
    signals.got_request_exception.send(sender=None, request=getattr(request, "_request", request))
    logger.error("Unexpected error at %s", request.path, exc_info=exc)
    return ApiError(
        ErrorCode.INTERNAL_ERROR,
        "An internal error occurred. The request ID helps to find the cause in the logs.",
    )


def as_api_error(exc: BaseException) -> ApiError | None:
    """The refusal that an exception means, or None for a defect of ours."""
    if isinstance(exc, ApiError):
        return exc
    if isinstance(exc, ProcessingError):
        return from_processing(exc)
    if isinstance(exc, drf_errors.ValidationError):
        return from_validation(exc)
    if isinstance(exc, drf_errors.APIException):
        return from_drf(exc)
    return from_django(exc)


def from_processing(exc: ProcessingError) -> ApiError:
    numbers: dict[str, Any] = {"limit": exc.limit, "value": exc.value}
    errors = [FieldError(exc.field, exc.code, exc.detail, **numbers)] if exc.field else []
    return ApiError(exc.code, exc.detail, errors=errors, **numbers)


def from_validation(exc: drf_errors.ValidationError) -> ApiError:
    exceeded = getattr(exc, "exceeded", {})
    errors = []
    for error in _field_errors(exc.get_full_details()):
        limit, value = exceeded.get((error.field, error.code), (None, None))
        errors.append(replace(error, limit=limit, value=value))
    sentences = [f"{item.field}: {item.detail}" if item.field else item.detail for item in errors]
    detail = " ".join(sentences) or "The request is not valid."
    if len(errors) != 1:
        return ApiError(ErrorCode.INVALID, detail, status=400, errors=errors)
    (only,) = errors
    return ApiError(only.code, detail, status=400, errors=errors, limit=only.limit, value=only.value)


def _field_errors(details: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten DRF's nested details: `operations.0.name` names a value inside a list."""
    if isinstance(details, dict) and set(details) == {"message", "code"} and isinstance(details["code"], str):
        code = SYNONYMS.get(details["code"], details["code"])
        known = code if code in ErrorCode.values else ErrorCode.INVALID
        yield FieldError(path, known, str(details["message"]))
    elif isinstance(details, dict):
        for name, inner in details.items():
            here = "" if name == "non_field_errors" else str(name)
            yield from _field_errors(inner, ".".join(part for part in (path, here) if part))
    else:
        for index, inner in enumerate(details):
            is_leaf = isinstance(inner, dict) and "message" in inner
            yield from _field_errors(inner, path if is_leaf else f"{path}.{index}".strip("."))


def from_drf(exc: drf_errors.APIException) -> ApiError:
    code = SYNONYMS.get(str(exc.default_code), str(exc.default_code))
    detail = str(exc.detail)
    if isinstance(exc, drf_errors.ParseError) and detail.startswith("JSON parse error"):
        detail = "The body is not valid JSON."
    if isinstance(exc, drf_errors.PermissionDenied) and detail.startswith("CSRF"):
        code = ErrorCode.CSRF_FAILED
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait))
        detail = f"Too many requests. Try again in {int(wait)} s."
    return ApiError(code, detail, status=exc.status_code, headers=headers)


def from_django(exc: BaseException) -> ApiError | None:
    if isinstance(exc, Http404):
        return ApiError(ErrorCode.NOT_FOUND, "Nothing was found at this address.")
    if isinstance(exc, django_errors.PermissionDenied):
        return ApiError(ErrorCode.PERMISSION_DENIED, str(exc) or "You are not allowed to do this.")
    if isinstance(exc, django_errors.TooManyFilesSent):
        limit = settings.MAX_FILES_PER_REQUEST
        return ApiError(ErrorCode.TOO_MANY_FILES, f"The request has too many files. The limit is {limit}.")
    if isinstance(exc, django_errors.RequestDataTooBig):
        return ApiError(ErrorCode.REQUEST_TOO_LARGE, _request_too_large(exc))
    # Parsers speak of boundaries and buffers: people are told what was wrong, in words of ours.
    if isinstance(exc, MultiPartParserError):
        detail = "The form data could not be read: its boundary is missing or wrong, or it ends too early."
        return ApiError(ErrorCode.MALFORMED, detail)
    if isinstance(exc, django_errors.TooManyFieldsSent):
        return ApiError(ErrorCode.MALFORMED, "The request has too many fields.")
    if isinstance(exc, django_errors.SuspiciousOperation | UnreadablePostError):
        return ApiError(ErrorCode.MALFORMED, "The request could not be read.")
    if is_disk_full(exc):
        logger.error("The disk is full", exc_info=exc)
        return ApiError(ErrorCode.DISK_FULL, phrases.DISK_IS_FULL)
    if isinstance(exc, OperationalError | InterfaceError):
        logger.error("The database did not answer", exc_info=exc)
        return ApiError(ErrorCode.UNAVAILABLE, _unavailable(exc), headers={"Retry-After": "5"})
    if isinstance(exc, UnicodeEncodeError | DataError):
        # A value that the database refuses: half a surrogate pair, a number out of range, a NUL character.
        return ApiError(
            ErrorCode.INVALID, "A value cannot be stored because of a character or size that is not allowed."
        )
    return None


def _unavailable(exc: BaseException) -> str:
    if isinstance(exc.__cause__, psycopg.errors.LockNotAvailable):
        return "The same data is being changed by someone else right now. Try again in a few seconds."
    if isinstance(exc.__cause__, psycopg.errors.QueryCanceled):
        return "The database needed too long for this request. Try again in a few seconds."
    return "The database is not available right now. Try again in a few seconds."


def _request_too_large(exc: Exception) -> str:
    sentence = str(exc)
    if sentence.startswith("The request"):  # one of ours, with its numbers
        return sentence
    limit = byte_size(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return f"The request is too large. The limit, not counting files, is {limit}."


# --- Django's own failures under /api/, outside of any view --------------------------------------------


def json_error(request: HttpRequest, status: int) -> HttpResponse:
    """The body for Django's own 400, 403, 404 and 500 under /api/."""
    codes = {400: ErrorCode.MALFORMED, 403: ErrorCode.PERMISSION_DENIED, 404: ErrorCode.NOT_FOUND}
    details = {
        400: "The request could not be read.",
        403: "You are not allowed to do this.",
        404: f"Nothing was found at {request.path}.",
    }
    fallback = ApiError(
        codes.get(status, ErrorCode.INTERNAL_ERROR),
        details.get(status, "An internal error occurred."),
        status=status,
    )
    return JsonResponse(error_body(fallback), status=status)


def answering(status: int, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A handler for Django's own failures: the error body under /api/, the page elsewhere."""

    def handler(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        is_api = request.path.startswith("/api/")
        return json_error(request, status) if is_api else page(request, *args, **kwargs)

    return handler


def failing(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The handler of what no view has caught: a defect of ours, or a database or disk that fails us for a while."""

    def handler(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        exc = sys.exception()
        error = as_api_error(exc) if exc else None
        if error is None or error.status not in (503, 507):
            return answering(500, page)(request, *args, **kwargs)
        if request.path.startswith("/api/"):
            return JsonResponse(error_body(error), status=error.status, headers=dict(error.headers))
        content = render_to_string("unavailable.html", {"error": error})
        return HttpResponse(content, status=error.status, headers=dict(error.headers))

    return handler


class UnknownAddress(APIView):
    """Whatever no other address under /api/ answers."""

    schema = None

    def scope_for(self, _action: str | None) -> str:
        return Scope.READ

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise ApiError(ErrorCode.NOT_FOUND, f"Nothing was found at {request.path}.")
