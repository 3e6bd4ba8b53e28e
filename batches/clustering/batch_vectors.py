"""What an analysis reads: the vectors of a batch's images as one array, in an order that is the same everywhere."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import connection

from processing.algorithms.embedding.embedders import EMBEDDERS

# Read as one array: the driver's own way (pgvector's types and `copy.rows()`) took 1.5 to 4 times the CPU time at
# 20,000 rows of 384 numbers.
# In the order of the hashes of the files: the same images give the same array in every batch and installation.
_COPY = """COPY (
    SELECT i.id, i.sha256::text, e.vector FROM batches_batchimage m
    JOIN images_image i ON i.id = m.image_id
    JOIN images_embedding e ON e.image_id = i.id AND e.model = %s AND e.weights_sha256 = %s
    WHERE m.batch_id = %s AND m.decision <> 'rejected' AND i.status IN ('ready', 'damaged')
    ORDER BY i.sha256 COLLATE "C", i.id) TO STDOUT (FORMAT BINARY)"""
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_SHA_LENGTH = 64


@dataclass(frozen=True, eq=False)
class Vectors:
    """Images that have a vector.

    Attributes:
        image_ids: of the rows.
        sha256s: hashes of the images' files, ascending.
        numbers: float32 (n, dim), of length 1.
    """

    image_ids: list[UUID]
    sha256s: list[str]
    numbers: np.ndarray


def load(batch_id: UUID, *, model: str, weights_sha256: str) -> Vectors:
    """The vectors of the batch's present images that nobody rejected."""
    dim = EMBEDDERS[model].dim
    with (
        connection.cursor() as cursor,
        cursor.copy(_COPY, [model, weights_sha256, batch_id]) as copy,
    ):
        content = b"".join(copy)
    # A row of PostgreSQL's binary COPY: the number of fields (int16), then of each its length and its bytes.
    sizes = np.dtype({"names": ["key", "sha256", "vector"], "formats": [">i4"] * 3, "offsets": [0, 20, 88]})
    row = np.dtype(
        {
            "names": ["lengths", "key", "sha256", "vector"],
            "formats": [sizes, "V16", f"S{_SHA_LENGTH}", (">f4", (dim,))],
            "offsets": [2, 6, 26, 98],
            "itemsize": 98 + 4 * dim,
        }
    )
    rows = np.frombuffer(content[_HEADER_BYTES:-_TRAILER_BYTES], row)
    lengths = [rows["lengths"][name] for name in ("key", "sha256", "vector")]
    right = (16, _SHA_LENGTH, 4 + 4 * dim)  # a vector begins with its dimensions and a spare, int16 each
    if not all((given == one).all() for given, one in zip(lengths, right, strict=True)):
        raise ValueError(f"A row of the batch {batch_id} is not a key, a hash and a vector of {dim} numbers.")
    keys = rows["key"].tobytes()
    return Vectors(
        [UUID(bytes=keys[start : start + 16]) for start in range(0, len(keys), 16)],
        [sha256.decode() for sha256 in rows["sha256"].tolist()],
        rows["vector"].astype(np.float32),
    )
