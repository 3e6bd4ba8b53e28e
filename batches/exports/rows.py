"""The images of a batch as lines: which they are, in which order, as the values of a spreadsheet."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from api.core.disk import scratch_root
from batches.models import Batch, BatchImage
from batches.models.batch import MemberQuerySet
from pixproject.web.base.text import plain_cell

CHUNK = 1 << 16
ROWS_AT_ONCE = 500
SEPARATOR = ";"  # between several values of one cell

COLUMNS = (
    "image_id",
    "original_name",
    "group_label",
    "group_name",
    "probability",
    "outlier_score",
    "assigned_by",
    "decision",
    "reject_reason",
    "locked",
    "quality_grade",
    "issues",
    "width",
    "height",
    "bytes",
    "sha256",
    "captured_at",
    "reference",
    "tags",
)
# Where each column comes from.
SOURCES = (
    "image",
    "image__original_filename",
    "group__label",
    "group__name",
    "probability",
    "outlier_score",
    "assigned_by",
    "decision",
    "reject_reason",
    "locked",
    "image__quality_grade",
    "image__issues",
    "image__width",
    "image__height",
    "image__byte_size",
    "image__sha256",
    "image__captured_at",
    "image__reference",
    "image__tags",
)


def temporary_file() -> IO[bytes]:
    """A nameless file that goes with its last user."""
    return tempfile.TemporaryFile(dir=scratch_root())


def chunks(source: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file from where it stands; it is closed at its end."""
    with source:
        while chunk := source.read(CHUNK):
            yield chunk


def members(batch: Batch) -> MemberQuerySet:
    """The rows that an export has, in its order: images in the trash are not among them."""
    present = BatchImage.objects.filter(batch=batch).present()
    return present.order_by("group__label", "position", "pk")  # PostgreSQL puts no group last


def rows_of(batch: Batch, *fields: str) -> Iterator[tuple]:
    """Values of the members, read by a server-side cursor."""
    return iter(members(batch).values_list(*fields).iterator(chunk_size=ROWS_AT_ONCE))


def write_csv(target: IO[bytes], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180: CRLF, quotes where they are needed."""
    text = io.TextIOWrapper(target, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    text.detach()  # which leaves the file open


def cells(values: Sequence[Any]) -> list[Any]:
    """A line's values as a spreadsheet reads them, and as nothing but values."""
    return [_cell(value) for value in values]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):  # tags, or issues with their numbers
        value = SEPARATOR.join(str(item["code"]) if isinstance(item, dict) else str(item) for item in value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return plain_cell(value)
