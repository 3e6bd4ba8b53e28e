"""One small operation on an idle system, from sending the request to the finished job."""

import io
import random
import statistics
import time

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image as Pillow

from benchmarks.harness import instance
from benchmarks.harness.http import api_client
from benchmarks.harness.results import Result
from processing.models import Job

NAME = "latency"
SIZE = (640, 480)
PAUSES_S = (0.2, 1.6)
TIMEOUT_S = 60


def measure(*, is_quick: bool) -> list[Result]:
    count = 8 if is_quick else 40
    client = api_client()
    with instance.workers(), instance.workers(queues="ml"):  # an upload leaves work for both
        uploaded = client.post("/api/images/", {"file": SimpleUploadedFile("small.jpg", small_picture())})
        image = uploaded.json()["id"]
        for job in Job.objects.all():
            instance.wait_for(job, timeout_s=TIMEOUT_S)
        submit_and_wait(client, image, quality=1)
        times = sorted(1000 * submit_and_wait(client, image, quality=10 + i) for i in range(count))
    detail = f"{count} requests, 640 × 480 jpg to webp, pauses of {PAUSES_S[0]} to {PAUSES_S[1]} s"
    return [
        Result(NAME, "idle, submit to done, p50", statistics.median(times), "ms", 150, "less", detail),
        Result(NAME, "idle, submit to done, p95", times[int(0.95 * (count - 1))], "ms", None, "less"),
    ]


def submit_and_wait(client: Client, image: str, *, quality: int) -> float:
    """Seconds; each quality is another recipe, so nothing comes from the result cache."""
    time.sleep(random.Random(quality).uniform(*PAUSES_S))
    body = {"image": image, "operations": [{"name": "webp", "parameters": {"quality": quality}}]}
    started = time.time()
    answer = client.post("/api/jobs/", body, content_type="application/json")
    if answer.status_code != 202:
        raise RuntimeError(f"The submission was answered {answer.status_code}: {answer.content[:500]!r}")
    return instance.wait_for(Job(pk=answer.json()["id"]), timeout_s=TIMEOUT_S) - started


def small_picture() -> bytes:
    gradient = Pillow.linear_gradient("L").resize(SIZE)
    picture = Pillow.merge("RGB", (gradient, gradient.rotate(90).resize(SIZE), gradient.rotate(180)))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()
