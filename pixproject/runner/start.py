"""Bring a whole Pix up, from nothing to the printed address."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from pixproject.embedded import attached, embedded_names, start_keeper
from pixproject.embedded.process import die_with_parent
from pixproject.embedded.server import Server

from .instance import CannotRun, only_instance, open_listener, url_of
from .output import say
from .programs import programs
from .supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
FIRST_ANSWER_S = 60


def run(settings: ModuleType, *, with_reload: bool) -> None:
    """Run Pix until it is stopped.

    Raises:
        CannotRun, EmbeddedServerError: with a sentence for the person.
    """
    data_dir: Path = settings.DATA_DIR
    names = embedded_names(
        data_dir, database_host=settings.DATABASES["default"]["HOST"], redis_location=settings.REDIS_URL
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the blocks below are left in order
    host, port = settings.HOST, settings.PORT
    with (
        only_instance(data_dir) as turn,
        open_listener(host, port, wait_s=turn.orphan_wait_s(port)) as listener,
    ):
        turn.announce(url_of(listener))
        say(f"Starting Pix on {data_dir} …")
        with attached(data_dir, names=names) as servers:
            environment = _environment(data_dir, listener)
            first_lines = _prepare(environment)
            _supervise(data_dir, listener, servers, environment, first_lines, with_reload=with_reload)
    say("Pix has stopped.")


def _environment(data_dir: Path, listener: socket.socket) -> dict[str, str]:
    port = listener.getsockname()[1]
    return {**os.environ, "PIX_DATA_DIR": str(data_dir), "PORT": str(port), "PYTHONUNBUFFERED": "1"}


def _prepare(environment: dict[str, str]) -> str:
    """Bring the database and the static files up to date; return what the first admin must know."""
    process = subprocess.run(
        [sys.executable, "-m", "pixproject.runner.prepare"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(signal.SIGTERM),
        check=False,
    )
    if process.returncode != 0:
        raise CannotRun("Pix cannot start with these settings or this database. See above.")
    return process.stdout.strip()


def _supervise(
    data_dir: Path,
    listener: socket.socket,
    servers: Sequence[Server],
    environment: dict[str, str],
    first_lines: str,
    *,
    with_reload: bool,
) -> None:
    welcome = Welcome(listener, data_dir, first_lines)

    def on_tick() -> None:
        for server in servers:
            start_keeper(server)
        welcome.look()

    Supervisor(
        programs(ROOT, listener_fd=listener.fileno(), with_reload=with_reload),
        folder=ROOT,
        log_folder=data_dir / "logs",
        environment=environment,
        on_tick=on_tick,
    ).run()


class Welcome:
    """Says where Pix is once it answers there."""

    def __init__(self, listener: socket.socket, data_dir: Path, first_lines: str) -> None:
        self.url = url_of(listener)
        self.family = listener.family
        self.address = listener.getsockname()[:2]
        self.data_dir = data_dir
        self.first_lines = first_lines
        self.deadline = time.monotonic() + FIRST_ANSWER_S
        self.is_done = False

    def look(self) -> None:
        if self.is_done:
            return
        if self._answers():
            self.is_done = True
            say(self._text())
        elif time.monotonic() > self.deadline:
            self.is_done = True
            say(f"Pix is not responding at {self.url} yet. See above or in {self.data_dir / 'logs'}.")

    def _answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address[0], self.address[0])
        with socket.socket(self.family) as connection:
            connection.settimeout(0.3)
            try:
                connection.connect((host, self.address[1]))
                connection.sendall(b"GET /api/health/live/ HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return connection.recv(16).startswith(b"HTTP/")
            except OSError:
                return False

    def _text(self) -> str:
        lines = [
            f"Pix is running at {self.url}",
            *self.first_lines.splitlines(),
            "Stop: Ctrl-C or make stop",
            f"Logs: make logs (files in {self.data_dir / 'logs'})",
        ]
        ruler = "─" * 78
        return "\n".join([ruler, *(f"  {line}" for line in lines), ruler])
