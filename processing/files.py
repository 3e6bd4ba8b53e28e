"""Files in storage: fresh neutral names in, local copies out, deletions after commit."""

import logging
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.core.files import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction

from api.core.disk import scratch_root
from api.core.written_files import note_written

logger = logging.getLogger("pix.files")
COPY_CHUNK = 1 << 20


class _MovableFile(File):
    """A local file that the local storage may move instead of copy."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("rb"), name=path.name)
        self._path = path

    def temporary_file_path(self) -> str:
        return str(self._path)


def is_local() -> bool:
    return isinstance(default_storage, FileSystemStorage)  # a lazy object answers for the one it stands for


def fresh_key(prefix: str, extension: str, *, stem: str = "") -> str:
    """A storage key that nobody has used before: a late deletion can never meet a new file."""
    name = f"{stem}-{secrets.token_hex(4)}" if stem else secrets.token_hex(16)
    return f"{prefix}/{name[:2]}/{name[2:4]}/{name}.{extension}"


def store(
    path: str | Path, *, prefix: str, extension: str, stem: str = "", survives_power_cut: bool = True
) -> str:
    """Move a local file into storage under a fresh key, which is answered.

    PostgreSQL has a row on the disk when it answers a COMMIT, so a file must be there before. What can be made again at
    any time need not wait for the disk.

    Without a row that points to it, it goes again at the end of a surrounding `removed_on_error`.
    """
    path = Path(path)
    key = note_written(fresh_key(prefix, extension, stem=stem))  # before: a full disk leaves a part of a copy
    with _MovableFile(path) as file:
        default_storage.save(key, file)
    path.unlink(missing_ok=True)
    if survives_power_cut and is_local():
        _sync(Path(default_storage.path(key)))
    return key


def _sync(path: Path) -> None:
    """Have the disk hold a stored file and every folder on the way to it.

    All of them, not those made just now: another process may have made one a moment ago, and not have synced it yet. A
    folder without changes costs next to nothing.
    """
    root = Path(default_storage.path(""))
    _sync_one(path)
    for folder in path.parents:
        # Where folders cannot be synced, because of the file system or of rights, the file is held all the same.
        with suppress(OSError):
            _sync_one(folder)
        if folder == root.parent:  # it holds the entry of the root, which the first file of all makes
            break


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def has_size(key: str, byte_size: int) -> bool:
    """Whether a file is there with the size it was stored with."""
    try:
        return default_storage.size(key) == byte_size
    except Exception as error:  # each storage has its own word for "no such file"
        logger.info("No stored file %s: %s", key, error)
        return False


@contextmanager
def local_copy(key: str) -> Iterator[str]:
    """A local path to a stored file: the file itself, or a copy that lives as long as the block."""
    if is_local():
        yield default_storage.path(key)
        return
    path = download(key, scratch_root())
    try:
        yield path
    finally:
        os.unlink(path)


def download(key: str, folder: Path) -> str:
    """A local path to a stored file: the file itself where storage is local, else a copy made in `folder`."""
    if is_local():
        return default_storage.path(key)
    path = folder / f"source-{secrets.token_hex(8)}{Path(key).suffix}"
    with default_storage.open(key, "rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, COPY_CHUNK)
    return str(path)


def delete(keys: Iterable[str]) -> None:
    """Remove files now; one that cannot be removed is left for the integrity check to find."""
    for key in keys:
        try:
            default_storage.delete(key)
        except Exception:
            logger.exception("Could not delete %s", key)


def delete_after_commit(keys: Iterable[str]) -> None:
    """Remove files once their rows are gone for good."""
    to_delete = [key for key in keys if key]
    transaction.on_commit(lambda: delete(to_delete), robust=True)
