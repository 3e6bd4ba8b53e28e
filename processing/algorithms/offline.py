"""Code that may not reach the network: libraries that fetch what they miss fail instead."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_guarded = threading.local()
_BLOCKED = ("socket.connect", "socket.getaddrinfo", "socket.sendto")


class NetworkUsed(RuntimeError):
    """Something tried to reach the network where nothing may."""


@contextmanager
def offline() -> Iterator[None]:
    """Within it, this thread's connections by Python's sockets fail.

    An audit hook, because it cannot be gone around: libraries import each other's download functions by name.
    """
    _install_hook()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    before = getattr(_guarded, "is_on", False)
    _guarded.is_on = True
    try:
        yield
    finally:
        _guarded.is_on = before


@cache
def _install_hook() -> None:
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _BLOCKED and getattr(_guarded, "is_on", False):
        raise NetworkUsed(f"{event} was called while a model was built or run: {arguments[-1]!r}.")
