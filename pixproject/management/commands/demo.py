"""Show what Pix does: real photographs through the public API, and links to the results."""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from pixproject.client import Client, Refused, temporary_key
from pixproject.runner.instance import running

START_WAIT_S = 180
JOB_TIMEOUT_S = 120


@dataclass(frozen=True)
class Show:
    """A photograph out of scikit-image and what is done with it."""

    file: str
    operations: Sequence[Any] = ()
    pipeline: Sequence[Any] = field(default_factory=tuple)


def _step(name: str, **parameters: Any) -> dict[str, Any]:
    return {"name": name, "parameters": parameters}


SHOWS = (
    Show("astronaut.png", operations=["webp", "sepia", _step("resize", width=200)]),
    Show("coffee.png", operations=["avif", _step("blur", sigma_px=4)]),
    Show("chelsea.png", pipeline=[_step("crop", x=80, y=10, width=280, height=280), "clahe", "webp"]),
    Show("rocket.jpg", operations=[_step("watermark", text="Pix demo"), "autocontrast"]),
    Show("hubble_deep_field.jpg", operations=[_step("gamma", gamma=1.8), _step("rotate", angle=15)]),
)


class Command(BaseCommand):
    help = "Process a few real photographs through the API and print links to the results."

    def handle(self, *args: Any, **options: Any) -> None:
        url = self.address()
        with temporary_key("demo", scopes=["read", "write", "process"]) as key:
            try:
                jobs = self.work(Client(url, key))
            except Refused as error:
                raise CommandError(str(error)) from error
        self.report(url, jobs)

    def address(self) -> str:
        """The running instance of this data folder, or one started for this and left running."""
        instance = running(settings.DATA_DIR)
        if instance is None:
            self.stdout.write("Pix is not running on this data folder. Starting it …")
            instance = start(settings.DATA_DIR)
            self.stdout.write(f"Pix is now running at {instance.url} (stop it with `make stop`).")
        return instance.url

    def work(self, client: Client) -> list[tuple[Show, dict[str, Any]]]:
        submitted = [(show, submit(client, show)) for show in SHOWS]
        total = sum(job["progress"]["total"] for _, job in submitted)
        finished = []
        with tqdm(total=total, unit="operation", disable=None) as bar:
            for show, job in submitted:
                finished.append((show, client.finished(job["id"], timeout_s=JOB_TIMEOUT_S)))
                bar.update(job["progress"]["total"])
        return finished

    def report(self, url: str, jobs: list[tuple[Show, dict[str, Any]]]) -> None:
        for show, job in jobs:
            link = urljoin(url, f"jobs/{job['id']}/")
            self.stdout.write(f"\n{show.file}: {job['status']}   {link}")
            for artifact in job["artifacts"]:
                size = f"{artifact['width']} × {artifact['height']}, {artifact['byte_size']} bytes"
                self.stdout.write(f"  {artifact['operation']:<12} {size:<28} {urljoin(url, artifact['url'])}")
        if any(job["status"] != "completed" for _, job in jobs):
            raise CommandError("Some jobs did not complete.")
        self.stdout.write(
            f"\nThe links expire after {settings.PRESIGNED_URL_EXPIRY_SECONDS} s. All jobs: {url}"
        )


def submit(client: Client, show: Show) -> dict[str, Any]:
    work = {"operations": show.operations, "pipeline": show.pipeline}
    given = {name: value for name, value in work.items() if value}
    return client.submit_file(show.file, (photographs() / show.file).read_bytes(), **given)


def photographs() -> Path:
    """The photographs that come with the installed scikit-image; nothing is downloaded."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise CommandError("The demo uses photographs from the package scikit-image, which is not installed.")
    return Path(spec.origin).parent / "data"


def start(data_dir: Path) -> Any:
    """Start an instance in the background and wait until it can work."""
    log = data_dir / "logs" / "demo-start.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pixproject.runner", "run"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_WAIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CommandError(f"Pix failed to start:\n{log.read_text(errors='replace')[-2000:]}")
        instance = running(data_dir)
        if instance is not None and is_up(instance.url):
            return instance
        time.sleep(0.2)
    raise CommandError(f"Pix did not respond within {START_WAIT_S} s. See {log}.")


def is_up(url: str) -> bool:
    try:
        return bool(Client(url, "").get("api/health/live/"))
    except Refused:
        return False
