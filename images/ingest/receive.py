"""A file that somebody sent, on our disk, with its size and hash, and the metadata sent with it."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File

from api.core import phrases as api_phrases
from api.core.disk import ensure_free_space, scratch_root
from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from images import phrases
from images.models import Image
from pixproject.web.base.text import has_unstorable_characters, is_deeper_than

CHUNK = 1 << 20
MAX_METADATA_BYTES = 16_384
# Far below what Python's JSON reader allows: that depends on how many calls are open when a row is read.
MAX_METADATA_DEPTH = 50
MAX_REFERENCE = 200
MAX_TAGS = 50
MAX_TAG = 64


@dataclass(frozen=True)
class Upload:
    """A received file. `sha256` is that of the whole file unless it is too large."""

    path: Path
    sha256: str
    byte_size: int


@dataclass(frozen=True)
class UploadMetadata:
    """What the sender says about an image."""

    filename: str
    source: str
    uploaded_by: Any = None
    reference: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    kind: str = Image.Kind.PHOTO
    tags: tuple[str, ...] = ()
    title: str = ""
    after: Callable[[Image], object] | None = None


@contextmanager
def receive(file: File | Path | str) -> Iterator[Upload]:
    """The file on our own disk; whatever of it is still there goes at the end of the block."""
    ensure_free_space()
    if isinstance(file, File) and hasattr(file, "sha256") and hasattr(file, "temporary_file_path"):
        with file:  # hashed while it arrived, see pixproject.web.uploads
            yield Upload(Path(file.temporary_file_path()), file.sha256, file.size)
        return
    with tempfile.NamedTemporaryFile(dir=scratch_root(), prefix="upload-", delete=False) as target:
        path = Path(target.name)
    try:
        yield _copied(file, path)
    finally:
        path.unlink(missing_ok=True)


def _copied(file: File | Path | str, path: Path) -> Upload:
    """Copy and hash in one pass; a file that grows past the limit meanwhile is not read to its end."""
    digest, size = hashlib.sha256(), 0
    with _opened(file) as source, path.open("wb") as target:
        while (chunk := source.read(CHUNK)) and size <= settings.MAX_UPLOAD_BYTES:
            digest.update(chunk)
            target.write(chunk)
            size += len(chunk)
    return Upload(path, digest.hexdigest(), max(size, _size_of(file)))


@contextmanager
def _opened(file: File | Path | str) -> Iterator[IO[bytes] | File]:
    if isinstance(file, File):
        file.seek(0)
        yield file
        return
    with open(file, "rb") as opened:
        yield opened


def _size_of(file: File | Path | str) -> int:
    return (file.size or 0) if isinstance(file, File) else os.stat(file).st_size


def check_size(upload: Upload, *, name: str) -> None:
    """Refuse a file of no bytes or of too many."""
    if upload.byte_size == 0:
        raise ApiError(ErrorCode.EMPTY_FILE, phrases.empty_file(name))
    if upload.byte_size > settings.MAX_UPLOAD_BYTES:
        limit = settings.MAX_UPLOAD_BYTES
        detail = api_phrases.file_too_large(upload.byte_size, limit)
        raise ApiError(ErrorCode.IMAGE_TOO_LARGE, detail, limit=limit, value=upload.byte_size)


def check_facts(facts: UploadMetadata) -> None:
    """Refuse what a row cannot hold, naming each field."""
    errors = [error for check in (_text_errors, _tag_errors, _metadata_errors) for error in check(facts)]
    if facts.kind not in Image.Kind.values:
        detail = api_phrases.not_a_choice(facts.kind, Image.Kind.values)
        errors.append(FieldError("kind", ErrorCode.INVALID_CHOICE, detail))
    if errors:
        sentences = " ".join(f"{error.field}: {error.detail}" for error in errors)
        raise ApiError(errors[0].code, sentences, errors=errors)


def _text_errors(facts: UploadMetadata) -> Iterator[FieldError]:
    for name, value, limit in (("reference", facts.reference, MAX_REFERENCE), ("title", facts.title, 200)):
        if len(value) > limit:
            yield FieldError(name, ErrorCode.TOO_LONG, api_phrases.too_long(len(value), limit))
        if has_unstorable_characters(value):
            yield FieldError(name, ErrorCode.INVALID, api_phrases.UNSTORABLE)


def _tag_errors(facts: UploadMetadata) -> Iterator[FieldError]:
    if len(facts.tags) > MAX_TAGS:
        yield FieldError("tags", ErrorCode.TOO_LONG, api_phrases.too_many(len(facts.tags), MAX_TAGS, "tag"))
    for tag in facts.tags:
        if not 1 <= len(tag) <= MAX_TAG or not tag.isprintable():
            yield FieldError("tags", ErrorCode.INVALID, phrases.wrong_tag(tag, MAX_TAG))


def _metadata_errors(facts: UploadMetadata) -> Iterator[FieldError]:
    try:
        text = json.dumps(facts.metadata, allow_nan=False)
        if not isinstance(facts.metadata, Mapping):
            yield FieldError("metadata", ErrorCode.INVALID, api_phrases.OBJECT_EXPECTED)
        if len(text) > MAX_METADATA_BYTES:
            detail = phrases.metadata_too_large(len(text), MAX_METADATA_BYTES)
            yield FieldError("metadata", ErrorCode.TOO_LONG, detail)
        elif has_unstorable_characters(facts.metadata):
            yield FieldError("metadata", ErrorCode.INVALID, api_phrases.UNSTORABLE)
        elif is_deeper_than(facts.metadata, MAX_METADATA_DEPTH):
            yield FieldError("metadata", ErrorCode.INVALID, phrases.metadata_too_deep(MAX_METADATA_DEPTH))
    except (ValueError, RecursionError, TypeError):
        yield FieldError(
            "metadata", ErrorCode.INVALID, "Infinite numbers and deeply nested values are not allowed."
        )


def cleaned_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags without blanks around them, each once, in the order they came."""
    return tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def parsed_metadata(value: Any) -> Any:
    """A JSON object as it is, or out of a form's text field."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else {}
    except (ValueError, RecursionError):
        raise invalid_field("metadata", api_phrases.OBJECT_EXPECTED, code=ErrorCode.MALFORMED) from None
