"""Room for files: where they lie on their way, and the space that is kept free."""

import errno
import shutil
from pathlib import Path

import psycopg
from django.conf import settings

from api.core import phrases
from api.core.errors import ApiError, ErrorCode


def scratch_root() -> Path:
    """The folder for files on their way; on the storage's disk when that is local, so that moves are renames."""
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_bytes() -> int:
    """Free space where files are written first."""
    return shutil.disk_usage(scratch_root()).free


def is_disk_low() -> bool:
    """Whether the space that is kept free is in use already."""
    return bool(free_bytes() < settings.MIN_FREE_DISK_BYTES)


def ensure_free_space(needed_bytes: int = 0) -> None:
    """Refuse new work when the disk is nearly full."""
    free = free_bytes() - needed_bytes
    if free < settings.MIN_FREE_DISK_BYTES:
        raise ApiError(
            ErrorCode.DISK_FULL,
            phrases.disk_full(free, settings.MIN_FREE_DISK_BYTES),
            status=507,
        )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that there is no room left, for our own files or for the database's."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error.__cause__, psycopg.errors.DiskFull)
