"""A whole Pix of its own, as `make run` starts it, for tests that ask from outside."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_WAIT_S = 180


@dataclass(frozen=True)
class RunningPix:
    """Its address, and the variables with which its commands find it."""

    url: str
    environment: dict[str, str]


@contextmanager
def running_pix(**settings: str) -> Iterator[RunningPix]:
    """On a free port with a data folder of its own; `settings` are environment variables."""
    folder = tempfile.mkdtemp(prefix="pix-run-")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ours = {"PIX_DATA_DIR": folder, "PORT": str(port), "PIX_IGNORE_ENV_FILE": "1"}
    environment = {**os.environ, **ours, **settings}
    with open(Path(folder) / "output.txt", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pixproject.runner", "run"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield RunningPix(_address(process, Path(folder)), environment)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _address(process: subprocess.Popen[bytes], folder: Path) -> str:
    deadline = time.monotonic() + START_WAIT_S
    output = folder / "output.txt"
    while not (found := re.search(r"Pix is running at (\S+)", output.read_text(errors="replace"))):
        said = output.read_text(errors="replace")[-3000:]
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.1)
    return found[1]
