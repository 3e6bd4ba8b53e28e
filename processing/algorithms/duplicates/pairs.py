"""Which images are the same one again: recoded, resized, slightly cropped, brighter or darker.

The perceptual hash (64 bits, `thumbnails.perceptual_hash`) hardly changes by recoding, resizing and light, but up to 20
bits by a crop, and at 20 bits many different images meet too. There the vectors of an embedder decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from processing.algorithms.errors import InvalidParameter

_BLOCK = 512
MOST_PAIRS = 100_000


@dataclass(frozen=True)
class Rule:
    """When two images count as near-duplicates.

    The defaults come from 600 photographs of clothes and groceries and nine altered copies of 120 of them, with the
    embeddings of MobileNetV2: of recoded, resized, 5 % cropped and 25 % brighter or darker copies 100 % were found
    (86 % by the hash alone), and 3 of 179 700 pairs of different files, all of them shots of the same thing.
    Thresholds for the vectors of other embedders were not measured.

    Attributes:
        sure_bits: at most so many differing bits of the hashes are enough by themselves.
        near_bits: at most so many, where the vectors are near too.
        max_distance: cosine distance of vectors that are near.
    """

    sure_bits: int = 8
    near_bits: int = 20
    max_distance: float = 0.1

    def holds(self, bits: int, distance: float | None) -> bool:
        """Whether two images are near-duplicates.

        Args:
            bits: in which their hashes differ, 0 to 64.
            distance: cosine distance of their vectors, 0 to 2; None where there are none to compare.
        """
        if bits <= self.sure_bits:
            return True
        return distance is not None and bits <= self.near_bits and distance <= self.max_distance


DEFAULT_RULE = Rule()


@dataclass(frozen=True)
class Pair:
    """Two rows that are near-duplicates, the lower one first."""

    first: int
    second: int
    bits: int
    distance: float | None


def find_pairs(
    hashes: np.ndarray, vectors: np.ndarray | None = None, *, rule: Rule = DEFAULT_RULE
) -> Iterator[Pair]:
    """All near-duplicates among images; every pair is compared, N² / 2 of them.

    Args:
        hashes: int64 (N,).
        vectors: float32 (N, dim), rows of length 1, or None.
        rule: what counts.
    """
    unsigned = hashes.astype(np.int64).view(np.uint64)
    for start in range(0, len(unsigned), _BLOCK):
        block = slice(start, start + _BLOCK)
        bits = np.bitwise_count(unsigned[block, None] ^ unsigned[None, start:])
        distances = None if vectors is None else 1 - vectors[block] @ vectors[start:].T
        alike = bits <= rule.sure_bits
        if distances is not None:
            alike |= (bits <= rule.near_bits) & (distances <= rule.max_distance)
        for row, column in np.argwhere(np.triu(alike, 1)):
            distance = None if distances is None else max(0.0, float(distances[row, column]))
            yield Pair(start + int(row), start + int(column), int(bits[row, column]), distance)


# Thresholds for people: a number from 0 to 1, at 0 nearly the same bytes, at 0.5 the default, at 1 the widest.
_STEPS = (0.0, 0.5, 1.0)
_SURE_BITS, _NEAR_BITS, _DISTANCES = (0, 8, 12), (8, 20, 24), (0.02, 0.1, 0.3)
_ROUNDING = 1e-9


def rule_at(threshold: float) -> Rule:
    """The rule of a threshold that people set: each limit lies in proportion between those below.

    | threshold | sure_bits | near_bits | max_distance |
    |---|---|---|---|
    | 0, strict | 0 | 8 | 0.02 |
    | 0.5, the default | 8 | 20 | 0.1 |
    | 1, loose | 12 | 24 | 0.3 |

    A higher threshold keeps all pairs of a lower one. Of 60 photographs with five altered copies each (recoded,
    halved, 5 % cropped, brighter, darker) and the vectors of pix_small, 50, 98 and 100 % of the pairs were found at 0,
    0.5 and 1, and 0, 0 and 85 of different photographs; by the hash alone 43, 74 and 90 %, and 0, 0 and 1.

    Raises:
        InvalidParameter: outside 0 to 1.
    """
    if not 0 <= threshold <= 1:
        detail = f"threshold: must be from 0 (strict) to 1 (loose), not {threshold}."
        raise InvalidParameter(detail, field="threshold")
    sure, near, distance = (
        float(np.interp(threshold, _STEPS, limits)) for limits in (_SURE_BITS, _NEAR_BITS, _DISTANCES)
    )
    return Rule(int(sure + _ROUNDING), int(near + _ROUNDING), distance)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs that a threshold can make near-duplicates, the nearest first; equal ones by their rows.

    Attributes:
        pairs: intp (m, 2), rows, the lower one first.
        bits: uint8 (m,), in which the hashes differ.
        distances: float32 (m,), cosine distances of the vectors; NaN where a vector is missing.
        thresholds: float64 (m,), rising: the least threshold of which the pair passes the rule.
        is_cut: there were more pairs than could be kept; those of the highest thresholds are missing.
    """

    pairs: np.ndarray
    bits: np.ndarray
    distances: np.ndarray
    thresholds: np.ndarray
    is_cut: bool

    def count(self, threshold: float) -> int:
        """How many pairs there are at a threshold; they are the first ones."""
        return int(np.searchsorted(self.thresholds, threshold + _ROUNDING, side="right"))

    def up_to(self, threshold: float) -> np.ndarray:
        """intp (k, 2), the pairs at a threshold, the nearest first."""
        return self.pairs[: self.count(threshold)]


