"""Equal images are a group, whatever lies around them: density alone finds groups only beside other groups."""

from dataclasses import dataclass

import numpy as np

# Of the length of a vector: the same pixels embedded in another batch differ by the rounding of float32.
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Piles:
    """Sets of equal vectors, each the rows of one set, intp (k,)."""

    rows: tuple[np.ndarray, ...]

    def group(self, labels: np.ndarray, *, least: int) -> np.ndarray:
        """Labels in which each pile of at least `least` vectors that was all noise is a group, numbered last.

        Args:
            labels: intp (n,), groups from 0, −1 for noise.
        """
        grouped = labels.copy()
        for rows in self.rows:
            if len(rows) >= least and (grouped[rows] < 0).all():
                grouped[rows] = grouped.max(initial=-1) + 1
        return grouped


def find_piles(points: np.ndarray) -> Piles:
    """The sets of at least two equal vectors, in the order of their first rows.

    Args:
        points: float64 (n, d), from `as_points`.
    """
    direction = np.random.default_rng(0).standard_normal(points.shape[1])
    places = points @ (direction / np.linalg.norm(direction))  # equal vectors lie at equal places
    lengths = np.linalg.norm(points, axis=1)
    order = np.argsort(places, kind="stable")
    reach = _TOLERANCE * lengths[order[1:]]
    chains = np.split(order, np.flatnonzero(np.diff(places[order]) > reach) + 1)
    found: list[np.ndarray] = []
    for chain in chains:
        rest = np.sort(chain)
        while len(rest) > 1:
            distances = np.linalg.norm(points[rest] - points[rest[0]], axis=1)
            is_equal = distances <= _TOLERANCE * lengths[rest[0]]
            if is_equal.sum() > 1:
                found.append(rest[is_equal])
            rest = rest[~is_equal]
    return Piles(tuple(sorted(found, key=lambda rows: int(rows[0]))))
