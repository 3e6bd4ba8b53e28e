"""What the programs print: into one rotating file each, and onto the console with their name before it."""

import logging
import logging.handlers
import os
import sys
from pathlib import Path

LOG_BYTES = 10 * 2**20
LOG_COPIES = 3


class Output:
    """The lines of one program."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.rest = b""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = logging.handlers.RotatingFileHandler(
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
        self.file.close()


def say(line: str) -> None:
    """Print to the console. Where nobody reads it any more (`make run | head`) Pix goes on without it."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
