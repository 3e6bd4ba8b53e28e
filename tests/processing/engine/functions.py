"""What the engine's tests let subprocesses do. No Django here: these run in spawned subprocesses."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from processing.tasks.progress import ProgressFile, Stopped


def double(value: int) -> int:
    return 2 * value


def wait_and_tell(seconds: float, folder: str, name: str) -> str:
    """Leave a mark at the beginning and at the end, so that a test sees who ran what."""
    with Path(folder, f"{name}.started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    with Path(folder, f"{name}.ended").open("a") as file:
        file.write(f"{os.getpid()}\n")
    return name


def tell(seconds: float, scratch: str, folder: str) -> str:
    """Tell the share that is done until the time is over or somebody asks to stop; leave marks of both."""
    watched = ProgressFile(Path(scratch))
    mark = Path(folder, "tell.started")
    with mark.open("a") as file:
        file.write(f"{os.getpid()}\n")
    started = time.monotonic()
    try:
        while (share := (time.monotonic() - started) / seconds) < 1:
            watched.report(share)
            time.sleep(0.02)
    except Stopped:
        mark.with_name("tell.stopped").touch()
        raise
    return "told"


def misbehave(how: str) -> str:
    """Crash, be killed, hang with the interpreter's lock held, or eat memory."""
    match how:
        case "abort":
            os.abort()
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:
                time.sleep(60)
        case "memory":
            hoard = []
            while True:
                hoard.append(np.empty(64 * 2**20, np.uint8))  # untouched: at the limit at once, however busy
        case "raise":
            raise RuntimeError("something unexpected")
    return how


def killed_once(mark: str) -> str:
    """Be killed the first time."""
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "well"


def misbehave_together(arguments: list[tuple[str]]) -> list[str]:
    return [misbehave(how) for (how,) in arguments]


def nothing() -> None:
    return None
