"""Files written beside rows: they go again when the rows' transaction is rolled back.

An error does not prove that it was: PostgreSQL may have carried out a COMMIT whose answer was lost. So a file goes only
when a fresh connection shows that no row points to it. What cannot be asked about stays: a file too many does no harm,
one too few is lost.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar

from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger("pix.files")
SETTLE_S = 2.0  # a request waits for it
POLL_S = 0.05

Known = Callable[[Sequence[str]], set[str]]  # which of some storage keys rows point to
_known: list[Known] = []
_written: ContextVar[list[str] | None] = ContextVar("written_files", default=None)


def register_known(known: Known) -> None:
    """Have `known` asked before a file is removed."""
    _known.append(known)


def note_written(key: str) -> str:
    """Remember a storage key that the surrounding block wrote; answers it."""
    if (keys := _written.get()) is not None:
        keys.append(key)
    return key


@contextmanager
def removed_on_error() -> Iterator[None]:
    """Remove the files noted in the block when it fails; when it succeeds an outer block answers for them.

    It stands around the transaction that writes their rows, never within it.
    """
    outer = _written.get()
    keys: list[str] = []
    token = _written.set(keys)
    session = connection.connection
    try:
        yield
    except BaseException as error:
        if (
            connection.in_atomic_block
        ):  # an outer transaction, whose COMMIT is still to come, without these rows
            _remove(keys)
        elif keys:
            # Django keeps a session whose COMMIT ended in an InterfaceError.
            is_lost = isinstance(error, (InterfaceError, OperationalError))
            is_answered = session is not None and session is connection.connection and not is_lost
            _remove(_unused(keys, is_answered=is_answered))
        raise
    finally:
        _written.reset(token)
    if outer is not None:
        outer.extend(keys)


def _unused(keys: Sequence[str], *, is_answered: bool) -> list[str]:
    """The keys that no row points to; none when that is not certain."""
    try:
        with ThreadPoolExecutor(1) as fresh:  # a thread has a database connection of its own
            return fresh.submit(_ask, keys, is_answered).result()
    except Exception:  # the error that brought us here matters more
        logger.exception("Could not find out whether rows point to %s; the files stay", keys)
        return []


def _ask(keys: Sequence[str], is_answered: bool) -> list[str]:
    try:
        if not is_answered and not _writers_end():
            logger.warning("A transaction may still be committing rows for %s; the files stay", keys)
            return []
        used = {key for known in _known for key in known(keys)}
        return [key for key in keys if key not in used]
    finally:
        connection.close()


def _writers_end() -> bool:
    """Wait until everything that was being written has been committed or rolled back.

    The lost session's COMMIT may be among it: still on its way, or waiting for the disk or for a replica.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")  # higher than the number of all that is going on
        (mark,) = cursor.fetchone()
        deadline = time.monotonic() + SETTLE_S
        while True:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8", [mark])
            (have_ended,) = cursor.fetchone()
            if have_ended or time.monotonic() > deadline:
                return bool(have_ended)
            time.sleep(POLL_S)


def _remove(keys: Sequence[str]) -> None:
    for key in keys:
        try:
            default_storage.delete(key)
        except Exception:  # the error that brought us here matters more
            logger.exception("Could not remove %s", key)
