"""How well groups are parted: the density-based index, on a sample."""

import numpy as np

SAMPLE = 2000
LEAST_PER_GROUP = 5


def validity(points: np.ndarray, labels: np.ndarray, *, seed: int) -> float | None:
    """DBCV, −1 to 1: how much denser groups are inside than between; noise counts against it.

    Computed as `hdbscan.validity.validity_index` (0.8.44) does, on at most about 2,000 vectors: from each group and
    from the noise its share, drawn by the seed, at least 5 of a group. Unlike there, the core distances are summed
    as logarithms: their d-th powers overflow in the hundreds of dimensions that embeddings have.

    Args:
        points: float64 (n, d).
        labels: integers (n,), −1 for noise.

    Returns:
        None where there are fewer than two groups: the index compares groups with each other.

    Source: Moulavi et al., "Density-based clustering validation", SDM 2014.
    """
    groups = int(labels.max(initial=-1)) + 1
    if groups < 2:
        return None
    kept = [_drawn(np.flatnonzero(labels == label), len(labels), seed) for label in range(groups)]
    insides = [_inside(points[rows]) for rows in kept]
    separation = _separations(insides)
    index = 0.0
    for label, (_, _, sparseness) in enumerate(insides):
        nearest = separation[label].min()
        score = (nearest - sparseness) / (max(nearest, sparseness) or 1.0)
        index += np.count_nonzero(labels == label) / len(labels) * score
    return float(index)


def _drawn(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    if count <= SAMPLE:
        return rows
    share = max(LEAST_PER_GROUP, round(SAMPLE * len(rows) / count))
    if share >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, share, replace=False))


def _inside(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Inner points of a group's spanning tree, their core distances, and its longest inner edge.

    One point, which people may make a group of, has no tree and no edge: it lies where it lies.
    """
    from hdbscan.validity import internal_minimum_spanning_tree  # slow imports
    from scipy.spatial.distance import cdist

    if len(points) == 1:
        return points, np.zeros(1), 0.0
    distances = cdist(points, points)
    core = _all_points_core(distances, points.shape[1])
    nodes, edges = internal_minimum_spanning_tree(np.maximum(distances, np.maximum(core, core[:, None])))
    return points[nodes], core[nodes], float(edges[:, 2].max())


def _all_points_core(distances: np.ndarray, dimensions: int) -> np.ndarray:
    """(mean of distance^−d)^(−1/d) over the other points; equal points add nothing, as in the package."""
    with np.errstate(divide="ignore"):
        powers = np.where(distances > 0, -dimensions * np.log(distances), -np.inf)
    largest = powers.max(axis=1)
    if not np.isfinite(largest).all():  # a point without a different one: all are equal
        return np.zeros(len(distances))
    sums = largest + np.log(np.exp(powers - largest[:, None]).sum(axis=1))
    core: np.ndarray = np.exp((np.log(len(distances) - 1) - sums) / dimensions)
    return core


def _separations(insides: list[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """Least mutual reachability between the inner points of every two groups; infinite on the diagonal."""
    from scipy.spatial.distance import cdist  # slow import

    starts = np.cumsum([0, *(len(core) for _, core, _ in insides)])
    core = np.concatenate([core for _, core, _ in insides])
    points = np.concatenate([points for points, _, _ in insides])
    reach = np.maximum(cdist(points, points), np.maximum(core, core[:, None]))
    least = np.minimum.reduceat(np.minimum.reduceat(reach, starts[:-1], axis=0), starts[:-1], axis=1)
    np.fill_diagonal(least, np.inf)
    return least
