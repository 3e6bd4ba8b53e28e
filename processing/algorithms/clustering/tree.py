"""The minimum spanning tree of mutual reachability, equal to the hdbscan package's to the last bit.

The package computes all n²/2 distances one by one in float64. Here a matrix product computes them all at once, a
little less exactly, into a float32 matrix with known error bounds. Core distances and Prim's pass read that matrix
and compute a distance in the package's own arithmetic only where the matrix leaves a comparison open, so every
decision, ties included, falls as in the package, whatever the number of threads.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

Progress = Callable[[float], None]

TILE = 1024  # a tile of float64, 8 MB, stays in the cache between product and matrix
BLOCK_ROWS = 256
PAIRS_AT_ONCE = 1 << 21  # numbers of a temporary array of pairwise differences: 16 MB
STEPS_PER_REPORT = 256
MOST_THREADS = 8


@dataclass(frozen=True)
class Distances:
    """Points with the matrix of their distances.

    Attributes:
        points: float64 (n, d), C-contiguous.
        is_cosine: distances are ½|a − b|² of unit vectors, which is 1 − cos, instead of |a − b|.
        squared: float32 (n, n), |a − b|² in units of `scale`², off by at most `relative` of itself + `absolute`.
        scale: the largest distance of a point from the mean of all.
        relative, absolute: twice the bound, since a comparison meets the errors of two numbers.
    """

    points: np.ndarray
    is_cosine: bool
    squared: np.ndarray
    scale: float
    relative: float
    absolute: float

    def above(self, squared: np.ndarray) -> np.ndarray:
        """Up to where another entry may truly be as small as these."""
        return squared * np.float32(1 + self.relative) + np.float32(self.absolute)

    def below(self, squared: np.ndarray) -> np.ndarray:
        """Down to where another entry may truly be as large as these."""
        return squared * np.float32(1 - self.relative) - np.float32(self.absolute)

    def exact(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """float64 distances of the pairs, summed from the first dimension to the last as the package does.

        The sums are bit-equal to the C loops of scikit-learn and hdbscan on x86-64; NumPy's own sums are pairwise.
        """
        distances = np.empty(len(rows))
        step = max(1, PAIRS_AT_ONCE // self.points.shape[1])
        for first in range(0, len(rows), step):
            part = slice(first, first + step)
            differences = self.points[rows[part]] - self.points[columns[part]]
            differences *= differences
            distances[part] = np.cumsum(differences, axis=1, out=differences)[:, -1]
        return distances / 2 if self.is_cosine else np.sqrt(distances)

    def squared_of(self, exact: np.ndarray) -> np.ndarray:
        """Exact distances in the units of the matrix, float32."""
        squared = 2 * exact if self.is_cosine else exact * exact
        return (squared / self.scale**2).astype(np.float32)


def matrix_bytes(count: int) -> int:
    """Memory that `measure` takes for so many points; the rest of a clustering is small beside it."""
    return 4 * count * count


def measure(points: np.ndarray, *, is_cosine: bool, progress: Progress | None = None) -> Distances:
    """Compute all distances by matrix products.

    Args:
        points: float64 (n, d), finite, magnitudes below 1e100; of unit length for cosine distances.
        progress: called with 0 to 1.

    Error bound: with u = 2⁻⁵³, R = 1 the largest norm and any order of summation, |x|² + |y|² − 2xy is off by less
    than 4(d + 4)u (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §3.1); float32 adds 2⁻²⁴ of the value.
    """
    count, dimensions = points.shape
    centred = points - points.mean(axis=0)
    scale = float(np.sqrt(np.einsum("ij,ij->i", centred, centred).max())) or 1.0
    centred /= scale
    norms = np.einsum("ij,ij->i", centred, centred)
    doubled, squared = -2 * centred, np.empty((count, count), np.float32)

    def fill(top: int) -> None:
        rows = slice(top, top + TILE)
        for left in range(top, count, TILE):
            columns = slice(left, left + TILE)
            product = doubled[rows] @ centred[columns].T
            product += norms[rows, None]
            product += norms[columns]
            tile = squared[rows, columns]
            np.maximum(product, 0, out=tile, casting="same_kind")
            squared[columns, rows] = tile.T

    for top in _side_by_side(fill, range(0, count, TILE)):
        if progress:
            progress(1 - max(0, 1 - (top + TILE) / count) ** 2)
    np.fill_diagonal(squared, 0)
    absolute = 2 * 4 * (dimensions + 4) * 2.0**-53
    return Distances(np.ascontiguousarray(points), is_cosine, squared, scale, 2.0**-22, absolute)


def core_distances(distances: Distances, neighbours: int) -> np.ndarray:
    """float64 (n,): distance of every point to its k-th neighbour, itself not counted; 1 ≤ k < n."""
    count = len(distances.squared)
    same = _first_equal(distances.points)
    cores = np.empty(count)

    def fill(top: int) -> None:
        block = distances.squared[top : top + BLOCK_ROWS]
        cores[top : top + BLOCK_ROWS] = _core_of_rows(distances, block, top, neighbours, same)

    for _ in _side_by_side(fill, range(0, count, BLOCK_ROWS)):
        pass
    return cores


def _side_by_side(work: Callable[[int], None], starts: range) -> Iterator[int]:
    """Do the parts in threads, one to a core, and give the start of each when it is done, in order.

    Each part multiplies in its own thread alone: BLAS's threads wait for each other within every product, which on
    a busy machine took four times as long.
    """
    from threadpoolctl import threadpool_limits  # slow import

    def part(start: int) -> int:
        work(start)
        return start

    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool,
    ):
        yield from pool.map(part, starts)


def _core_of_rows(
    distances: Distances, block: np.ndarray, top: int, neighbours: int, same: np.ndarray
) -> np.ndarray:
    kth = np.partition(block, neighbours, axis=1)[:, neighbours, None]
    is_nearer = block < distances.below(kth)
    is_open = block <= distances.above(kth)
    is_open &= ~is_nearer
    rows, columns = np.divmod(np.flatnonzero(is_open), len(same))  # np.nonzero of a matrix is much slower
    # equal points are measured once: with thousands of them the open pairs would be millions
    pairs, places = np.unique((rows + top) * len(same) + same[columns], return_inverse=True)
    values = distances.exact(*np.divmod(pairs, len(same)))[places]
    order = np.lexsort((values, rows))
    starts = np.searchsorted(rows, np.arange(len(block)))
    kth_exact: np.ndarray = values[order][starts + neighbours - np.count_nonzero(is_nearer, axis=1)]
    return kth_exact


def _first_equal(points: np.ndarray) -> np.ndarray:
    """For each point the index of the first point that is equal to it."""
    rows = np.ascontiguousarray(points + 0.0)  # −0 becomes 0
    as_bytes = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    return first[inverse]


def spanning_tree(distances: Distances, core: np.ndarray, *, progress: Progress | None = None) -> np.ndarray:
    """Prim's algorithm over mutual reachability max(core a, core b, distance), from point 0.

    Args:
        core: float64 (n,), from `core_distances`.
        progress: called with 0 to 1.

    Returns:
        float64 (n − 1, 3): point in the tree, new point, weight, in the order of their joining. Among equally near
        points the one of the lowest index joins first, by the edge found first: as `mst_linkage_core_vector` of
        hdbscan 0.8.44 does it, so that the tree built on the edges is the same.
    """
    frontier = _Frontier(distances, core)
    edges = np.empty((len(core) - 1, 3))
    current = 0
    for step in range(len(edges)):
        frontier.join(current)
        current = frontier.nearest()
        edges[step] = frontier.source[current], current, frontier.exact[current]
        if progress and step % STEPS_PER_REPORT == 0:
            progress(step / len(edges))
    return edges


class _Frontier:
    """What Prim's pass knows of the points outside the tree.

    `near` is the squared mutual reachability to the tree with the matrix's error, `source` the tree's end of that
    edge, `exact` its exact weight or NaN while nobody asked. `bar` is what a matrix entry must lie under to be
    looked at: −1 where nothing can improve, because the point's own core distance is reached or it has joined.
    """

    def __init__(self, distances: Distances, core: np.ndarray) -> None:
        self.distances, self.core = distances, core
        self.core_squared = distances.squared_of(core)
        self.near = np.full(len(core), np.inf, np.float32)
        self.bar = self.near.copy()
        self.exact = np.full(len(core), np.nan)
        self.source = np.zeros(len(core), np.intp)

    def join(self, node: int) -> None:
        """Take a point into the tree and offer its edges to the others."""
        self.near[node], self.bar[node] = np.inf, -1
        row = self.distances.squared[node]
        points = np.flatnonzero(row < self.bar)
        if not len(points):
            return
        floor = np.maximum(self.core_squared[points], self.core_squared[node])
        offered = np.maximum(row[points], floor)
        # where a core distance decides beyond doubt, the weight is known without measuring
        is_floor = self.distances.above(row[points]) < floor
        weight = np.where(is_floor, np.maximum(self.core[points], self.core[node]), np.nan)
        is_nearer = offered < self.distances.below(self.near[points])
        is_open = ~is_nearer & (offered < self.bar[points])
        if is_open.any():
            weight[is_open] = self._settle(node, points[is_open], weight[is_open])
            is_nearer[is_open] = weight[is_open] < self._weights(points[is_open])
        self._move(points[is_nearer], node, offered[is_nearer], weight[is_nearer])

    def nearest(self) -> int:
        """The point outside the tree that is nearest to it; its exact weight is known afterwards."""
        limit = self.distances.above(self.near.min())
        points = np.flatnonzero(self.near <= limit)
        return int(points[np.argmin(self._weights(points))])

    def _weights(self, points: np.ndarray) -> np.ndarray:
        """Exact weights of the points' present edges."""
        unknown = points[np.isnan(self.exact[points])]
        if len(unknown):
            self.exact[unknown] = self._measured(self.source[unknown], unknown)
            self.bar[unknown[self.exact[unknown] == self.core[unknown]]] = -1
        weights: np.ndarray = self.exact[points]
        return weights

    def _settle(self, node: int, points: np.ndarray, weight: np.ndarray) -> np.ndarray:
        unknown = np.isnan(weight)
        weight[unknown] = self._measured(np.full(np.count_nonzero(unknown), node), points[unknown])
        return weight

    def _measured(self, sources: np.ndarray, points: np.ndarray) -> np.ndarray:
        between = self.distances.exact(sources, points)
        weights: np.ndarray = np.maximum(between, np.maximum(self.core[sources], self.core[points]))
        return weights

    def _move(self, points: np.ndarray, node: int, offered: np.ndarray, weight: np.ndarray) -> None:
        self.near[points], self.exact[points], self.source[points] = offered, weight, node
        self.bar[points] = np.where(weight == self.core[points], -1, self.distances.above(offered))