def candidates(
    hashes: np.ndarray,
    vectors: np.ndarray | None = None,
    *,
    has_hash: np.ndarray | None = None,
    has_vector: np.ndarray | None = None,
    most: int = MOST_PAIRS,
) -> Candidates:
    """All pairs that are near-duplicates at some threshold, the widest being 1; N² / 2 are compared.

    Args:
        hashes: int64 (N,); any number where there is none.
        vectors: float32 (N, dim), rows of length 1 (any where there is none), or None.
        has_hash, has_vector: bool (N,); None: all have one. An image without a hash is in no pair, one without
            a vector is compared by its hash alone.
        most: pairs that are kept.

    Memory: about 40 bytes for each of 2 · most pairs, and blocks of 512 × N.

    Raises:
        InvalidParameter: arrays of different lengths, or vectors with numbers that are not finite.
    """
    count = len(hashes)
    hashed, embedded = _mask("has_hash", has_hash, count), _mask("has_vector", has_vector, count)
    if vectors is not None:
        if vectors.ndim != 2 or len(vectors) != count:
            detail = f"vectors: have the shape {vectors.shape} for {count} hashes."
            raise InvalidParameter(detail, field="vectors")
        if len(wrong := np.flatnonzero(embedded & ~np.isfinite(vectors).all(axis=1))):
            detail = f"vectors: {len(wrong)} have numbers that are not finite (first row {wrong[0]}, from 0)."
            raise InvalidParameter(detail, field="vectors")
    unsigned = np.asarray(hashes, np.int64).view(np.uint64)
    kept, is_cut = _Found.none(), False
    for start in range(0, count, _BLOCK):
        block = _block(unsigned, vectors, hashed, embedded, start)
        kept = kept.and_more(block)
        if len(kept.thresholds) > 2 * most:
            kept, is_cut = kept.nearest(most), True
    is_cut |= len(kept.thresholds) > most
    kept = kept.nearest(most)
    return Candidates(kept.pairs, kept.bits, kept.distances, kept.thresholds, is_cut)


@dataclass(frozen=True, eq=False)
class _Found:
    pairs: np.ndarray
    bits: np.ndarray
    distances: np.ndarray
    thresholds: np.ndarray

    @staticmethod
    def none() -> "_Found":
        return _Found(np.empty((0, 2), np.intp), np.empty(0, np.uint8), np.empty(0, np.float32), np.empty(0))

    def and_more(self, other: "_Found") -> "_Found":
        return _Found(
            np.concatenate([self.pairs, other.pairs]),
            np.concatenate([self.bits, other.bits]),
            np.concatenate([self.distances, other.distances]),
            np.concatenate([self.thresholds, other.thresholds]),
        )

    def nearest(self, most: int) -> "_Found":
        order = np.lexsort((self.pairs[:, 1], self.pairs[:, 0], self.thresholds))[:most]
        return _Found(self.pairs[order], self.bits[order], self.distances[order], self.thresholds[order])


def _block(
    unsigned: np.ndarray, vectors: np.ndarray | None, hashed: np.ndarray, embedded: np.ndarray, start: int
) -> _Found:
    """Pairs of the images from `start` on with those after each."""
    rows = slice(start, start + _BLOCK)
    bits = np.bitwise_count(unsigned[rows, None] ^ unsigned[None, start:])
    alike = bits <= _SURE_BITS[-1]
    near = bits <= _NEAR_BITS[-1]
    if vectors is not None:
        cosines = vectors[rows] @ vectors[start:].T
        alike |= near & (cosines >= 1 - _DISTANCES[-1] - _ROUNDING) & embedded[rows, None] & embedded[start:]
    alike &= hashed[rows, None] & hashed[start:]
    first, second = np.nonzero(np.triu(alike, 1))
    distances = np.full(len(first), np.nan, np.float32)
    if vectors is not None:
        both = embedded[start + first] & embedded[start + second]
        distances[both] = np.maximum(0, 1 - cosines[first[both], second[both]])
    differing = bits[first, second]
    pairs = np.column_stack([start + first, start + second])
    return _Found(pairs, differing, distances, _thresholds(differing, distances))


def _thresholds(bits: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The least threshold whose rule holds for each pair."""
    by_hash = np.interp(bits, _SURE_BITS, _STEPS, right=np.inf)
    by_both = np.maximum(
        np.interp(bits, _NEAR_BITS, _STEPS, right=np.inf),
        np.interp(distances.astype(np.float64), _DISTANCES, _STEPS, right=1.0),
    )
    least: np.ndarray = np.fmin(by_hash, by_both)
    return least


def _mask(name: str, given: np.ndarray | None, count: int) -> np.ndarray:
    mask = np.ones(count, bool) if given is None else np.asarray(given, bool)
    if len(mask) != count:
        raise InvalidParameter(f"{name}: has {len(mask)} values for {count} hashes.", field=name)
    return mask
