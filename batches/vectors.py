"""The vectors of a batch's images: whose they are, and reading many of them quickly."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Count

from api.errors import ApiError
from batches.models import Batch
from images import embeddings
from images.models import Embedding
from images.services import PRESENT

_ROWS = """
SELECT m.image_id, vector_send(e.vector) FROM batches_batchimage m
JOIN images_image i ON i.id = m.image_id AND i.status IN ('ready', 'damaged')
JOIN images_embedding e ON e.image_id = m.image_id AND e.model = %s AND e.weights_sha256 = %s
WHERE m.batch_id = %s AND (%s::uuid IS NULL OR m.group_id = %s::uuid) ORDER BY m.position, m.id"""
_HEADER_BYTES = 4  # of pgvector's binary form: dimensions and a spare, int16 each

_STATE = """
SELECT count(*), count(e.id), coalesce(max(e.id), 0),
    coalesce(bit_xor(hashtextextended(concat(m.image_id, m.group_id, e.id), 0)), 0)
FROM batches_batchimage m
JOIN images_image i ON i.id = m.image_id AND i.status IN ('ready', 'damaged')
LEFT JOIN images_embedding e ON e.image_id = m.image_id AND e.model = %s AND e.weights_sha256 = %s
WHERE m.batch_id = %s"""


@dataclass(frozen=True)
class Source:
    """A model and the hash of its weights: only vectors of one source can be compared."""

    model: str
    weights_sha256: str


def source_of(batch: Batch) -> Source | None:
    """Whose vectors speak for a batch: those of the run that grouped it, else of the default embedder.

    Where the run's weights were replaced since and its images embedded anew, those of the same model count. None where
    no image of the batch has a vector of any of these.
    """
    found = Embedding.objects.filter(image__batch_images__batch=batch, image__status__in=PRESENT)
    counts = {
        Source(model, sha256): count
        for model, sha256, count in found.values_list("model", "weights_sha256").annotate(Count("pk"))
    }
    run = batch.active_run
    if run is not None:
        same = [source for source in counts if source.model == run.model]
        if same:
            return max(same, key=lambda source: (counts[source], source.weights_sha256 == run.weights_sha256))
    usual = _default()
    return usual if usual in counts else None


def _default() -> Source | None:
    try:
        spec, sha256 = embeddings.usable()
    except ApiError:  # no embedder is installed
        return None
    return Source(spec.name, sha256)


def state(batch: Batch, source: Source) -> str:
    """Changes whenever an image, a group or a vector of the batch does: the key of what is computed of them."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [source.model, source.weights_sha256, batch.pk])
        parts = [source.weights_sha256[:16], *(str(value) for value in cursor.fetchone())]
    return f"{batch.pk}:{source.model}:{':'.join(parts)}"


def load(batch: Batch, source: Source, *, group_id: UUID | None = None) -> tuple[list[UUID], np.ndarray]:
    """Present images that have a vector (of one group, or of the whole batch), in the batch's order.

    Returns:
        The images, and float32 (n, dim), rows of length 1; n may be 0.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [source.model, source.weights_sha256, batch.pk, group_id, group_id])
        rows = cursor.fetchall()
    if not rows:
        return [], np.zeros((0, 1), np.float32)
    numbers = b"".join(bytes(data)[_HEADER_BYTES:] for _, data in rows)
    return [key for key, _ in rows], np.frombuffer(numbers, ">f4").astype(np.float32).reshape(len(rows), -1)
