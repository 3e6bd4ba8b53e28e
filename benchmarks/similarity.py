"""More like this among 10 000 vectors, through the API: how long it takes and how many of the nearest it finds."""

import hashlib
import os
import random
import statistics
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import connection
from django.test import Client

from benchmarks.harness.http import api_client
from benchmarks.harness.results import Result
from benchmarks.lists import add_images, get
from images.models import Embedding, Image
from images.vectors import embeddings, similarity
from ml_models import weights

NAME = "similarity"
MODEL, DIM = "pix_small", 384
COUNT, NEAREST = 10_000, 10
CENTRES, SPREAD = (
    400,
    0.7,
)  # groups of about 25 like pictures, as far apart within as photographs of one thing
SEED = 7
MANIFEST = """[{model}]
family = "embedding"
title = "vectors without a network"
file = "vectors.safetensors"
byte_size = {size}
sha256 = "{sha256}"
licence = "none"
input = "none"
version = "bench"
"""


def measure(*, is_quick: bool) -> list[Result]:
    count, requests = (1_000, 20) if is_quick else (COUNT, 200)
    sha256 = pretend_model(Path(os.environ["PIX_DATA_DIR"]))
    add_images(0, count)
    images = list(Image.objects.order_by("pk"))
    vectors = like_pictures(count)
    store(images, vectors, sha256)
    places = random.Random(SEED).sample(range(count), requests)
    times = timed(api_client(), [images[i] for i in places])
    recall = statistics.fmean(found_share(images, vectors, i) for i in places)
    detail = (
        f"p50 {statistics.median(times):.0f} ms, {requests} requests, {count} × {DIM}, 20 images answered"
    )
    exact = exact_ms(vectors, places)
    return [
        Result(NAME, "similar images, p95", p95(times), "ms", 30, "less", detail),
        Result(NAME, "recall at 10", recall, "", 0.98, detail="of the exact nearest by float32"),
        Result(NAME, "the exact search by NumPy alone", exact, "ms", better="less"),
    ]


def pretend_model(folder: Path) -> str:
    """Let one model be installed whose file is only ever hashed: vectors are compared here, none is made."""
    path = folder / "vectors.safetensors"
    path.write_bytes(b"bench")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    weights.MANIFEST = folder / "weights.toml"
    weights.MANIFEST.write_text(MANIFEST.format(model=MODEL, size=path.stat().st_size, sha256=sha256))
    weights.entries.cache_clear()
    settings.ML_MODELS_DIR, settings.DEFAULT_EMBEDDER = folder, MODEL
    return sha256


def like_pictures(count: int) -> np.ndarray:
    """Vectors in groups, float32 (count, DIM), rows of length 1."""
    dice = np.random.default_rng(SEED)
    centres = dice.normal(size=(CENTRES, DIM))
    vectors = centres[dice.integers(0, CENTRES, count)] + SPREAD * dice.normal(size=(count, DIM))
    result: np.ndarray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return result


def store(images: list[Image], vectors: np.ndarray, sha256: str) -> None:
    rows = (
        Embedding(image=image, model=MODEL, weights_sha256=sha256, dim=DIM, vector=vector)
        for image, vector in zip(images, vectors, strict=True)
    )
    Embedding.objects.bulk_create(rows, batch_size=500)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def timed(client: Client, images: list[Image]) -> list[float]:
    urls = [f"/api/images/{image.pk}/similar/" for image in images]
    get(client, urls[0])
    return [1000 * get(client, url) for url in urls]


def found_share(images: list[Image], vectors: np.ndarray, place: int) -> float:
    exact = np.argsort(-(vectors @ vectors[place]))[: NEAREST + 1]
    expected = {images[i].pk for i in exact if i != place}
    near = similarity.nearest(
        vectors[place], embeddings.of_model(MODEL), limit=NEAREST, exclude=[images[place].pk]
    )
    return len(expected & {neighbour.image_id for neighbour in near}) / NEAREST


def exact_ms(vectors: np.ndarray, places: list[int]) -> float:
    from time import perf_counter

    started = perf_counter()
    for place in places:
        np.argpartition(-(vectors @ vectors[place]), NEAREST)
    return 1000 * (perf_counter() - started) / len(places)


def p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]
