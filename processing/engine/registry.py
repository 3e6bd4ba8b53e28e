"""The table of handlers: what the engine runs for an operation of each name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

INLINE_CLAIMS = 8


@dataclass(frozen=True)
class Claim:
    """An operation that one worker owns until its lease ends; `token` fences off every other worker."""

    operation_id: int
    token: UUID
    job_id: UUID
    name: str
    parameters: dict[str, Any]
    image_id: UUID | None
    cache_key: str
    position: int
    attempts: int
    max_attempts: int
    run_alone: bool
    request_id: str
    output_folder: str
    filename_prefix: str
    queue: str = "default"


class NotYet(Exception):
    """Raised by a handler's `load` when what it needs is still being made: the operation waits, uncharged."""

    def __init__(self, detail: str, *, delay_s: float = 0.5) -> None:
        super().__init__(detail)
        self.delay_s = delay_s


def _no_arguments(_claim: Claim, _scratch: Path) -> tuple:
    return ()


def _as_it_is(_claim: Claim, value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Handler:
    """How one kind of operation is done.

    load:    reads rows and files, answers the arguments of `compute`; `scratch` is a folder for this attempt.
    compute: a pure function; it runs in a spawned subprocess, so its module must not import Django.
             With `batch_size` > 1 it takes a list of argument tuples and answers a list of values.
    store:   moves files into storage under names that no other attempt uses; they go again if another attempt wins.
    save:    writes rows inside the completing transaction; what it answers is kept as the operation's result.
             None means that there is nothing to write, and several operations may complete in one statement.
    """

    name: str
    queue: str
    compute: Callable[..., Any]
    load: Callable[[Claim, Path], tuple] = _no_arguments
    store: Callable[[Claim, Any], Any] = _as_it_is
    save: Callable[[Claim, Any], dict[str, Any] | None] | None = None
    isolated: bool = True
    batch_size: int = 1
    timeout_s: float | None = None

    @property
    def claim_size(self) -> int:
        """How many operations of this name one worker thread takes at once.

        What is computed in place takes less time than claiming it: a few are claimed together and done one by one.
        """
        return self.batch_size if self.isolated or self.batch_size > 1 else INLINE_CLAIMS


HANDLERS: dict[str, Handler] = {}


def register(*handlers: Handler) -> None:
    """Add an app's handlers; two of one name are a programming error."""
    for handler in handlers:
        if HANDLERS.get(handler.name, handler) is not handler:
            raise ValueError(f"Two handlers have the name {handler.name!r}.")
        HANDLERS[handler.name] = handler


Chore = Callable[[], object]
# What the sweeper does for the apps: name to how often in seconds, and what. Several sweepers may do it at once.
CHORES: dict[str, tuple[float, Chore]] = {}


def register_chore(name: str, chore: Chore, *, every_s: float) -> None:
    """Have something done again and again as long as a sweeper runs."""
    CHORES[name] = (every_s, chore)
