"""A batch of 5 000 images in 100 blobs of vectors: grouping it, looking at its review page, exporting it."""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.test import Client

from batches import services
from batches.clustering.service import parse_parameters, submit_analysis
from batches.exports import files as exports
from batches.groups import operations as grouping
from batches.models import Batch, ClusterRun
from benchmarks.harness.http import admin, api_client, page_client
from benchmarks.harness.results import Result
from benchmarks.lists import add_images, get, queries
from images.models import Embedding, Image
from images.vectors import embeddings
from processing.engine.worker import run_until_idle

NAME = "batch_review"
IMAGES, FEW, BLOBS, DIM = 5_000, 250, 100, 384
SPREAD = 0.5  # the length of the noise around a blob's centre, which has length 1
FILE_BYTES = 40_000
STEP_EVERY = 5  # requests: a reviewer's step makes whatever was remembered of the groups stale


def measure(*, is_quick: bool) -> list[Result]:
    count, requests = (1_000, STEP_EVERY) if is_quick else (IMAGES, 100)
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name these files
    add_images(0, FEW + count)
    give_files()
    images = list(Image.objects.order_by("original_filename", "pk"))
    small = make_batch(images[:FEW], "Small")
    large = make_batch(images[FEW:], "Large")
    give_vectors(images[FEW:])
    give_vectors(images[:FEW])
    return [
        *analysis_rows(small, large),
        placed_by_hand_row(large),
        *page_rows(small, large, requests),
        *export_rows(small, large),
    ]


def give_files() -> None:
    """One file for all: what is measured is the way of the bytes, not their kind."""
    key = default_storage.save("raw/be/nc/bench.jpg", ContentFile(os.urandom(FILE_BYTES)))
    Image.objects.update(file=key, byte_size=FILE_BYTES)


def make_batch(images: Sequence[Image], name: str) -> Batch:
    return services.create_batch(name, owner=admin(), image_ids=[image.pk for image in images])


