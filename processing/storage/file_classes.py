"""The classes of stored files: what each holds, what is old in it, how a file is removed or mended.

Clean-up (`retention.py`) and the integrity check (`integrity.py`) work on this table; every app adds to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

from api.core.written_files import register_known


@dataclass(frozen=True)
class StoredFile:
    """A file that a row points to. Without `sha256` only its size can be checked."""

    key: str
    owner: Any
    label: str
    byte_size: int
    sha256: str = ""
    is_known_damaged: bool = False


@dataclass(frozen=True)
class Removed:
    """What a removal took away."""

    count: int = 0
    byte_size: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.count + other.count, self.byte_size + other.byte_size)


@dataclass(frozen=True)
class FileClass:
    """One class of stored files.

    older_than: the rows that are older than a moment.
    keep:       reason → condition under which an old row stays; asked again when rows are removed.
    remove:     takes locked rows away in the caller's transaction; their files go after commit.
    files:      every file that a row points to. None where another class lists them.
    known:      which of some storage keys rows point to.
    can_be_made_again: nothing is lost with a file of this class that no row points to.
    mend:       what `verify_storage --repair` does about a missing or damaged file; answers it in words.
    recover:    what it does when a file that was known as damaged is whole again.
    """

    name: str
    title: str
    model: type[Model]
    older_than: Callable[[datetime], QuerySet]
    keep: Callable[[], Mapping[str, Q]]
    remove: Callable[[Sequence[Any]], Removed]
    selectable: bool = True
    prefix: str = ""
    files: Callable[[], Iterator[StoredFile]] | None = None
    known: Callable[[Sequence[str]], set[str]] | None = None
    can_be_made_again: bool = False
    mend: Callable[[StoredFile, str], str] | None = None
    recover: Callable[[StoredFile], str] | None = None


CLASSES: dict[str, FileClass] = {}


def register(*classes: FileClass) -> None:
    """Add an app's classes of files."""
    for file_class in classes:
        CLASSES[file_class.name] = file_class
        if file_class.known is not None:
            register_known(file_class.known)


def selectable() -> list[str]:
    """The classes that a clean-up may be asked for."""
    return [name for name, file_class in CLASSES.items() if file_class.selectable]
