"""Several results as one ZIP that is made while it is sent: nothing is gathered in memory or on disk."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from django.core.files.storage import default_storage
from zipstream import ZIP_STORED, ZipStream

from api.core.errors import ApiError, ErrorCode
from pixproject.web.base.text import plain_cell
from processing import files, phrases
from processing.models import OperationArtifact

CHUNK = 1 << 18
MANIFEST = "manifest.csv"
MANIFEST_COLUMNS = (
    "source_name",
    "source_sha256",
    "operation",
    "parameters",
    "result_name",
    "bytes",
    "sha256",
)


def archive(results: Sequence[OperationArtifact]) -> ZipStream:
    """A ZIP of results under their folders and names; its `len()` is known before it is made.

    Images are stored as they are: compressing them again costs time and saves nothing.

    Raises:
        ApiError: `file_missing` when any file is, since an answer that has begun cannot say so any more.
    """
    missing = [link for link in results if not files.has_size(link.artifact.file, link.artifact.byte_size)]
    if missing:
        detail = phrases.files_missing(len(missing), len(results), missing[0].name)
        raise ApiError(ErrorCode.FILE_MISSING, detail)
    stream = ZipStream(compress_type=ZIP_STORED, sized=True)
    paths = unique_paths(results)
    stream.add(manifest(results, paths), MANIFEST)
    for path, link in zip(paths, results, strict=True):
        stream.add(chunks_of(link.artifact.file), path, size=link.artifact.byte_size)
    return stream


def manifest(results: Sequence[OperationArtifact], paths: Sequence[str]) -> bytes:
    """A CSV that says of each file in an archive what it was made from, and how."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(MANIFEST_COLUMNS)
    for link, path in zip(results, paths, strict=True):
        row = (
            link.source_name,
            link.source_sha256,
            link.operation.name,
            json.dumps(link.operation.parameters, ensure_ascii=False, sort_keys=True),
            PurePosixPath(path).name,
            link.artifact.byte_size,
            link.artifact.sha256,
        )
        writer.writerow([plain_cell(value) for value in row])
    return text.getvalue().encode()


def unique_paths(results: Sequence[OperationArtifact]) -> list[str]:
    """Where each result lies in the archive; names that differ in case only count as the same."""
    taken: dict[str, int] = {}
    return [free_path(PurePosixPath(link.folder) / link.name, taken) for link in results]


def free_path(preferred: PurePosixPath, taken: dict[str, int]) -> str:
    """The path, with a number where `taken` has it; it is taken then."""
    path, number = preferred, taken.get(str(preferred).casefold(), 0)
    while str(path).casefold() in taken:
        number += 1
        path = preferred.with_name(f"{preferred.stem} ({number + 1}){preferred.suffix}")
    taken[str(preferred).casefold()] = number
    taken[str(path).casefold()] = taken.get(str(path).casefold(), 0)
    return str(path)


def chunks_of(key: str, *, alter: Callable[[bytes], bytes] | None = None) -> Iterator[bytes]:
    """The bytes of a stored file, piece by piece, or what `alter` makes of the whole."""
    with default_storage.open(key, "rb") as source:
        if alter is not None:
            yield alter(source.read())
            return
        while chunk := source.read(CHUNK):
            yield chunk
