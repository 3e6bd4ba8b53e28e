"""Pages of the library with 10 000 images: the API's list and the gallery, 50 images a page."""

import hashlib
import random
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.harness.http import admin, api_client, page_client
from benchmarks.harness.results import Result
from images.models import Image, Rendition

NAME = "lists"
FEW, MANY = 100, 10_000
PER_PAGE = 50
ORDERINGS = ("-created_at", "created_at", "-byte_size", "original_filename")


def measure(*, is_quick: bool) -> list[Result]:
    many_images, requests = (1_000, 20) if is_quick else (MANY, 200)
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name these files
    api, pages = api_client(), page_client()
    add_images(0, FEW)
    few = {"api": queries(api, "/api/images/?page_size=50"), "gallery": queries(pages, "/images/")}
    add_images(FEW, many_images)
    last_page = many_images // PER_PAGE
    addresses = (
        ("api", api, api_urls(requests, last_page)),
        ("gallery", pages, gallery_urls(requests, last_page)),
    )
    results = []
    for name, client, urls in addresses:
        get(client, urls[0])
        times = sorted(1000 * get(client, url) for url in urls)
        many = queries(client, urls[0])
        p95 = times[int(0.95 * (len(times) - 1))]
        detail = f"p50 {statistics.median(times):.0f} ms, {len(urls)} requests, {many_images} images"
        results.append(Result(NAME, f"{name}: page of 50, p95", p95, "ms", 150, "less", detail))
        detail = f"{few[name]} queries with {FEW} images, {many} with {many_images}"
        results.append(
            Result(NAME, f"{name}: more queries when larger", many - few[name], "", 0, "less", detail)
        )
    return results


def api_urls(count: int, last_page: int) -> list[str]:
    """Mostly what people open: first pages; also deep ones, other orders, filters, a search."""
    dice = random.Random(1)
    special = [
        *(f"/api/images/?page_size=50&ordering={ordering}" for ordering in ORDERINGS),
        "/api/images/?page_size=50&tag=tag-3",
        "/api/images/?page_size=50&format=png",
        "/api/images/?page_size=50&search=photograph-77",
    ]
    pages = [f"/api/images/?page_size=50&page={dice.randint(1, last_page)}" for _ in range(count)]
    return [special[i // 4 % len(special)] if i % 4 == 3 else page for i, page in enumerate(pages)]


def gallery_urls(count: int, last_page: int) -> list[str]:
    dice = random.Random(2)
    deepest = min(150, last_page)
    return [f"/images/?page={dice.choice((1, 1, 2, 3, dice.randint(1, deepest)))}" for _ in range(count)]


def get(client: Client, url: str) -> float:
    started = time.perf_counter()
    answer = client.get(url)
    seconds = time.perf_counter() - started
    if answer.status_code != 200:
        raise RuntimeError(f"{url} was answered {answer.status_code}: {answer.content[:300]!r}")
    return seconds


def queries(client: Client, url: str) -> int:
    get(client, url)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        get(client, url)
    return len(captured)


def add_images(start: int, end: int) -> None:
    """Rows as uploads leave them, over a year; no files, which no list opens."""
    now, owner = timezone.now(), admin()
    images = Image.objects.bulk_create(
        [_image(number, owner) for number in range(start, end)], batch_size=1000
    )
    for number, image in enumerate(images, start):
        image.created_at = now - timedelta(minutes=50 * number)
    Image.objects.bulk_update(images, ["created_at"], batch_size=1000)
    _add_renditions(images)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _image(number: int, owner: User) -> Image:
    return Image(
        sha256=hashlib.sha256(str(number).encode()).hexdigest(),
        file=f"raw/00/00/{number}.jpg",
        original_filename=f"photograph-{number}.jpg",
        format=("jpg", "jpg", "jpg", "png")[number % 4],
        byte_size=1_000_000 + number,
        width=4000,
        height=3000,
        mode="RGB",
        exif={
            "camera": {"make": "Make", "model": f"Model {number % 20}"},
            "exposure_time": "1/250",
            "iso": 100,
        },
        exif_raw={str(tag): "x" * 40 for tag in range(40)},
        tags=[f"tag-{number % 10}"],
        uploaded_by=owner,
    )


def _add_renditions(images: Sequence[Image]) -> None:
    Rendition.objects.bulk_create(
        [
            Rendition(
                image=image,
                size=size,
                format="webp",
                file=f"thumbnails/{image.pk}-{size}",
                width=size,
                height=size * 3 // 4,
                byte_size=40 * size,
            )
            for image in images
            for size in (256, 512)
        ],
        batch_size=1000,
    )
