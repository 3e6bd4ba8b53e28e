"""Which pictures are the same one again: recoded, resized, slightly cropped, brighter or darker.

The perceptual hash (64 bits, `thumbnails.perceptual_hash`) hardly changes by recoding, resizing and light, but up to 20
bits by a crop, and at 20 bits many different pictures meet too. There the vectors of an embedder decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_BLOCK = 512


@dataclass(frozen=True)
class Rule:
    """When two pictures count as near-duplicates.

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
        """Whether two pictures are near-duplicates.

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
    """All near-duplicates among pictures; every pair is compared, N² / 2 of them.

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
