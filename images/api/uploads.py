"""POST /api/images/: one file or many, with a result for each."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import request_source
from api.core.errors import ApiError, ErrorCode, FieldError, error_body, invalid_field
from api.core.handling import as_api_error
from api.core.requests import FilesField, IdempotentSerializer, OptionalIdField, TextField
from batches.membership import add_upload
from batches.models import Batch
from batches.services import open_batch
from images.ingest.receive import MAX_REFERENCE
from images.models import Image
from images.serializers import UploadedImageSerializer
from images.services import Ingested, ingest
from processing.algorithms.errors import ProcessingError

FACTS = ("kind", "title", "tags", "reference", "metadata")


class UploadSerializer(IdempotentSerializer):
    """A multipart form with files, and the fields that apply to each; lists and objects are one JSON text each."""

    file = FilesField(required=False, help_text="Repeat it for each file.")
    files = FilesField(required=False, help_text="Another name for file.")
    batch = OptionalIdField()
    kind = serializers.ChoiceField(choices=Image.Kind.choices, required=False)
    title = TextField(required=False, allow_blank=True, max_length=200)
    tags = serializers.ListField(child=TextField(), required=False, help_text="A JSON list of texts.")
    reference = TextField(required=False, allow_blank=True, max_length=MAX_REFERENCE)
    metadata = serializers.DictField(required=False, help_text="A JSON object.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        files = [*attrs.pop("file", ()), *attrs.pop("files", ())]
        if not files:
            detail = "Send at least one image as a multipart part named file."
            raise invalid_field("file", detail, code=ErrorCode.NO_FILE)
        return {**attrs, "files": files}


def upload(request: Request, *, batch: Batch | None = None) -> Response:
    """Store the files of a request; the answer is an image for one file, a list of results for several."""
    return take_in(request, UploadSerializer.read(request), batch=batch)


def take_in(request: Request, values: Mapping[str, Any], *, batch: Batch | None = None) -> Response:
    """The same for a form that was read before."""
    named = values.get("batch") or (batch.pk if batch else None)
    into = open_batch(named, field="batch") if named else None
    facts = {name: values[name] for name in FACTS if name in values}
    facts["after"] = partial(add_upload, into, by=request.user) if into else None
    files = values["files"]
    if len(files) == 1:
        try:
            taken = _ingest(files[0], facts, request)
        except ProcessingError as exc:  # the refusal of the only file names the part that it came in
            errors = [FieldError("file", exc.code, exc.detail)]
            raise ApiError(exc.code, exc.detail, errors=errors) from exc
        body = _image_json(taken, request)
        status = 200 if taken.is_duplicate else 201
        return Response(body, status=status, headers={"Location": f"/api/images/{taken.image.pk}/"})
    results: dict[int, dict[str, Any]] = {}
    # In the order of their hashes: two requests with the same files, each in one transaction, cannot deadlock.
    for index in sorted(range(len(files)), key=lambda index: getattr(files[index], "sha256", "")):
        results[index] = _result(files[index], facts, request)
    answer = {"results": [results[index] for index in range(len(files))]}
    statuses = {result["status"] for result in answer["results"]}
    if statuses == {"rejected"}:
        error = ApiError(ErrorCode.ALL_REJECTED, f"None of the {len(files)} files was accepted.")
        return Response({**error_body(error), **answer}, status=400)
    return Response(answer, status=201 if "created" in statuses else 200)


def _ingest(file: UploadedFile, facts: dict[str, Any], request: Request) -> Ingested:
    return ingest(
        file, filename=file.name or "", uploaded_by=request.user, source=request_source(request), **facts
    )


def _image_json(taken: Ingested, request: Request) -> dict[str, Any]:
    taken.image.duplicate = taken.is_duplicate  # type: ignore[attr-defined]
    return dict(UploadedImageSerializer(taken.image, context={"request": request}).data)


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
