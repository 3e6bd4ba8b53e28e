"""The id that ties a request, its job, its workers' log lines and its error bodies together."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._\-]{8,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """The id of the request or operation being worked on, or an empty string."""
    return _current.get()


def choose(offered: str | None) -> str:
    """The caller's own id when it is harmless in a log line, else a new one."""
    return offered if offered and _ACCEPTED.fullmatch(offered) else uuid.uuid4().hex


@contextmanager
def bound(request_id: str) -> Iterator[None]:
    """Let `current()` answer `request_id` within the block."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)
