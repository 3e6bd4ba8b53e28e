"""The small process that keeps one embedded server running while anybody uses it.

A user of the server holds `run/<server>.users` locked (shared). The kernel lets go of that lock however the
user ends, so the keeper, which tries to get the file for itself, stops the server when the last user is gone:
a killed command leaves nothing behind. A second keeper finds `run/<server>.keeper` locked and ends at once.

    python -m pixproject.embedded.keeper postgres DATA_DIR
"""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from .process import EmbeddedServerError, die_with_parent
from .server import Server, try_lock
from .servers import SERVERS

LOOK_EVERY_S = 0.25
FIRST_START_TRIES_S = 10  # a predecessor that is still ending may hold a file for a moment
LONGEST_PAUSE_S = 10.0
STOP_GRACE_S = 60


class Keeper:
    def __init__(self, server: Server, users: IO[str]) -> None:
        self.server = server
        self.users = users
        self.is_told_to_stop = False
        self.was_ready = False
        self.wake_up, wake_up_writer = os.pipe()
        os.set_blocking(wake_up_writer, False)
        signal.set_wakeup_fd(wake_up_writer)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only so that it ends the wait below

    def run(self) -> int:
        """Keep the server running; return when it is not needed any more, or does not start at all."""
        began, pause_s = time.monotonic(), 0.1
        while not self._is_over():
            started = time.monotonic()
            self._run_once()
            if self._is_over():
                break
            if not self.was_ready and time.monotonic() - began > FIRST_START_TRIES_S:
                return 1
            pause_s = (
                0.1 if time.monotonic() - started > LONGEST_PAUSE_S else min(pause_s * 2, LONGEST_PAUSE_S)
            )
            self._wait(pause_s)
        return 0

    def _run_once(self) -> None:
        self.server.prepare()
        with self.server.open_log() as log:
            process = subprocess.Popen(  # type: ignore[call-overload]
                self.server.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the command, not for its database
                preexec_fn=die_with_parent(signal.Signals(self.server.stop_signal)),
                **self.server.popen_options(),
            )
        while process.poll() is None and not self._is_over():
            self.was_ready = self.was_ready or self.server.is_ready()
            self._wait(LOOK_EVERY_S if self.was_ready else 0.02)
        if process.poll() is None:
            process.send_signal(self.server.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_GRACE_S)
        if process.poll() is None:
            process.kill()
            process.wait()

    def _is_over(self) -> bool:
        """Told to stop, or nobody uses the server. A lock once ours stays so: newcomers wait."""
        return self.is_told_to_stop or try_lock(self.users)

    def _stop(self, *_: object) -> None:
        self.is_told_to_stop = True

    def _wait(self, seconds: float) -> None:
        if select.select([self.wake_up], [], [], seconds)[0]:
            os.read(self.wake_up, 64)


def main(name: str, data_dir: str) -> int:
    server = SERVERS[name](Path(data_dir))
    with server.open_keeper() as lock, server.open_users() as users:
        if not try_lock(lock, fcntl.LOCK_EX):
            return 0
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            return Keeper(server, users).run()
        except (EmbeddedServerError, OSError) as error:
            with server.open_log() as log:
                log.write(f"{error}\n".encode())
            return 1
        finally:
            lock.truncate(0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
