"""More like this: the images whose vectors point the same way, found by an index and ranked exactly."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Cast
from pgvector import HalfVector
from pgvector.django import CosineDistance, HalfVectorField, VectorField

from images.models import Embedding, Image

MAX_LIMIT = 100
# Candidates that the index gives for each image wanted: its distances are of half precision and its search is
# approximate, so that more of them are taken and ranked by the float32 vectors. Measured by the bench row `similarity`.
CANDIDATES_PER_RESULT = 4
MIN_CANDIDATES = 60
SEARCH_WIDTH = 100  # pgvector's hnsw.ef_search; 40 by default
# A part of the library is compared as a whole up to this size: exact, and quicker than to search past the rest.
EXACT_UP_TO = 20_000


@dataclass(frozen=True)
class Neighbour:
    """An image and its cosine distance, 0 (same direction) to 2."""

    image_id: UUID
    distance: float


def nearest(
    vector: np.ndarray,
    vectors: QuerySet[Embedding],
    *,
    limit: int,
    max_distance: float | None = None,
    within: QuerySet[Image] | None = None,
    exclude: Iterable[UUID] = (),
) -> list[Neighbour]:
    """The images nearest to a vector, the nearest first.

    Args:
        vector: float32 (dim,), of length 1.
        vectors: those of one model and one file of weights (see `embeddings.of_model`).
        limit: how many at most.
        max_distance: none that is farther.
        within: only these images.
        exclude: not these images.
    """
    candidates = vectors.filter(image__status=Image.Status.READY).exclude(image_id__in=list(exclude))
    if within is not None:
        candidates = candidates.filter(image__in=within)
    if within is not None and within.count() <= EXACT_UP_TO:
        ranked = candidates.order_by(_exact(vector), "image_id").values_list("image_id", _exact(vector))
        rows = [Neighbour(*row) for row in ranked[:limit]]
    else:
        count = max(MIN_CANDIDATES, CANDIDATES_PER_RESULT * limit)
        rows = _by_index(candidates, vector, count=count)
    return [row for row in rows if max_distance is None or row.distance <= max_distance][:limit]


def _by_index(embeddings: QuerySet[Embedding], vector: np.ndarray, *, count: int) -> list[Neighbour]:
    candidates = by_index(embeddings, vector).values_list("image_id", _exact(vector))[:count]
    with transaction.atomic():
        with connection.cursor() as cursor:
            # For this transaction: more candidates, and on with the search where filters leave too few of them.
            cursor.execute(
                "SELECT set_config('hnsw.ef_search', %s, true),"
                " set_config('hnsw.iterative_scan', 'relaxed_order', true)",
                [str(SEARCH_WIDTH)],
            )
        rows = [Neighbour(*row) for row in candidates]
    return sorted(rows, key=lambda row: (row.distance, row.image_id))


def by_index(candidates: QuerySet[Embedding], vector: np.ndarray) -> QuerySet[Embedding]:
    """In the order of the index of the vectors' model."""
    halved = Cast("vector", HalfVectorField(dimensions=len(vector)))
    return candidates.order_by(CosineDistance(halved, HalfVector(vector)))


def _exact(vector: np.ndarray) -> CosineDistance:
    return CosineDistance(Cast("vector", VectorField(dimensions=len(vector))), vector)
