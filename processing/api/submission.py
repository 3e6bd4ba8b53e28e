"""The fields of a request for work, checked."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import QueryDict
from rest_framework.request import Request

from api.access.authentication import door
from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from api.core.idempotency import key_of
from batches.submission import Submission
from images.models import Image
from pixproject.web.base import request_id
from pixproject.web.base.text import has_unstorable_characters
from processing import services
from processing.filters import priority_of, uuid_or_none
from processing.states import Priority

SOURCES = ("file", "image", "images", "batch")
WORK = ("operations", "pipeline")
DELIVERY = ("priority", "output_folder", "filename_prefix", "reference", "idempotency_key")
QUERY = ("output_folder", "filename_prefix", "wait")
MAX_LENGTHS = {"output_folder": 200, "filename_prefix": 100, "reference": 200}
MAX_IMAGES = 10_000
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


def read(request: Request, *, image_id: UUID | None = None) -> Submission:
    """Read and check a request's fields; with `image_id` the address names the image and the body may not."""
    fields = _fields(request)
    sources = () if image_id else SOURCES
    _refuse_unknown(fields, request, sources)
    work = services.parse_work(
        operations=_work_list(fields, "operations"), pipeline=_work_list(fields, "pipeline")
    )
    submission = Submission(
        work=work,
        delivery=_delivery(fields, request),
        files=tuple(request.FILES.getlist("file")),
        image_ids=(image_id,) if image_id else _image_ids(fields),
        batch_id=_uuid("batch", fields["batch"]) if fields.get("batch") else None,
        is_dry_run=_boolean("dry_run", fields.get("dry_run", False)),
    )
    if not (submission.files or submission.image_ids or submission.batch_id):
        detail = f"Name what to work on: {', '.join(SOURCES)}."
        raise ApiError(ErrorCode.REQUIRED, detail, errors=[FieldError("file", ErrorCode.REQUIRED, detail)])
    return submission


def _fields(request: Request) -> dict[str, Any]:
    """The body's fields: those of JSON as they are, those of a form as a value or, if repeated, a list."""
    data = request.data
    if isinstance(data, QueryDict):
        values = {name: data.getlist(name) for name in data if name not in request.FILES}
        return {name: value[0] if len(value) == 1 else value for name, value in values.items()}
    if not isinstance(data, Mapping):
        raise ApiError(ErrorCode.MALFORMED, f"The body must be an object, not {type(data).__name__}.")
    return dict(data)


def _refuse_unknown(fields: Mapping[str, Any], request: Request, sources: Sequence[str]) -> None:
    known = (*sources, *WORK, *DELIVERY, "dry_run")
    unknown = sorted({*fields, *request.FILES} - set(known)) + sorted(set(request.query_params) - set(QUERY))
    if "file" in fields:  # a part called file that holds no file
        raise invalid_field("file", "must be a file part of a multipart form.", code=ErrorCode.NO_FILE)
    if unknown:
        errors = [FieldError(name, ErrorCode.UNKNOWN_FIELD, "Not known here.") for name in unknown]
        detail = f"Unknown field {', '.join(map(repr, unknown))}; there are {', '.join(known)}."
        raise ApiError(ErrorCode.UNKNOWN_FIELD, detail, errors=errors)
    if misplaced := sorted(set(request.FILES) - {"file"}):
        raise invalid_field(
            misplaced[0], "files are sent in parts called 'file'.", code=ErrorCode.UNKNOWN_FIELD
        )
    if bad := [name for name, value in fields.items() if has_unstorable_characters(value)]:
        raise invalid_field(bad[0], "NUL and half surrogate characters are not allowed.")


def _work_list(fields: Mapping[str, Any], name: str) -> Any:
    """A list repeated in a form (`operations=webp&operations=blur`) is one list; its parts may be JSON."""
    value = fields.get(name)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return [_json_or_text(part) for part in value]
    return value


def _json_or_text(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _delivery(fields: Mapping[str, Any], request: Request) -> services.Delivery:
    texts = {}
    for name, limit in MAX_LENGTHS.items():
        value = fields.get(name, request.query_params.get(name, "") if name in QUERY else "")
        texts[name] = _text(name, "" if value is None else value, limit)
    priority = fields.get("priority")
    return services.Delivery(
        priority=Priority.NORMAL if priority in (None, "") else priority_of(priority),
        idempotency_key=key_of(request) or "",
        requested_by=request.user,
        source=door(request),
        request_id=request_id.current(),
        **texts,
    )


def _text(name: str, value: Any, limit: int) -> str:
    if not isinstance(value, str):
        raise invalid_field(name, f"must be a text, not {type(value).__name__}.")
    if len(value) > limit:
        raise invalid_field(name, f"{len(value)} characters; the limit is {limit}.", code=ErrorCode.TOO_LONG)
    if has_unstorable_characters(value):
        raise invalid_field(name, "NUL and half surrogate characters are not allowed.")
    return value


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = value.lower() if isinstance(value, str) else None
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise invalid_field(name, f"must be true or false, not {value!r}.")


def _image_ids(fields: Mapping[str, Any]) -> tuple[UUID, ...]:
    named = [("image", fields["image"])] if fields.get("image") else []
    several = fields.get("images") or []
    if isinstance(several, str):
        several = _json_list("images", several)
    if not isinstance(several, list):
        raise invalid_field("images", f"must be a list of image ids, not {type(several).__name__}.")
    if len(several) > MAX_IMAGES:
        raise invalid_field(
            "images", f"{len(several)} ids; the limit is {MAX_IMAGES}.", code=ErrorCode.TOO_LONG
        )
    named += [("images", value) for value in several]
    return tuple(dict.fromkeys(_uuid(name, value) for name, value in named))


def _json_list(name: str, text: str) -> Any:
    if not text.lstrip().startswith("["):
        return [part for part in text.replace(",", " ").split() if part]
    try:
        return json.loads(text)
    except ValueError:
        raise invalid_field(name, "this is not valid JSON.", code=ErrorCode.MALFORMED) from None


def _uuid(name: str, value: Any) -> UUID:
    found = uuid_or_none(value) if isinstance(value, str) else None
    if found is None:
        raise invalid_field(name, f"must be an id (a UUID), not {value!r}.")
    return found


def existing_image(pk: Any) -> UUID:
    """The image that an address names."""
    image_id = uuid_or_none(str(pk))
    if image_id is None or not Image.objects.exclude(status=Image.Status.PURGED).filter(pk=image_id).exists():
        raise ApiError(ErrorCode.NOT_FOUND, f"There is no image {pk}.")
    return image_id
