"""POST /api/images/: one file or many, and what became of each."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import door
from api.core.errors import ApiError, ErrorCode, FieldError, error_body, invalid_field
from api.core.handling import as_api_error
from batches.membership import add_upload
from batches.models import Batch
from batches.services import open_batch
from images.ingest.receive import parsed_metadata
from images.models import Image
from images.serializers import UploadedImageSerializer
from images.services import Ingested, ingest
from pixproject.web.base.text import has_unstorable_characters
from processing.algorithms.errors import ProcessingError

FILE_FIELDS = ("file", "files")
FIELDS = {"batch", "kind", "title", "tags", "reference", "metadata", "idempotency_key"}


def upload(request: Request, *, batch: Batch | None = None, besides: Sequence[str] = ()) -> Response:
    """Take the files of a request in; one file answers with its image, several with a list of results.

    Args:
        besides: fields of the form that the caller reads.
    """
    files = _files(request)
    facts = _facts(request, batch, besides)
    if len(files) == 1:
        taken = _ingest_one(files[0], facts, request)
        body = _image_json(taken, request)
        status = 200 if taken.is_duplicate else 201
        return Response(body, status=status, headers={"Location": f"/api/images/{taken.image.pk}/"})
    return _many(files, facts, request)


def _files(request: Request) -> list[UploadedFile]:
    files = [file for name in FILE_FIELDS for file in request.FILES.getlist(name)]
    if unknown := sorted(set(request.FILES) - set(FILE_FIELDS)):
        errors = [
            FieldError(name, ErrorCode.UNKNOWN_FIELD, "Files go into parts named file.") for name in unknown
        ]
        raise ApiError(
            ErrorCode.UNKNOWN_FIELD,
            f"Send pictures in parts named 'file', not {unknown[0]!r}.",
            errors=errors,
        )
    if not files:
        detail = "Send at least one picture as a multipart part named 'file'."
        raise ApiError(ErrorCode.NO_FILE, detail, errors=[FieldError("file", ErrorCode.NO_FILE, detail)])
    return files


def _facts(request: Request, batch: Batch | None, besides: Sequence[str]) -> dict[str, Any]:
    data: Any = request.data  # a form: there are files
    if unknown := sorted(set(data) - FIELDS - {*FILE_FIELDS, *besides}):
        errors = [FieldError(name, ErrorCode.UNKNOWN_FIELD, "Not known here.") for name in unknown]
        detail = f"Unknown field {unknown[0]!r}; there are {', '.join(sorted(FIELDS))}."
        raise ApiError(ErrorCode.UNKNOWN_FIELD, detail, errors=errors)
    for name in FIELDS & set(data):
        if has_unstorable_characters(data.getlist(name)):
            raise invalid_field(name, "NUL and half surrogate characters are not allowed.")
    named = data.get("batch") or (batch.pk if batch else None)
    into = open_batch(named, field="batch") if named else None
    return {
        "kind": data.get("kind") or Image.Kind.PHOTO,
        "title": data.get("title", ""),
        "tags": _tags(data.getlist("tags")),
        "reference": data.get("reference", ""),
        "metadata": parsed_metadata(data.get("metadata", "")),
        "after": partial(add_upload, into, by=request.user) if into else None,
    }


def _tags(values: Sequence[str]) -> list[str]:
    """Repeated fields, one field with commas, or one with a JSON list."""
    if len(values) == 1 and values[0].lstrip().startswith("["):
        try:
            tags = json.loads(values[0])
        except (ValueError, RecursionError):
            tags = None
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise invalid_field("tags", "a JSON list of texts is wanted.", code=ErrorCode.MALFORMED)
        return tags
    return [tag for value in values for tag in value.split(",")]


def _ingest(file: UploadedFile, facts: dict[str, Any], request: Request) -> Ingested:
    return ingest(file, filename=file.name or "", uploaded_by=request.user, source=door(request), **facts)


def _ingest_one(file: UploadedFile, facts: dict[str, Any], request: Request) -> Ingested:
    """A refusal of the only file names the part that it came in."""
    try:
        return _ingest(file, facts, request)
    except ProcessingError as exc:
        errors = [FieldError(FILE_FIELDS[0], exc.code, exc.detail)]
        raise ApiError(exc.code, exc.detail, errors=errors) from exc


def _image_json(taken: Ingested, request: Request) -> dict[str, Any]:
    taken.image.duplicate = taken.is_duplicate  # type: ignore[attr-defined]
    return dict(UploadedImageSerializer(taken.image, context={"request": request}).data)


def _many(files: Sequence[UploadedFile], facts: dict[str, Any], request: Request) -> Response:
    results: dict[int, dict[str, Any]] = {}
    # In the order of their hashes: two requests with the same files, each in one transaction, cannot deadlock.
    for index in sorted(range(len(files)), key=lambda index: getattr(files[index], "sha256", "")):
        results[index] = _result(files[index], facts, request)
    body = {"results": [results[index] for index in range(len(files))]}
    found = {result["status"] for result in body["results"]}
    if found == {"rejected"}:
        error = ApiError(ErrorCode.ALL_REJECTED, f"None of the {len(files)} files was accepted.")
        return Response({**error_body(error), **body}, status=400)
    return Response(body, status=201 if "created" in found else 200)


def _result(file: UploadedFile, facts: dict[str, Any], request: Request) -> dict[str, Any]:
    try:
        taken = _ingest(file, facts, request)
    except (ApiError, ProcessingError) as exc:
        error = as_api_error(exc)
        if error is None or error.status >= 500:
            raise
        return {"status": "rejected", "filename": file.name, **error_body(error)}
    status = "duplicate" if taken.is_duplicate else "created"
    return {"status": status, "filename": taken.image.original_filename, "image": _image_json(taken, request)}
