"""Files written beside rows: they go again when the rows' transaction is rolled back."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.core.files.storage import default_storage

logger = logging.getLogger("pix.files")
_written: ContextVar[list[str] | None] = ContextVar("written_files", default=None)


def note_written(key: str) -> str:
    """Remember a storage key that the surrounding block wrote; answers it."""
    if (keys := _written.get()) is not None:
        keys.append(key)
    return key


@contextmanager
def removed_on_error() -> Iterator[None]:
    """Remove the files noted in the block when it fails; when it succeeds an outer block answers for them."""
    outer = _written.get()
    keys: list[str] = []
    token = _written.set(keys)
    try:
        yield
    except BaseException:
        for key in keys:
            _remove(key)
        raise
    finally:
        _written.reset(token)
    if outer is not None:
        outer.extend(keys)


def _remove(key: str) -> None:
    try:
        default_storage.delete(key)
    except Exception:  # the error that brought us here matters more
        logger.exception("Could not remove %s", key)
