"""Bring files of weights into the folder of models: from their address, from a mirror, or from another folder.

A file gets its name only after its hash and its content were checked, and is whole on the disk by then. Two that fetch
the same file wait for each other.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ml_models import hashing, inspection, weights
from ml_models.download import Download, FetchFailed, Progress, download
from ml_models.weights import Entry

MAX_UNKNOWN_BYTES = (
    64 * 2**20
)  # of a file whose size is not published; those that there are have a few megabytes
TOLERANCE_BYTES = 64 * 2**10
SPARE_BYTES = 16 * 2**20  # that stay free on the disk


@dataclass(frozen=True)
class Source:
    """Where files come from: a folder, the address of a mirror, or, with neither, the address in weights.toml."""

    folder: Path | None = None
    base_address: str = ""

    @classmethod
    def parse(cls, text: str) -> "Source":
        """What `--from` names: an address or a folder."""
        if text.startswith(("http://", "https://")):
            return cls(base_address=text)
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise FetchFailed(f"{text} is neither a folder nor an address that starts with http.")
        return cls(folder=folder)

    def address(self, entry: Entry) -> str:
        base = self.base_address
        if not base:
            return entry.address
        return base if base.endswith(f"/{entry.file}") else f"{base.rstrip('/')}/{entry.file}"


def nothing(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def fetch(
    name: str,
    folder: Path | str,
    *,
    source: Source | None = None,
    force: bool = False,
    progress: Progress = nothing,
    backoff_s: float = 1.0,
) -> bool:
    """Install one model; False where it was installed already.

    Args:
        folder: the folder of models; it is made where it does not exist.
        force: fetch it again, and forget the hash that was recorded of it.
        backoff_s: pause before the second attempt; each later one doubles it.

    Raises:
        FetchFailed: with the reason. What was installed before stays as it was.
    """
    entry = weights.entry(name)
    if entry.is_bundled:
        if why_not := weights.state(name, folder).why_not:
            raise FetchFailed(f"{why_not} It comes with Pix and cannot be downloaded.")
        return False
    path = weights.path_of(name, folder)
    try:
        if not force and _is_installed(entry, path):
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with _partial_file(path) as part:
            if not force and _is_installed(entry, path):  # by the one that was waited for
                return False
            _bring(entry, path, part, source or Source(), progress, backoff_s)
            _install(entry, path, part, force=force)
    except OSError as error:
        raise FetchFailed(_sentence(error, path)) from error
    return True


def _is_installed(entry: Entry, path: Path) -> bool:
    """The right file is there. One whose hash is published nowhere is checked and recorded now."""
    if not path.exists():
        return False
    sha256 = hashing.quick_sha256(path)
    if (
        not entry.sha256
        and not weights.expected_sha256(entry, path)
        and sha256.startswith(entry.sha256_start)
        and not inspection.why_unreadable(path, path.suffix, entry.holds)
    ):
        hashing.write_note(path, sha256)
    return not weights.objection(entry, path, sha256)


@contextmanager
def _partial_file(path: Path) -> Iterator[BinaryIO]:
    """The file that is being filled, for one process at a time.

    Whoever waited may hold a file that has its final name by now, or none: then a new one is opened.
    """
    name = path.with_name(f"{path.name}.part")
    while True:
        with name.open("a+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            if not _is_still(part, name):
                continue
            try:
                yield part
            finally:
                with suppress(OSError):  # a full disk was reported already
                    part.flush()
                if _is_still(part, name) and not os.fstat(part.fileno()).st_size:
                    name.unlink()
            return


def _is_still(part: BinaryIO, name: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(part.fileno()), name.stat())
    return False


def _bring(
    entry: Entry, path: Path, part: BinaryIO, source: Source, progress: Progress, backoff_s: float
) -> None:
    """Fill the partial file and check its hash."""
    if not entry.sha256:
        part.truncate(0)  # the rest could be of another file, and no hash would tell
    began_at = part.seek(0, 2)
    _fill(entry, part, source, progress, backoff_s)
    sha256 = hashing.sha256_of_stream(part)
    if began_at and not _is_right(entry, sha256):  # what an earlier run left was not its beginning
        part.truncate(0)
        _fill(entry, part, source, progress, backoff_s)
        sha256 = hashing.sha256_of_stream(part)
    may_be = not entry.sha256 and sha256.startswith(entry.sha256_start)
    if not may_be and not _is_right(entry, sha256):
        size = part.seek(0, 2)
        part.truncate(0)
        expected = entry.sha256 or f"one that begins with {entry.sha256_start}"
        raise FetchFailed(
            f"The file for {entry.name} has the SHA-256 {sha256} ({size} bytes), not {expected}: "
            "it is damaged or a different file, and was not installed."
        )


def _is_right(entry: Entry, sha256: str) -> bool:
    return sha256 in (entry.sha256, *entry.other_sha256)


def _fill(entry: Entry, part: BinaryIO, source: Source, progress: Progress, backoff_s: float) -> None:
    max_bytes = entry.byte_size + TOLERANCE_BYTES if entry.byte_size else MAX_UNKNOWN_BYTES
    disk = Path(part.name).parent
    needed, free = entry.byte_size - part.seek(0, 2) + SPARE_BYTES, shutil.disk_usage(disk).free
    if free < needed:
        raise FetchFailed(f"The disk of {disk} has {free} bytes free, but {entry.name} needs {needed}.")
    if not source.folder:
        task = Download(source.address(entry), part, entry.byte_size, max_bytes, progress)
        download(task, backoff_s=backoff_s)
        return
    origin = source.folder / entry.file
    if not origin.is_file():
        raise FetchFailed(f"The folder {source.folder} has no file {entry.file}.")
    size = origin.stat().st_size
    if size > max_bytes:
        raise FetchFailed(f"The file {origin} has {size} bytes; the limit is {max_bytes}.")
    part.truncate(0)
    with origin.open("rb") as stream:
        done = 0
        while chunk := stream.read(hashing.CHUNK_BYTES):
            done += part.write(chunk)
            progress(done, size)
    part.flush()


def _install(entry: Entry, path: Path, part: BinaryIO, *, force: bool) -> None:
    """Give the checked file its name, for good: what is inside is read first, in a process of its own."""
    sha256 = hashing.sha256_of_stream(part)
    recorded = "" if entry.sha256 or force else weights.expected_sha256(entry, path)
    if recorded and sha256 != recorded and not _is_right(entry, sha256):
        part.truncate(0)
        raise FetchFailed(
            f"The file for {entry.name} has the SHA-256 {sha256}; the first one installed had {recorded}. "
            "If this change is intended, use --force."
        )
    why_not = inspection.why_unreadable(Path(part.name), path.suffix, entry.holds)
    if why_not:
        part.truncate(0)
        raise FetchFailed(f"The file for {entry.name} was not installed: {why_not}")
    os.fchmod(part.fileno(), 0o644)
    os.fsync(part.fileno())
    os.replace(part.name, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # the new name lasts through a loss of power
    finally:
        os.close(descriptor)
    hashing.write_note(path, sha256)


def _sentence(error: OSError, path: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of {path.parent} is full; {path.name} was not installed. Make room and fetch it again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"The folder {path.parent} cannot be written ({error.strerror})."
    return f"{path.name} could not be installed: {error.strerror or error} ({error.filename or path.parent})."


def check(name: str, folder: Path | str) -> None:
    """Read the installed file again, hash and content, whatever was noted when it was installed.

    Raises:
        ModelUnavailable: if it is absent, has another hash, or holds more than tensors.
    """
    path = weights.path_of(name, folder)
    hashing.forget_digest(path)
    try:
        weights.find(name, folder)
    except weights.ModelUnavailable:
        hashing.distrust(path)
        raise
    why_not = inspection.why_unreadable(path, path.suffix, weights.entry(name).holds)
    if why_not:
        raise weights.ModelUnavailable(name, f"The file {path.name}: {why_not}", weights.entry(name).command)
    if not weights.entry(name).is_bundled:  # the project's own folder stays as it was checked out
        weights.remember(path)
