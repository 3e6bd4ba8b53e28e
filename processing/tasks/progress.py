"""A long function and its worker talk through files in the attempt's folder: how far it is, and whether to stop.

The function runs in a subprocess that should survive: killing it would cost the networks that it has loaded.
No Django here: subprocesses use this.
"""

import time
from pathlib import Path

PROGRESS, STOP = ".progress", ".stop"
INTERVAL_S = 0.2


class Stopped(Exception):
    """The function was asked to stop: its operation was cancelled or taken away."""


class ProgressFile:
    """The function's side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told_at = float("-inf")

    def report(self, share: float) -> None:
        """Write the share that is done, 0 to 1; called as often as one likes.

        Raises:
            Stopped: the worker asked for it.
        """
        now = time.monotonic()
        if now - self._told_at < INTERVAL_S:
            return
        self._told_at = now
        if (self._folder / STOP).exists():
            raise Stopped
        new = self._folder / f"{PROGRESS}.new"
        new.write_text(f"{share:.4f}")
        new.replace(self._folder / PROGRESS)


def share_of(folder: Path) -> float | None:
    """How far a function is; None while it reports nothing, as most do."""
    try:
        return min(1.0, max(0.0, float((folder / PROGRESS).read_text())))
    except (OSError, ValueError):
        return None


def ask_to_stop(folder: Path) -> bool:
    """Ask a function to stop; False if it never checks, because it reports nothing."""
    if share_of(folder) is None:
        return False
    try:
        (folder / STOP).touch()
    except OSError:
        return False
    return True
