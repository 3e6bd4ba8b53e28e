"""Check a running Pix end to end over HTTP, in a few seconds."""

import contextlib
import io
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from PIL import Image

from pixproject.client import Client, Refused, temporary_key
from pixproject.runner.instance import running

SIDE_PX = 96
JOB_TIMEOUT_S = 60


class Command(BaseCommand):
    help = "Upload an image, convert it and download the result. The exit status is 0 if everything works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url", default="", help="address of the instance (default: the one of this data folder)"
        )
        parser.add_argument(
            "--key", default="", help="API key, needed for another installation (default: a temporary one)"
        )

    def handle(self, *args: Any, url: str, key: str, **options: Any) -> None:
        instance = running(settings.DATA_DIR)
        url = url or (instance.url if instance else f"http://{settings.HOST}:{settings.PORT}/")
        self.stdout.write(f"Checking {url}")
        with contextlib.ExitStack() as stack:
            is_ours = not key
            key = key or stack.enter_context(temporary_key("smoke test", scopes=["admin"]))
            try:
                self.walk_through(Client(url, key), may_purge=is_ours)
            except Refused as error:
                raise CommandError(str(error)) from error
        self.stdout.write("Everything works.")

    def walk_through(self, client: Client, *, may_purge: bool) -> None:
        with self.step("health") as details:
            details.append(client.get("api/health/live/")["status"])
        content = unique_image()
        with self.step("upload") as details:
            image = client.upload("smoke-test.png", content)
            details.append(f"{image['format']}, {image['width']} × {image['height']}")
        with self.step("convert") as details:
            job = client.finished(
                client.submit(image=image["id"], operations=["webp"])["id"], timeout_s=JOB_TIMEOUT_S
            )
            details.append(job["status"])
            if job["status"] != "completed":
                raise Refused(f"The job ended with the status {job['status']}: {job['operations']}")
        with self.step("download") as details:
            result = client.download(job["artifacts"][0]["url"])
            details.append(f"{len(content)} bytes in, {len(result)} bytes out")
            check_image(result)
        if may_purge:
            with self.step("tidy up"):
                purge(client, image["id"])

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        started = time.monotonic()
        details: list[str] = []
        self.stdout.write(f"  {name:<10}", ending="")
        sys.stdout.flush()
        try:
            yield details
        except BaseException:
            self.stdout.write("failed")
            raise
        self.stdout.write(
            f"ok   {1000 * (time.monotonic() - started):5.0f} ms   {' '.join(details)}".rstrip()
        )


def unique_image() -> bytes:
    """Noise that nobody has uploaded before: known bytes would be answered from the result cache."""
    file = io.BytesIO()
    Image.frombytes("RGB", (SIDE_PX, SIDE_PX), os.urandom(3 * SIDE_PX**2)).save(file, "PNG")
    return file.getvalue()


def check_image(content: bytes) -> None:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
    if (image.format, image.size) != ("WEBP", (SIDE_PX, SIDE_PX)):
        raise Refused(
            f"The result is {image.format}, {image.width} × {image.height}, not WEBP, {SIDE_PX} × {SIDE_PX}."
        )


def purge(client: Client, image_id: str) -> None:
    """Wait for the thumbnails, which still need the image."""
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while True:
        try:
            client.purge(image_id)
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
