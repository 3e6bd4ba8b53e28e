"""Keep programs running, for ever, and end them all together.

One thread and one loop: output of the programs, their deaths, restarts that are due and signals. The packages
that do this fall short in turn: supervisord pauses ever longer between restarts and shows no output on the
console, honcho ends everything when one dies, and under both a killed supervisor leaves its programs behind.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixproject.embedded.process import die_with_parent

from .output import Output

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # one that ran this long before it died is started again at once
STOP_GRACE_S = 30.0  # workers give their operations 20
TICK_S = 0.5


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """One program: at most one process of it at a time."""

    def __init__(
        self, program: Program, output: Output, *, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.program = program
        self.output = output
        self.folder = folder
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self.began = 0.0
        self.pause_s = FIRST_PAUSE_S

    def start(self) -> subprocess.Popen[bytes]:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            self.program.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=self.program.pass_fds,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the rest in order
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        return self.process

    def has_ended(self) -> bool:
        """Whether the process died just now; if so whatever it started is ended too."""
        if self.process is None:
            return False
        # WNOWAIT: while the dead process is not collected, its number cannot belong to anybody else.
        if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        self.signal_group(signal.SIGKILL)
        self.process.wait()
        return True

    def plan_restart(self) -> None:
        lived_s = time.monotonic() - self.began
        self.pause_s = FIRST_PAUSE_S if lived_s > STEADY_S else min(self.pause_s * 2, LONGEST_PAUSE_S)
        self.due = time.monotonic() + self.pause_s
        self.process = None

    def send_signal(self, number: signal.Signals) -> None:
        # Not send_signal(): it collects a dead process, and with it the number that has_ended() relies on.
        if self.process is not None:
            os.kill(self.process.pid, number)

    def signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # no member is left
                os.killpg(self.process.pid, number)


class Supervisor:
    def __init__(
        self,
        programs: Sequence[Program],
        *,
        folder: Path,
        log_folder: Path,
        environment: Mapping[str, str],
        on_tick: Callable[[], None],
    ) -> None:
        self.children = [
            Child(program, Output(program.name, log_folder), folder=folder, environment=environment)
            for program in programs
        ]
        self.on_tick = on_tick
        self.stops_asked = 0
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Start everything, keep it running until SIGTERM, SIGINT or SIGHUP, end everything."""
        self._listen_to_signals()
        next_tick = 0.0
        while not self.stops_asked:
            self._start_due()
            self._turn()
            if time.monotonic() >= next_tick:
                # No process or file to be had right now: the next tick tries again.
                with contextlib.suppress(OSError):
                    self.on_tick()
                next_tick = time.monotonic() + TICK_S
        self._stop_all()

    def _listen_to_signals(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only so that it ends a wait
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if not (number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN):  # nohup
                signal.signal(number, self._ask_to_stop)
        self.selector.register(reader, selectors.EVENT_READ, None)

    def _ask_to_stop(self, *_: object) -> None:
        self.stops_asked += 1

    def _start_due(self) -> None:
        for child in self.children:
            if child.process is None and child.due <= time.monotonic():
                try:
                    process = child.start()
                except OSError as error:  # the machine is out of processes or memory
                    child.plan_restart()
                    child.output.write(f"could not be started: {error}; trying again in {child.pause_s:g} s")
                    continue
                if process.stdout is not None:
                    os.set_blocking(process.stdout.fileno(), False)
                    self.selector.register(process.stdout, selectors.EVENT_READ, child.output)

    def _turn(self) -> None:
        """Wait for something to happen; pass output on and notice deaths."""
        for key, _ in self.selector.select(TICK_S):
            self._read(key)
        for child in self.children:
            if child.has_ended():
                self._note_end(child)

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            data = os.read(key.fd, 65536)
        except BlockingIOError:
            return
        if key.data is None:
            return  # a signal's wake-up
        if data:
            key.data.feed(data)
        else:
            self._forget(key)

    def _forget(self, key: selectors.SelectorKey) -> None:
        self.selector.unregister(key.fileobj)
        if not isinstance(key.fileobj, int):
            key.fileobj.close()  # type: ignore[attr-defined]

    def _note_end(self, child: Child) -> None:
        code = child.process.returncode if child.process else None
        child.plan_restart()
        if not self.stops_asked:
            child.output.write(f"ended with code {code}; restarting in {child.pause_s:g} s")

    def _stop_all(self) -> None:
        """Ask all at once, wait, then end by force; a second Ctrl-C ends the waiting."""
        running = [child for child in self.children if child.process]
        for child in running:
            child.send_signal(child.program.stop_signal)
        deadline = time.monotonic() + STOP_GRACE_S
        while any(child.process for child in running):
            if time.monotonic() > deadline or self.stops_asked > 1:
                for child in running:
                    child.signal_group(signal.SIGKILL)
            self._turn()
        while events := self.selector.select(0):  # what they said last
            for key, _ in events:
                self._read(key)
        for child in self.children:
            child.output.close()
