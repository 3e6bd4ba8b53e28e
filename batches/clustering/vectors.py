"""The vectors of a batch's images: whose they are, and reading many of them quickly."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import connection

from api.core.errors import ApiError
from batches.models import Batch
from images.vectors import embeddings

# Looked up by their unique indexes, one row for each member, whatever the planner believes: after thousands of new rows
# its statistics are old, and it read all vectors of the model once for every image (13 s for 5 000).
PRESENT = """LATERAL (SELECT p.phash FROM images_image p
    WHERE p.id = m.image_id AND p.status IN ('ready', 'damaged') LIMIT 1) i"""
VECTOR_OF = """LATERAL (SELECT v.id, v.vector FROM images_embedding v
    WHERE v.image_id = m.image_id AND v.model = %s AND v.weights_sha256 = %s LIMIT 1) e"""

_SOURCES = """
SELECT e.model, e.weights_sha256, count(*) FROM batches_batchimage m
CROSS JOIN LATERAL (SELECT v.model, v.weights_sha256 FROM images_embedding v
    WHERE v.image_id = m.image_id OFFSET 0) e
WHERE m.batch_id = %s GROUP BY e.model, e.weights_sha256"""

_ROWS = f"""
SELECT m.image_id, vector_send(e.vector) FROM batches_batchimage m
CROSS JOIN {PRESENT} CROSS JOIN {VECTOR_OF}
WHERE m.batch_id = %s AND (%s::uuid IS NULL OR m.group_id = %s::uuid) ORDER BY m.position, m.id"""
_HEADER_BYTES = 4  # of pgvector's binary form: dimensions and a spare, int16 each

_STATE = f"""
SELECT count(*), count(e.id), coalesce(max(e.id), 0),
    coalesce(bit_xor(hashtextextended(concat(m.image_id, m.group_id, e.id), 0)), 0)
FROM batches_batchimage m CROSS JOIN {PRESENT} LEFT JOIN {VECTOR_OF} ON TRUE
WHERE m.batch_id = %s"""


@dataclass(frozen=True)
class Source:
    """A model and the hash of its weights: only vectors of one source can be compared."""

    model: str
    weights_sha256: str


def source_of(batch: Batch) -> Source | None:
    """The source of a batch's vectors: that of the run that grouped it, else of the default embedder.

    Where the run's weights were replaced since and its images embedded anew, those of the same model count. None where
    no image of the batch has a vector of any of these.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, [batch.pk])
        counts = {Source(model, sha256): count for model, sha256, count in cursor.fetchall()}
    run = batch.active_run
    if run is not None:
        same = [source for source in counts if source.model == run.model]
        if same:
            return max(same, key=lambda source: (counts[source], source.weights_sha256 == run.weights_sha256))
    try:
        spec, sha256 = embeddings.usable()
    except ApiError:  # no embedder is installed
        return None
    usual = Source(spec.name, sha256)
    return usual if usual in counts else None


def state(batch: Batch, source: Source) -> str:
    """Changes whenever an image, a group or a vector of the batch does: the key of what is computed of them."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [source.model, source.weights_sha256, batch.pk])
        parts = [source.weights_sha256[:16], *(str(value) for value in cursor.fetchone())]
    return f"{batch.pk}:{source.model}:{':'.join(parts)}"


@dataclass(frozen=True)
class EmbeddingState:
    """The source of a batch's vectors, and the cache key of what is computed from them; costs a row an image."""

    source: Source | None
    key: str = ""


def embedding_state(batch: Batch) -> EmbeddingState:
    """A request that needs several figures of a batch reads this once and passes it on."""
    source = source_of(batch)
    return EmbeddingState(None) if source is None else EmbeddingState(source, state(batch, source))


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
