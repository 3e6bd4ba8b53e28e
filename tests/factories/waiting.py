"""Waiting for what other processes do: generous, and without a clock in any assertion."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, timeout_s: float = 30) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def process_is_alive(pid: int) -> bool:
    """A zombie, dead but not collected yet, counts as dead."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
