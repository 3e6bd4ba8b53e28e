"""What the two embedded servers have in common: folders, locks and being asked whether they are ready."""

import fcntl
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

from .account import NOBODY
from .paths import socket_dir
from .process import make_private_folder

KEEP_LOG_BYTES = 10 * 2**20


class Server(ABC):
    """One server of one data folder. Only its keeper starts and stops it."""

    name: str
    title: str
    setting: str  # the variable that names another server instead

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.lock_dir = self.data_dir / "run"
        self.socket_dir = socket_dir(self.data_dir)
        self.log_path = self.data_dir / "logs" / f"{self.name}.log"

    @abstractmethod
    def check(self) -> None:
        """Raise EmbeddedServerError when this server cannot run on this machine at all."""

    @abstractmethod
    def prepare(self) -> None:
        """Make what a first start needs, and clear what a crash left."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def is_ready(self) -> bool: ...

    @property
    @abstractmethod
    def stop_signal(self) -> int: ...

    def popen_options(self) -> dict[str, object]:
        return {}

    def make_socket_dir(self) -> None:
        make_private_folder(self.socket_dir, owner=NOBODY if os.geteuid() == 0 else None)

    def open_users(self) -> IO[str]:
        """Everybody who uses the server holds this file locked shared; the keeper waits to have it alone."""
        return self._open("users")

    def open_keeper(self) -> IO[str]:
        """Held by the one keeper that runs; holds its process number."""
        return self._open("keeper")

    def is_kept(self) -> bool:
        with self.open_keeper() as file:
            return not try_lock(file)

    def open_log(self) -> IO[bytes]:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > KEEP_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        return open(self.log_path, "ab")

    def _open(self, role: str) -> IO[str]:
        self.lock_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.lock_dir / f"{self.name}.{role}"
        return open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")


def try_lock(file: IO[str], kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