def give_vectors(images: Sequence[Image]) -> None:
    spec, sha256 = embeddings.usable("pix_small")
    Embedding.objects.bulk_create(
        [
            Embedding(image=image, model=spec.name, weights_sha256=sha256, dim=DIM, vector=vector)
            for image, vector in zip(images, blobs(len(images)), strict=True)
        ],
        batch_size=500,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def blobs(count: int) -> np.ndarray:
    """float32 (count, DIM), each of length 1, in turns around one of BLOBS random directions."""
    dice = np.random.default_rng(1)
    centres = dice.normal(size=(BLOBS, DIM))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = dice.normal(size=(count, DIM)) * SPREAD / np.sqrt(DIM)
    vectors = centres[np.arange(count) % BLOBS] + noise
    rows: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return rows


# Analysis


def analysis_rows(small: Batch, large: Batch) -> list[Result]:
    analyse(small)  # which starts the subprocess and its imports
    run, seconds = analyse(large)
    detail = f"{run.n_groups} groups, {run.n_noise} of {run.n_images} images in none; embeddings were there"
    whole = (
        f"submitted to active: {seconds:.1f} s, in which {run.n_images} assignments and groups are written"
    )
    return [
        Result(NAME, "analyze: the run", (run.duration_ms or 0) / 1000, "s", 5, "less", f"{detail}; {whole}")
    ]


def placed_by_hand_row(batch: Batch) -> Result:
    """What people placed, locked and confirmed, before and after a run with other parameters and one for new images."""
    keys = list(batch.batch_images.order_by("position").values_list("image_id", flat=True))
    labels = list(batch.groups.order_by("label").values_list("label", flat=True))
    grouping.move(batch, keys[: len(keys) // 20], to=labels[0], actor=admin())
    grouping.move(batch, keys[len(keys) // 20 : len(keys) // 10], to=None, actor=admin())
    grouping.lock(batch, keys[-len(keys) // 20 :], locked=True, actor=admin())
    for label in labels[1:6]:
        grouping.edit_group(batch, label, values={"status": "confirmed"}, actor=admin())
    fixed = dict(batch.batch_images.fixed().values_list("image_id", "group_id"))
    analyse(batch, min_cluster_size=10, min_samples=5)
    analyse(batch, mode="incremental")
    after = dict(batch.batch_images.values_list("image_id", "group_id"))
    moved = sum(after[key] != group for key, group in fixed.items())
    detail = (
        f"{len(fixed)} of {len(after)} images placed, locked or confirmed; two runs were applied after it"
    )
    return Result(NAME, "placed by hand: moved by the machine", moved, "images", 0, "less", detail)


def analyse(batch: Batch, *, mode: str = "full", **parameters: Any) -> tuple[ClusterRun, float]:
    started = time.perf_counter()
    chosen = parse_parameters({"model": "pix_small", **parameters})
    run = submit_analysis(batch, parameters=chosen, mode=mode, activate="always", actor=admin())
    run_until_idle()
    run.refresh_from_db()
    if run.status != ClusterRun.Status.COMPLETED:
        raise RuntimeError(f"Run {run.number} is {run.status}: {run.error_detail}")
    batch.refresh_from_db()
    return run, time.perf_counter() - started


# Pages


def page_rows(small: Batch, large: Batch, requests: int) -> list[Result]:
    page, api = page_client(), api_client()
    doors = (("review page", page, page_urls), ("API", api, api_urls))
    return [
        row
        for title, client, urls_of in doors
        for row in (
            times_row(title, client, large, urls_of(large), requests),
            queries_row(title, client, urls_of(small), urls_of(large)),
        )
    ]


def page_urls(batch: Batch) -> dict[str, str]:
    label, image = sample(batch)
    review = f"/batches/{batch.pk}/review/"
    return {
        "overview": review,
        "worst first": f"{review}?order=worst",
        "group": f"{review}groups/{label}/",
        "unassigned": f"{review}unassigned/",
        "picture": f"{review}images/{image}/",
        "map": f"/batches/{batch.pk}/map/",
    }


def api_urls(batch: Batch) -> dict[str, str]:
    label, _ = sample(batch)
    root = f"/api/batches/{batch.pk}/"
    return {
        "batch": root,
        "groups": f"{root}groups/",
        "images": f"{root}images/?group={label}",
        "suggestions": f"{root}suggestions/?limit=50",
        "changes": f"{root}changes/",
        "map": f"{root}map/",
    }


def sample(batch: Batch) -> tuple[str, Any]:
    """A group with an image of it."""
    member = (
        batch.batch_images.filter(group__isnull=False).select_related("group").order_by("position").first()
    )
    if member is None or member.group is None:
        raise RuntimeError(f"The batch {batch} has no groups.")
    return member.group.label, member.image_id


def times_row(title: str, client: Client, batch: Batch, urls: dict[str, str], requests: int) -> Result:
    """Of all requests together; what was remembered is stale for one in STEP_EVERY, as while somebody works."""
    times: dict[str, list[float]] = {name: [] for name in urls}
    steps = reviewer(batch)
    for name, url in urls.items():
        get(client, url)
        for number in range(requests):
            if number % STEP_EVERY == 0:
                next(steps)
            times[name].append(1000 * get(client, url))
    slowest = max(times, key=lambda name: p95(times[name]))
    everything = [value for values in times.values() for value in values]
    detail = (
        f"p50 {statistics.median(everything):.0f} ms; slowest: {slowest}, p95 {p95(times[slowest]):.0f} ms; "
        f"{len(everything)} requests"
    )
    return Result(NAME, f"{title}: p95", p95(everything), "ms", 300, "less", detail)


def reviewer(batch: Batch) -> Iterator[None]:
    """Moves an image to and fro."""
    label, image = sample(batch)
    for target in itertools.cycle((None, label)):
        grouping.move(batch, [image], to=target, actor=None)
        yield


def p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def queries_row(title: str, client: Client, few: dict[str, str], many: dict[str, str]) -> Result:
    counts = {name: (queries(client, few[name]), queries(client, many[name])) for name in many}
    more = max(large - small for small, large in counts.values())
    detail = ", ".join(f"{name} {small} and {large}" for name, (small, large) in counts.items())
    return Result(NAME, f"{title}: more queries when larger", more, "", 0, "less", detail)


# Exports


def export_rows(small: Batch, large: Batch) -> list[Result]:
    return [row for format in exports.FORMATS for row in export_format(small, large, format)]


def export_format(small: Batch, large: Batch, format: str) -> Iterator[Result]:
    drained(small, format)  # imports, caches
    seconds, byte_size, grown = watched(lambda: drained(large, format))
    count = large.batch_images.count()
    detail = f"{byte_size / 1e6:.1f} MB, {count} images"
    yield Result(NAME, f"export as {format}", seconds, "s", detail=detail)
    if grown is not None:
        yield Result(NAME, f"export as {format}: memory grows by", grown, "MB", 20, "less", detail)


def drained(batch: Batch, format: str) -> int:
    """Read to its end and thrown away, as a server that hands it on does."""
    return sum(len(chunk) for chunk in exports.export(batch, format).chunks)


def watched(call: Callable[[], int]) -> tuple[float, int, float | None]:
    """Seconds, the answer, and by how many megabytes the most memory that it held exceeds what was held before."""
    before = _forget_peak()
    started = time.perf_counter()
    answer = call()
    seconds = time.perf_counter() - started
    return seconds, answer, None if before is None else (_status_kb("VmHWM") - before) / 1024


def _forget_peak() -> int | None:
    """The memory that is held now, from which the peak is counted; None where the system is not Linux."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status_kb("VmRSS")


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
