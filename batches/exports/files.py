"""A batch as CSV, JSON manifest, ZIP of its images: what every interface calls.

Lines are written to a temporary file while the batch is locked, which takes less than a second for thousands of images,
and sent from there: the answer holds one state of the batch however slowly it is read, refusals come before it begins,
and memory does not grow with the batch.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from django.db import transaction

from api.core.errors import invalid_choice
from batches.exports.archive import zip_stream
from batches.exports.manifest import manifest_parts
from batches.exports.rows import COLUMNS, SOURCES, cells, chunks, rows_of, temporary_file, write_csv
from batches.exports.statistics import statistics
from batches.history import changes
from batches.models import Batch
from processing import names

__all__ = ["FORMATS", "Export", "csv_lines", "export", "export_name", "manifest", "statistics", "zip_stream"]

FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "zip": "application/zip"}


@dataclass(frozen=True)
class Export:
    """A file that is made while it is sent; its size is known before."""

    name: str
    content_type: str
    byte_size: int
    chunks: Iterator[bytes]


def export(batch: Batch, format: str, *, has_rejected: bool = False, has_positions: bool = True) -> Export:
    """A batch as a file of one of `FORMATS`.

    Args:
        has_positions: whether the originals of the ZIP keep the position (GPS) in their metadata.
        has_rejected: whether the ZIP has rejected images, in a folder of their own; CSV and JSON always name them.

    Raises:
        ApiError: 400 for an unknown format, 404 `file_missing` naming images of the ZIP whose files are.
    """
    if format not in FORMATS:
        raise invalid_choice("format", format, FORMATS)
    name = export_name(batch, format)
    if format == "zip":
        stream = zip_stream(batch, has_rejected=has_rejected, has_positions=has_positions)
        return Export(name, FORMATS[format], len(stream), iter(stream))
    source = _written(batch, _write_csv if format == "csv" else _write_manifest)
    size = source.seek(0, 2)
    source.seek(0)
    return Export(name, FORMATS[format], size, chunks(source))


def export_name(batch: Batch, format: str) -> str:
    """The name of the file, such as Red_shoes.csv."""
    return f"{names.clean_prefix(batch.batch_name) or batch.pk}.{format}"


def csv_lines(batch: Batch) -> Iterator[bytes]:
    """One line an image (RFC 4180, UTF-8), in the order of the groups' labels, the unassigned last."""
    return chunks(_written(batch, _write_csv))


def manifest(batch: Batch) -> Iterator[bytes]:
    """A JSON object with all that is needed to repeat the grouping: hashes, parameters, seed, versions, decisions."""
    return chunks(_written(batch, _write_manifest))


def _written(batch: Batch, write: Callable[[Batch, IO[bytes]], None]) -> IO[bytes]:
    """A nameless file, written while nobody changes the batch."""
    target = temporary_file()
    with transaction.atomic():
        write(changes.lock(batch), target)
    target.seek(0)
    return target


def _write_csv(batch: Batch, target: IO[bytes]) -> None:
    target.write(codecs.BOM_UTF8)  # by which Excel knows UTF-8
    write_csv(target, COLUMNS, (cells(row) for row in rows_of(batch, *SOURCES)))


def _write_manifest(batch: Batch, target: IO[bytes]) -> None:
    for part in manifest_parts(batch):
        target.write(part.encode())
