"""One running Pix per data folder: who it is, where it answers, how it is stopped."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

STOP_WAIT_S = 120
ORPHAN_WAIT_S = 20  # a web server whose supervisor was killed lets its requests end, for 15 s at most


class CannotRun(Exception):
    """Pix cannot start; the message says what to change."""


@dataclass(frozen=True)
class Instance:
    pid: int
    url: str


class Turn:
    """Being the one instance of a data folder.

    `killed` is the instance before, if it had no time to take its address back.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.killed = _read(file)
        file.truncate(0)

    def announce(self, url: str) -> None:
        """Publish the address."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(Instance(os.getpid(), url))))
        self._file.flush()

    def orphan_wait_s(self, port: int) -> float:
        """How long to wait for a port: the web server of a killed instance may still have it."""
        return ORPHAN_WAIT_S if self.killed and self.killed.url.endswith(f":{port}/") else 0


@contextlib.contextmanager
def only_instance(data_dir: Path) -> Iterator[Turn]:
    """Be the one instance of this data folder for the block.

    Raises:
        CannotRun: naming the address of the one that runs already.
    """
    with _open_lock(data_dir) as file:
        if not _lock(file):
            other = _read(file)
            raise CannotRun(
                f"Pix is already running on {data_dir}"
                + (f" at {other.url} (process {other.pid})" if other else "")
                + ".\n"
                "Stop it with `make stop`, or start a second one: PORT=8010 PIX_DATA_DIR=another/folder make run"
            )

        try:
            yield Turn(file)
        finally:
            file.truncate(0)


def running(data_dir: Path) -> Instance | None:
    """The instance that runs on this data folder now."""
    with _open_lock(data_dir) as file:
        return None if _lock(file) else _read(file)


def stop(data_dir: Path) -> str:
    """End the instance of this data folder and wait until it is gone; return what happened as a sentence."""
    with _open_lock(data_dir) as file:
        if _lock(file):
            return f"Pix is not running on {data_dir}."
        other = _read(file)
        if other is None:
            raise CannotRun(f"Pix on {data_dir} is just starting or stopping. Try again.")
        os.kill(other.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WAIT_S
        while not _lock(file):
            if time.monotonic() > deadline:
                raise CannotRun(f"Process {other.pid} did not stop within {STOP_WAIT_S} s.")
            time.sleep(0.05)
    return f"Stopped Pix at {other.url}."


def open_listener(host: str, port: int, *, wait_s: float = 0) -> socket.socket:
    """Take the web address now: nobody else gets it, and a restart of the web server refuses no visitor.

    An address that is taken is waited for as long as `wait_s`.

    Raises:
        CannotRun: naming the setting to change.
    """
    if not 0 <= port <= 65535:  # the C library would take the remainder
        raise CannotRun(f"PORT is {port}; the highest port is 65535.")
    deadline = time.monotonic() + wait_s
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        while True:
            try:
                return socket.create_server(address[:2], family=family, backlog=2048)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
    except PermissionError as error:
        raise CannotRun(
            f"Only root may use port {port}. Choose one above 1023: PORT=8010 make run"
        ) from error
    except socket.gaierror as error:
        raise CannotRun(f"HOST={host} is not a name or address of this machine: {error.strerror}.") from error
    except OSError as error:
        raise CannotRun(
            f"Port {port} on {host} cannot be used: {os.strerror(error.errno or 0)}. "
            "Choose another port: PORT=8010 make run"
        ) from error


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _open_lock(data_dir: Path) -> IO[str]:
    folder = data_dir / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return open(os.open(folder / "pix.instance", os.O_RDWR | os.O_CREAT, 0o600), "r+")


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> Instance | None:
    try:
        return Instance(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
