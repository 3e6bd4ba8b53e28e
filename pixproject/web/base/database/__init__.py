"""Django's backend for PostgreSQL, with bounds on how long a process waits for it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """How long a process waits for the database, in seconds; 0 = for ever.

    Attributes:
        silence_s: to connect, and until a server that says nothing is asked whether it is alive at all.
        statement_s: for one statement.
        lock_s: for a lock that another transaction holds.
    """

    silence_s: int = 0
    statement_s: int = 0
    lock_s: int = 0


UNBOUNDED = Bounds()  # migrations and commands may take their time: a person or a deployment waits for them
_kept = UNBOUNDED


def keep_to(bounds: Bounds) -> None:
    """From now on new connections of this process keep to these bounds."""
    global _kept
    _kept = bounds


def kept() -> Bounds:
    """The bounds of this process."""
    return _kept
