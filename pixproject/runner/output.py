"""What the programs print: into one rotating file each, and onto the console with their name before it."""

import contextlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path

LOG_BYTES = 10 * 2**20
LOG_COPIES = 3


class _LogFile(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk: the line is still on the console, where a traceback for each would drown it."""


class Output:
    """The lines of one program."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.rest = b""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = _LogFile(
            folder / f"{name}.log", maxBytes=LOG_BYTES, backupCount=LOG_COPIES, encoding="utf-8"
        )

    def feed(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.write(line.decode(errors="replace"))

    def write(self, line: str) -> None:
        self.file.emit(logging.makeLogRecord({"msg": line}))
        say(f"{self.name:<12} | {line}")

    def close(self) -> None:
        if self.rest:
            self.feed(b"\n")
        with contextlib.suppress(OSError):  # what a full disk has not taken
            self.file.close()


def say(line: str) -> None:
    """Print to the console. Pix goes on without one: its reader is gone, its terminal closed, its disk full.

    Past `print`, which keeps what it could not write and fails with it again and again.
    """
    data = f"{line}\n".encode(errors="replace")
    try:
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:
        return  # this line is lost; the log file has it, and the next one may find room
