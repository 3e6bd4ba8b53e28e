"""Splitting one group into its parts, every vector in one of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from processing.algorithms.clustering.cluster import refuse_too_many
from processing.algorithms.clustering.linkage import Linkages, cut
from processing.algorithms.clustering.points import ClusterParameters, Metric, as_points
from processing.algorithms.clustering.projection import project

LARGEST_COUNT = 20_000
LEAST_PART, PARTS_AT_MOST = 3, 12
NEIGHBOURS = 2
MOST_SCATTERED = 0.8
SEEDED_STARTS, ROUNDS = 4, 50
BLOCK_ROWS = 1024

How = Literal["density", "halves", "none"]


@dataclass(frozen=True, eq=False)
class Split:
    """The parts of a group.

    Attributes:
        labels: intp (n,), 0 to parts − 1, each at least once; the largest part is 0, of equally large ones the one
            whose first vector comes first.
        parts: how many; 1 where there was nothing to split, 0 for no vectors.
        how: "density": by HDBSCAN; "halves": into two, since it found no parts; "none": not split.
        note: a sentence for people.
    """

    labels: np.ndarray
    parts: int
    how: How
    note: str


def split_group(vectors: np.ndarray, *, seed: int = 0, metric: Metric = "euclidean") -> Split:
    """Split a group automatically.

    HDBSCAN with small parts allowed (at least 3 vectors and a twelfth of the group) and its finest selection; what it
    leaves as noise goes to the part of the nearest centroid. Where it finds fewer than two parts, or leaves more than
    four fifths as noise, the vectors are parted into two by 2-means instead.

    Args:
        vectors: real numbers (n, d), n ≤ 20,000, no NaN.
        seed: draws further starts of the 2-means; the same input gives the same parts.

    Raises:
        InvalidParameter: unusable vectors, or too many.
    """
    points = as_points(vectors, metric)
    count = len(points)
    refuse_too_many(count, LARGEST_COUNT)
    if count < 2:
        return _whole(
            count, f"{count} images cannot be split." if count == 0 else "One image cannot be split."
        )
    if (points == points[0]).all():
        return _whole(count, f"All {count} images have the same vector; there is nothing to split them by.")
    labels = _by_density(points, metric)
    if labels is not None:
        ordered = _largest_first(labels)
        parts = int(ordered.max()) + 1
        return Split(ordered, parts, "density", f"{count} images were split into {parts} parts.")
    note = f"No distinct parts were found among {count} images, so they were split in two."
    return Split(_largest_first(_halves(points, seed)), 2, "halves", note)


def _whole(count: int, note: str) -> Split:
    return Split(np.zeros(count, np.intp), min(1, count), "none", note)


def _by_density(points: np.ndarray, metric: Metric) -> np.ndarray | None:
    least = max(LEAST_PART, -(-len(points) // PARTS_AT_MOST))
    if len(points) < 2 * least:
        return None
    parameters = ClusterParameters(least, NEIGHBOURS, metric, "leaf", algorithm="exact")
    linkage = Linkages(points, parameters, dense_limit=LARGEST_COUNT).of(parameters.neighbours(len(points)))
    _, labels, _, _ = cut(linkage, parameters)
    groups = int(labels.max(initial=-1)) + 1
    if groups < 2 or np.mean(labels < 0) > MOST_SCATTERED:
        return None
    centroids = np.stack([points[labels == label].mean(axis=0) for label in range(groups)])
    scattered = labels < 0
    nearest, _ = _nearest(points[scattered], centroids)
    parts: np.ndarray = labels.copy()
    parts[scattered] = nearest
    return parts


def _halves(points: np.ndarray, seed: int) -> np.ndarray:
    """2-means (Lloyd): from both sides of the first principal component and from drawn pairs; the tightest wins."""
    points = points - points.mean(axis=0)
    points /= np.abs(points).max()  # squares of very small differences would vanish
    along = project(points, 1).coordinates[:, 0]
    starts = [points[[along.argmin(), along.argmax()]]]
    dice = np.random.default_rng(seed)
    for _ in range(SEEDED_STARTS):
        first = points[dice.integers(len(points))]
        far = _squared(points, first[None])[:, 0]
        starts.append(np.stack([first, points[dice.choice(len(points), p=far / far.sum())]]))
    halves = [_two_means(points, start) for start in starts if (start[0] != start[1]).any()]
    return min(halves, key=lambda result: result[1])[0]


def _two_means(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, float]:
    """Labels and the sum of squares to the centroids; neither half is ever empty."""
    labels, squares = _nearest(points, centroids)
    for _ in range(ROUNDS):
        centroids = np.stack([points[labels == side].mean(axis=0) for side in (0, 1)])
        again, squares_again = _nearest(points, centroids)
        if (again == labels).all() or not 0 < np.count_nonzero(again) < len(points):
            break
        labels, squares = again, squares_again
    return labels, float(squares.sum())


def _nearest(points: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest centroid, intp (m,), and the squared distance to it, float64 (m,)."""
    labels, squares = np.empty(len(points), np.intp), np.empty(len(points))
    for top in range(0, len(points), BLOCK_ROWS):
        part = slice(top, top + BLOCK_ROWS)
        between = _squared(points[part], centroids)
        labels[part] = between.argmin(axis=1)
        squares[part] = between.min(axis=1)
    return labels, squares


def _squared(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist  # slow import

    between: np.ndarray = cdist(points, centroids, "sqeuclidean")
    return between


def _largest_first(labels: np.ndarray) -> np.ndarray:
    _, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    ordered: np.ndarray = place[labels]
    return ordered
