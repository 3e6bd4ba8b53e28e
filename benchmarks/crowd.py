"""What others notice while clients crowd in that send slowly, wait for jobs, or upload the largest images allowed.

The crowd runs in this process, on the cores of the server that it attacks: the times are those of a
machine that does both.
"""

import asyncio
import contextlib
import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psutil
from django.conf import settings
from django.core.management import call_command
from PIL import Image as Pillow

from api.access.keys import create_key
from benchmarks.harness.http import admin, page_client
from benchmarks.harness.results import Result
from images.models import Image
from pixproject.embedded.process import die_with_parent

NAME = "crowd"
LARGE_SIDE_PX = 7071  # squared, just below 50 megapixels
START_WAIT_S = 60
SLOW_PAUSE_S = 1.0


@dataclass
class Crowd:
    """How many there are of each kind, for how long, and how they were answered."""

    slow: int
    polls: int
    uploads: int
    seconds: float
    answers: Counter[str] = field(default_factory=Counter)


def measure(*, is_quick: bool) -> list[Result]:
    crowd = Crowd(100, 40, 2, 8) if is_quick else Crowd(500, 200, 20, 40)
    _, key = create_key("crowd", user=admin(), scopes=["admin"])
    headers = {"Authorization": f"Api-Key {key}"}
    cookie = page_client().cookies[settings.SESSION_COOKIE_NAME]
    signed_in = {"Cookie": f"{cookie.key}={cookie.value}"}
    with web_server() as (port, process):
        uploaded = request(port, "POST", "/api/images/", headers, upload_body(64))
        image = Image.objects.get().pk if uploaded == 201 else None
        job = submit(port, headers, str(image))
        for _ in range(8):
            request(port, "GET", "/sign-in/", {})  # both processes have imported what pages need
        before = memory_bytes(process)
        live: list[float] = []
        page: list[float] = []
        probes = [
            threading.Thread(target=probe, args=(port, "/api/health/live/", {}, live, crowd.seconds)),
            threading.Thread(
                target=probe,
                args=(port, "/images/", signed_in, page, crowd.seconds),
            ),
        ]
        for thread in probes:
            thread.start()
        asyncio.run(attack(crowd, port, headers, job))
        for thread in probes:
            thread.join()
        grown = memory_bytes(process) - before
    numbers = (
        f"{crowd.slow} slow headers, {crowd.slow} slow bodies, {crowd.polls} polls, "
        f"{crowd.uploads} uploads at once"
    )
    answers = ", ".join(f"{what}: {count}" for what, count in sorted(crowd.answers.items()))
    return [
        Result(NAME, "liveness in a crowd, p95", p95(live), "s", 0.5, "less", numbers),
        Result(
            NAME, "a page in a crowd, p95", p95(page), "s", 2, "less", f"{len(page)} pages; answers {answers}"
        ),
        Result(NAME, "memory the web processes grew by", grown / 2**20, "MB", 150, "less"),
    ]


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


@contextlib.contextmanager
def web_server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name their files by hash
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MEASURE_ON_UPLOAD": "none"},
        preexec_fn=die_with_parent(signal.SIGTERM),
    )
    try:
        wait_until(lambda: is_answering(port))
        yield port, process
    finally:
        process.terminate()
        process.wait(START_WAIT_S)


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + START_WAIT_S
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError("The web server did not start.")
        time.sleep(0.2)


def is_answering(port: int) -> bool:
    with contextlib.suppress(OSError):
        return request(port, "GET", "/api/health/live/", {}) == 200
    return False


def memory_bytes(process: subprocess.Popen[bytes]) -> int:
    """Of gunicorn and its web processes, without the subprocesses that read images: those have limits of their own."""
    parent = psutil.Process(process.pid)
    return sum(member.memory_info().rss for member in [parent, *parent.children()])


def request(
    port: int, method: str, path: str, headers: dict[str, str], body: tuple[str, bytes] | None = None
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    content = {"Content-Type": body[0]} if body else {}
    connection.request(method, path, body[1] if body else None, {**headers, **content})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def upload_body(side_px: int, shade: int = 0) -> tuple[str, bytes]:
    file = io.BytesIO()
    Pillow.new("L", (side_px, side_px), shade % 256).save(file, "PNG")
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.png"\r\n\r\n'
    return "multipart/form-data; boundary=b", head + file.getvalue() + b"\r\n--b--\r\n"


def submit(port: int, headers: dict[str, str], image: str) -> str:
    """A job that stays queued, since no worker runs."""
    from processing.models import Job

    body = f'{{"image": "{image}", "operations": ["grayscale"]}}'.encode()
    status = request(port, "POST", "/api/jobs/", headers, ("application/json", body))
    if status != 202:
        raise RuntimeError(f"The submission was answered {status}.")
    return str(Job.objects.latest("created_at").pk)


def probe(port: int, path: str, headers: dict[str, str], times: list[float], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        started = time.monotonic()
        status = request(port, "GET", path, headers)
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}.")
        times.append(time.monotonic() - started)
        time.sleep(0.2)


async def attack(crowd: Crowd, port: int, headers: dict[str, str], job: str) -> None:
    slow_header = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
    slow_body = b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    poll = f"GET /api/jobs/{job}/ HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=30\r\n{lines}Connection: close\r\n\r\n"
    tasks = [trickle(crowd, port, start) for start in (slow_header, slow_body) for _ in range(crowd.slow)]
    tasks += [repeat(crowd, port, "poll", poll.encode()) for _ in range(crowd.polls)]

    def upload(number: int) -> bytes:
        kind, body = upload_body(LARGE_SIDE_PX, number)
        head = f"POST /api/images/ HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Type: {kind}\r\n"
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    prepared = [upload(number) for number in range(crowd.uploads)]
    tasks += [repeat(crowd, port, "upload", ready, times=1) for ready in prepared]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(crowd.seconds):
            await asyncio.gather(*tasks)


async def trickle(crowd: Crowd, port: int, start: bytes) -> None:
    """A byte each second, again and again as often as the server gives up."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            try:
                while not reader.at_eof():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(SLOW_PAUSE_S)
            finally:
                writer.close()
        crowd.answers["slow clients sent away"] += 1


async def repeat(crowd: Crowd, port: int, what: str, sent: bytes, times: int = 1000) -> None:
    for _ in range(times):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            await writer.drain()
            status = (await reader.readline()).split()[1].decode()
            await reader.read()
            writer.close()
            crowd.answers[f"{what} {status}"] += 1
        except (OSError, IndexError):
            crowd.answers[f"{what} cut off"] += 1
