"""Use the embedded servers of a data folder: start what does not run, let go at the end."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from .paths import redis_url, socket_dir
from .process import EmbeddedServerError, last_lines
from .server import Server, try_lock
from .servers import SERVERS

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
START_WAIT_S = 120  # recovery after a crash replays the log
STOP_WAIT_S = 90


def embedded_names(data_dir: Path, *, database_host: str, redis_location: str) -> list[str]:
    """Which of the two servers these settings leave to us."""
    names = {
        "postgres": database_host == str(socket_dir(data_dir)),
        "redis": redis_location == redis_url(data_dir),
    }
    return [name for name, is_embedded in names.items() if is_embedded]


@contextlib.contextmanager
def attached(data_dir: Path, *, names: Sequence[str]) -> Iterator[list[Server]]:
    """Run the block with these servers ready (`postgres`, `redis`); the last one out stops them.

    Raises:
        EmbeddedServerError: with a sentence for the person, when one cannot run.
    """
    servers = [SERVERS[name](data_dir) for name in names]
    for server in servers:
        server.check()
    with contextlib.ExitStack() as users:
        for server in servers:
            users.enter_context(_using(server))
        starting = [(server, start_keeper(server)) for server in servers]
        for server, keeper in starting:
            _wait_until_ready(server, keeper)
        yield servers


def start_keeper(server: Server) -> subprocess.Popen[bytes] | None:
    """Start a keeper unless one runs. Of two started at once, one exits on its own."""
    if server.is_kept():
        return None
    with server.open_log() as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pixproject.embedded.keeper", server.name, str(server.data_dir)],
            cwd=PACKAGE_PARENT,
            stdin=subprocess.DEVNULL,
            stdout=log,  # an inherited pipe would keep our caller waiting for the server's end
            stderr=log,
            start_new_session=True,
        )


@contextlib.contextmanager
def _using(server: Server) -> Iterator[None]:
    with server.open_users() as users:
        # A keeper that is stopping its server holds the file alone until that is done.
        deadline = time.monotonic() + STOP_WAIT_S
        while not try_lock(users, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"{server.title} is still stopping after {STOP_WAIT_S} s; see {server.log_path}."
                )
            time.sleep(0.02)
        try:
            yield
        finally:
            _leave(server, users)


def _leave(server: Server, users: IO[str]) -> None:
    """Let go. The last one out also waits for the end: the caller finds nothing running afterwards."""
    if not try_lock(users, fcntl.LOCK_EX):
        return
    with server.open_keeper() as keeper:
        if try_lock(keeper):
            return
        # Its lock is held, so the number in the file is the living keeper's and nobody else's.
        with contextlib.suppress(ValueError, ProcessLookupError):
            os.kill(int(keeper.read()), signal.SIGTERM)
        deadline = time.monotonic() + STOP_WAIT_S
        while not try_lock(keeper) and time.monotonic() < deadline:
            time.sleep(0.01)


def _wait_until_ready(server: Server, keeper: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_WAIT_S
    while not server.is_ready():
        if keeper is None or keeper.poll() == 0:
            keeper = start_keeper(server)
        elif keeper.poll():
            raise EmbeddedServerError(
                f"The embedded {server.title} did not start:\n{last_lines(server.log_path)}\n"
                f"(all of it: {server.log_path}; {server.setting} names another server instead)"
            )
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"{server.title} is not ready after {START_WAIT_S} s; see {server.log_path}."
            )
        time.sleep(0.02)
