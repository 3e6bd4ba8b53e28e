"""The SHA-256 of files of weights: computed once per process and file, and noted beside a file once it was checked.

The note (`FILE.checked.json`) has two uses. Where no hash is published, it holds that of the first file that was
installed, and later files must equal it. And it lets the web say in no time what is installed: it believes the note as
long as the file's size, times and inode are those that were noted. What loads a file never believes it.
"""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 2**20

Stamp = tuple[int, int, int, int]  # bytes, time of modification, time of change, inode
_digests: dict[Path, tuple[Stamp, str]] = {}


@dataclass(frozen=True)
class Note:
    """What was found when a file was checked."""

    sha256: str
    stamp: Stamp


def stamp_of(status: os.stat_result) -> Stamp:
    """What changes when a file changes; its time of change cannot be set back as that of modification can."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def sha256_of_stream(stream: BinaryIO) -> str:
    """Of everything from the stream's beginning; it is rewound before and after."""
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()


def sha256_of_open(stream: BinaryIO, path: Path) -> str:
    """Of an open file, read once per process as long as it does not change."""
    stamp = stamp_of(os.fstat(stream.fileno()))
    cached = _digests.get(path)
    if cached and cached[0] == stamp:
        return cached[1]
    digest = sha256_of_stream(stream)
    _digests[path] = (stamp, digest)
    return digest


def quick_sha256(path: Path) -> str:
    """As noted beside the file when it was checked and has not changed since; else computed."""
    note = note_of(path)
    if note and note.stamp == stamp_of(path.stat()):
        return note.sha256
    with path.open("rb") as stream:
        return sha256_of_open(stream, path)


def note_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked.json")


def note_of(path: Path) -> Note | None:
    """The note beside a file; None where there is none that can be read."""
    try:
        fields = json.loads(note_path(path).read_text())
        size, modified, changed, inode = (int(number) for number in fields["stamp"])
        return Note(str(fields["sha256"]), (size, modified, changed, inode))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_note(path: Path, sha256: str) -> None:
    """Note that the file was checked and what it has."""
    _write(path, Note(sha256, stamp_of(path.stat())))


def distrust(path: Path) -> None:
    """Have everybody read the file again; the hash that was noted stays the one that it should have."""
    note = note_of(path)
    if note:
        with suppress(OSError):
            _write(path, Note(note.sha256, (0, 0, 0, 0)))


def _write(path: Path, note: Note) -> None:
    """In one step, so that nobody reads half a note."""
    target = note_path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    with temporary.open("w") as stream:
        json.dump(asdict(note), stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(target)


def forget_digest(path: Path) -> None:
    """Have the file read again, even where nothing about it seems to have changed."""
    _digests.pop(path, None)
