"""Waiting without a thread.

The web worker leaves an offer in a request's environment. A view that has nothing to say yet takes it: the worker
throws its answer away, keeps the request, and runs it again once the check says so or the time is up. The second time
there is no offer.
"""

from collections.abc import Callable, Collection, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

OFFER = "pix.park"
WAS_PARKED = "pix.was_parked"
IS_PARKED = "pix.is_parked"

Check = Callable[[Collection[str]], Collection[str]]  # which of these names are ready


@dataclass(frozen=True)
class Wish:
    """What a request waits for: that `check` answers its name."""

    name: str
    check: Check
    seconds: float


def park(environ: MutableMapping[str, Any], wish: Wish) -> bool:
    """Put the request aside; False where nobody offered it."""
    offer = environ.get(OFFER)
    if offer is None:
        return False
    offer(wish)
    environ[IS_PARKED] = True
    return True


def is_parked(environ: Mapping[str, Any]) -> bool:
    """Whether the answer of this request is thrown away."""
    return bool(environ.get(IS_PARKED))


def was_parked(environ: Mapping[str, Any]) -> bool:
    """Whether this request has had its wait already."""
    return bool(environ.get(WAS_PARKED))
