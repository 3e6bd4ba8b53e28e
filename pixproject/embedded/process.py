"""Small facts about processes that both servers and the supervisor need."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1


class EmbeddedServerError(Exception):
    """An embedded server cannot run here; the message says what to do."""


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the new process gets this signal when the one that started it dies, however it dies."""
    parent = os.getpid()

    def after_fork() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return after_fork


def make_private_folder(path: Path, *, owner: int | None = None) -> None:
    """Make a folder only its owner can enter, or refuse one that somebody else made first (as in /tmp)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = path.lstat()
    if path.is_symlink() or status.st_uid not in {os.geteuid(), owner}:
        raise EmbeddedServerError(
            f"The folder {path} belongs to another user. Remove it or move the data folder."
        )
    if status.st_mode & 0o777 != 0o700:
        path.chmod(0o700)


def last_lines(path: Path, count: int = 5) -> str:
    """The end of a log file, for an error sentence."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""
