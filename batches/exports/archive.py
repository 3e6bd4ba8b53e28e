"""The pictures of a batch as a ZIP with one folder per group, made while it is sent."""

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from django.db import transaction
from zipstream import ZIP_STORED, ZipStream

from api.core.errors import ApiError, ErrorCode, FieldError
from batches.exports.rows import COLUMNS, SOURCES, cells, chunks, rows_of, temporary_file, write_csv
from batches.history import changes
from batches.models import Batch, BatchImage, Group
from processing import files
from processing.algorithms.metadata.position import without_position
from processing.storage.archive import chunks_of, free_path

MANIFEST = "manifest.csv"
UNASSIGNED, REJECTED = "unassigned", "rejected"
MAX_NAME_BYTES = 120
CHECKS_AT_ONCE = 16  # questions to an S3 bucket, each of which takes its time
NAMED = 100
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"/\\|?*', "_"))  # what Windows refuses in a name
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{name}{number}" for name in ("com", "lpt") for number in range(10)),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of the archive: where it lies there, and where its bytes come from."""

    path: str
    key: str
    byte_size: int
    has_position: bool


def zip_stream(batch: Batch, *, has_rejected: bool = False, has_positions: bool = True) -> ZipStream:
    """A ZIP of the originals, one folder per group and `manifest.csv`; its `len()` is known before it is made.

    Without `has_positions` the originals lose theirs (GPS).

    Images in no group lie in `unassigned`. Rejected ones are left out, or lie in `rejected`; the manifest names all.

    Raises:
        ApiError: 404 `file_missing` naming the images whose files are, since an answer that has begun cannot say so.
    """
    listing = temporary_file()
    with transaction.atomic():
        changes.lock(batch)
        entries = _listed(batch, listing, has_rejected=has_rejected)
    _check_files(entries)
    size = listing.tell()
    listing.seek(0)
    stream = ZipStream(compress_type=ZIP_STORED, sized=True)
    stream.add(chunks(listing), MANIFEST, size=size)
    for entry in entries:
        alter = without_position if entry.has_position and not has_positions else None
        stream.add(chunks_of(entry.key, alter=alter), entry.path, size=entry.byte_size)
    return stream


def _listed(batch: Batch, listing: IO[bytes], *, has_rejected: bool) -> list[Entry]:
    """What goes into the archive; the manifest, with each image's path in it, is written on the way."""
    folders = _folders(batch)
    taken: dict[str, int] = {}
    entries: list[Entry] = []

    def lines() -> Any:
        for *values, group, name, decision, key, byte_size, gps in rows_of(
            batch,
            *SOURCES,
            "group",
            "image__original_filename",
            "decision",
            "image__file",
            "image__byte_size",
            "image__gps",
        ):
            path = ""
            if decision != BatchImage.Decision.REJECTED:
                path = free_path(PurePosixPath(folders[group]) / safe_name(name), taken)
            elif has_rejected:
                path = free_path(PurePosixPath(REJECTED) / safe_name(name), taken)
            if path:
                entries.append(Entry(path, key, byte_size, has_position=gps is not None))
            yield [*cells(values), *cells([path])]

    write_csv(listing, [*COLUMNS, "file"], lines())
    return entries


def _folders(batch: Batch) -> dict[Any, str]:
    """The folder of each group, None among them: two groups of one name get two."""
    taken = {name.casefold() for name in (UNASSIGNED, REJECTED, MANIFEST)}
    folders: dict[Any, str] = {None: UNASSIGNED}
    for group in Group.objects.filter(batch=batch).order_by("created_at", "label"):
        name = folder = safe_name(group.title)
        number = 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{name} ({number})"
        taken.add(folder.casefold())
        folders[group.pk] = folder
    return folders


def safe_name(name: str) -> str:
    """A name that every file system takes, with its extension: no separators, control characters or reserved words."""
    name = unicodedata.normalize("NFC", name).translate(_FORBIDDEN)
    name = "".join(character for character in name if character.isprintable()).strip(" .") or "_"
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix) <= 6 and suffix.isascii() else ""
    stem = (
        name.removesuffix(suffix).encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore").strip(" .")
    )
    stem = f"_{stem}" if stem.split(".")[0].casefold() in _RESERVED else stem
    return f"{stem or '_'}{suffix}"


def _check_files(entries: Sequence[Entry]) -> None:
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as pool:
        there = pool.map(lambda entry: files.has_size(entry.key, entry.byte_size), entries)
        missing = [entry.path for entry, is_there in zip(entries, there, strict=True) if not is_there]
    if missing:
        detail = (
            f"{len(missing)} of {len(entries)} files are missing or damaged, for example {missing[0]}. "
            "Upload them again, or reject these images to leave them out of the ZIP."
        )
        errors = [
            FieldError(path, ErrorCode.FILE_MISSING, f"The file {path} is missing or damaged.")
            for path in missing[:NAMED]
        ]
        raise ApiError(ErrorCode.FILE_MISSING, detail, errors=errors)
