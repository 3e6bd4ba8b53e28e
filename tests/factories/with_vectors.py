"""Batches whose images have vectors, for tests of what is computed from them."""

import numpy as np

from batches.groups import operations as grouping
from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import Embedding
from images.vectors import embeddings
from tests.factories import make_rows


def unit_rows(rows: np.ndarray, *, dim: int = 384) -> np.ndarray:
    """float32 (n, dim), of length 1, that begin with these numbers."""
    vectors = np.zeros((len(rows), dim), np.float32)
    vectors[:, : rows.shape[1]] = rows
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def blobs(*sizes: int, spread: float = 0.3, seed: int = 0, dim: int = 384) -> np.ndarray:
    """Gatherings of vectors around the axes, one after the other."""
    dice = np.random.default_rng(seed)
    parts = []
    for axis, size in enumerate(sizes):
        part = dice.normal(0, spread / np.sqrt(dim), (size, dim))
        part[:, axis] += 1
        parts.append(part)
    return unit_rows(np.concatenate(parts), dim=dim)


def make_batch(vectors: np.ndarray, *, name: str = "Vectors") -> Batch:
    """A batch of images without files that have these vectors, in their order; none is in a group."""
    batch = create_batch(name, owner=None)
    keys = [row.pk for row in make_rows(len(vectors))]
    add_images(batch, keys, actor=None)
    give_vectors(keys, vectors)
    return batch


def give_vectors(keys: list, vectors: np.ndarray) -> None:
    spec, sha256 = embeddings.usable()
    rows = [
        Embedding(image_id=key, model=spec.name, weights_sha256=sha256, dim=vectors.shape[1], vector=vector)
        for key, vector in zip(keys, vectors, strict=True)
    ]
    Embedding.objects.bulk_create(rows, batch_size=500)


def keys_of(batch: Batch) -> list:
    """The images, in the batch's order."""
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def group_rows(batch: Batch, **rows: range) -> dict:
    """Make groups of images by their places, as a machine does; answers name to group."""
    keys = keys_of(batch)
    made = {}
    for name, places in rows.items():
        chosen = [keys[place] for place in places]
        made[name] = grouping.create_group(batch, name=name, image_ids=chosen, actor=None).group
        batch.batch_images.filter(image__in=chosen).update(assigned_by="auto")
    return made
