"""Pairs of near-duplicates inside a batch: which there can be, and which people have decided."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.core.cache import cache
from django.db import connection

from batches.clustering import vectors
from batches.models import Batch
from images.models import DuplicatePair
from processing.algorithms.duplicates.pairs import Candidates, candidates

CACHED_S = 24 * 3600
Verdict = DuplicatePair.Verdict

_MEMBERS = f"""
SELECT m.image_id, i.phash, e.id FROM batches_batchimage m
CROSS JOIN {vectors.PRESENT} LEFT JOIN {vectors.VECTOR_OF} ON TRUE
WHERE m.batch_id = %s ORDER BY m.position, m.id"""

_DECIDED = """
SELECT p.a_id, p.b_id, p.verdict FROM batches_batchimage m
CROSS JOIN LATERAL (SELECT a_id, b_id, verdict FROM images_duplicatepair d
    WHERE d.a_id = m.image_id AND d.verdict <> 'pending' OFFSET 0) p
WHERE m.batch_id = %s"""


@dataclass(frozen=True, eq=False)
class Pairs:
    """The present images of a batch as rows in its order, and the pairs among them.

    Attributes:
        keys: the images.
        hashes: perceptual hashes, None where one is missing.
        candidates: pairs that some threshold makes near-duplicates, as rows.
        duplicates, apart: intp (k, 2), pairs of which people said that they are the same picture, or that they are not.
        state: differs whenever something of these does.
    """

    keys: Sequence[UUID]
    hashes: Sequence[int | None]
    candidates: Candidates
    duplicates: np.ndarray
    apart: np.ndarray
    state: str

    def links(self) -> list[int]:
        """For each row the first one that people said it is the same picture as, also by way of others."""
        from scipy.sparse import coo_array  # slow imports
        from scipy.sparse.csgraph import connected_components

        count = len(self.keys)
        if not count:
            return []
        graph = coo_array((np.ones(len(self.duplicates)), self.duplicates.T), shape=(count, count))
        _, labels = connected_components(graph, directed=False)
        _, firsts = np.unique(labels, return_index=True)
        rows: list[int] = firsts[labels].tolist()
        return rows


def pairs_of(batch: Batch) -> Pairs:
    """The pairs of a batch as they are now; candidates are kept until an image, a hash or a vector differs."""
    source = vectors.source_of(batch) or vectors.Source("", "")
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [source.model, source.weights_sha256, batch.pk])
        rows = cursor.fetchall()
        cursor.execute(_DECIDED, [batch.pk])
        decided = cursor.fetchall()
    keys, hashes = [row[0] for row in rows], [row[1] for row in rows]
    state = _digest(rows)
    candidates: Candidates | None = cache.get(f"near-pairs:{state}")
    if candidates is None:
        candidates = _candidates(batch, source, keys, hashes)
        cache.set(f"near-pairs:{state}", candidates, CACHED_S)
    places = {key: place for place, key in enumerate(keys)}
    return Pairs(
        keys,
        hashes,
        candidates,
        duplicates=_rows(decided, places, Verdict.DUPLICATE),
        apart=_rows(decided, places, Verdict.NOT_DUPLICATE),
        state=f"{state}:{_digest(sorted(decided))}",
    )


def _digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:32]


def _rows(decided: Sequence[tuple], places: Mapping[UUID, int], verdict: str) -> np.ndarray:
    rows = {
        (places[a], places[b])
        for a, b, decided_as in decided
        if decided_as == verdict and a in places and b in places
    }
    return np.array(sorted(rows), np.intp).reshape(-1, 2)


def _candidates(
    batch: Batch, source: vectors.Source, keys: Sequence[UUID], hashes: Sequence[int | None]
) -> Candidates:
    embedded, matrix = vectors.load(batch, source)
    places = {key: place for place, key in enumerate(keys)}
    rows = [places[key] for key in embedded if key in places]  # an image may have come in between
    all_vectors = np.zeros((len(keys), matrix.shape[1]), np.float32)
    all_vectors[rows] = matrix[[key in places for key in embedded]]
    has_vector = np.zeros(len(keys), bool)
    has_vector[rows] = True
    return candidates(
        np.array([phash or 0 for phash in hashes], np.int64),
        all_vectors if rows else None,
        has_hash=np.array([phash is not None for phash in hashes], bool),
        has_vector=has_vector,
    )
