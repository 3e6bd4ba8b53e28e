"""What the tests of groupings share: batches whose images have vectors in known heaps, without a network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from batches.clustering import service as analysis
from batches.models import Batch, ClusterRun
from batches.services import create_batch
from images.models import Embedding, Image
from processing import model_availability
from processing.engine.worker import run_until_idle
from tests.factories import make_rows

MODEL = "pix_small"
DIM = 384


def installed() -> str:
    """The hash of the weights that come with Pix."""
    return model_availability.installed_sha256(MODEL)


def heaps(*sizes: int, noise: int = 0, seed: int = 0, spread: float = 0.02) -> np.ndarray:
    """float32 (n, 384), unit vectors: tight heaps far from each other, then scattered ones."""
    dice = np.random.default_rng(seed)
    centres = np.linalg.qr(np.random.default_rng(99).normal(size=(DIM, 40)))[0].T
    parts = [centres[i] + spread * dice.normal(size=(size, DIM)) for i, size in enumerate(sizes)]
    vectors = np.vstack([*parts, dice.normal(size=(noise, DIM))])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def with_vectors(vectors: np.ndarray, images: Sequence[Image] | None = None) -> list[Image]:
    """Images that have these vectors."""
    images = make_rows(len(vectors)) if images is None else list(images)
    sha256 = installed()
    rows = [
        Embedding(image=image, model=MODEL, weights_sha256=sha256, dim=DIM, vector=vector)
        for image, vector in zip(images, vectors, strict=True)
    ]
    Embedding.objects.bulk_create(rows, batch_size=1000)
    return images


def batch_of(images: Sequence[Image], name: str = "Heaps") -> Batch:
    return create_batch(name, owner=None, image_ids=[image.pk for image in images])


def analysed(batch: Batch, **asked: Any) -> ClusterRun:
    """A run of the batch that is done, through the real engine."""
    options = {
        key: asked.pop(key) for key in ("mode", "activate", "actor", "sizes", "samples") if key in asked
    }
    parameters = analysis.parse_parameters({"model": MODEL, **asked})
    run = analysis.submit_analysis(batch, parameters=parameters, **options)
    run_until_idle()
    run.refresh_from_db()
    batch.refresh_from_db()
    return run


def groups_of(batch: Batch) -> dict[str, list[int]]:
    """The places of the images in each group, by its label; "" for those in none."""
    found: dict[str, list[int]] = {}
    for label, position in batch.batch_images.order_by("position").values_list("group__label", "position"):
        found.setdefault(label or "", []).append(position)
    return found
