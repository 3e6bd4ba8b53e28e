"""The tree that groups are cut from, one for each number of neighbours; all share one measuring of distances."""

from functools import cached_property

import numpy as np

from processing.algorithms.clustering.points import ClusterParameters
from processing.algorithms.clustering.projection import Projection, project
from processing.algorithms.clustering.tree import (
    Distances,
    Progress,
    core_distances,
    matrix_bytes,
    measure,
    spanning_tree,
)

LOW_DIMENSIONS = 60  # up to here the package's "best" is its approximate tree
REDUCED_DIMENSIONS = 50


class Linkages:
    """Single-linkage trees of one set of points.

    Attributes:
        tree: "matrix": exact, from all distances; "package": the hdbscan package's approximate tree.
        matrix_bytes: size of the distance matrix; 0 where there is none.
        notes: sentences on what a reader of the labels should know.
    """

    def __init__(self, points: np.ndarray, parameters: ClusterParameters, *, dense_limit: int) -> None:
        """Args: points: float64 (n, d), from `as_points`; of the parameters metric and algorithm count."""
        is_low = points.shape[1] <= LOW_DIMENSIONS and parameters.metric == "euclidean"
        is_package = is_low and parameters.algorithm == "best"
        self._points, self._is_cosine = points, parameters.metric == "cosine"
        self._is_reduced = not is_package and len(points) > dense_limit
        self._dense_limit = dense_limit
        self._distances: Distances | None = None
        self.tree = "package" if is_package or self._is_reduced else "matrix"
        self.matrix_bytes = matrix_bytes(len(points)) if self.tree == "matrix" else 0

    @property
    def notes(self) -> tuple[str, ...]:
        return (self._reduction_note(self._reduced),) if self._is_reduced else ()

    def measure(self, progress: Progress | None = None) -> Distances:
        """The distances that exact trees are made from, computed at the first call; progress goes from 0 to 1."""
        if self._distances is None:
            self._distances = measure(self._points, is_cosine=self._is_cosine, progress=progress)
        return self._distances

    def of(self, neighbours: int, *, progress: Progress | None = None) -> np.ndarray:
        """float64 (n − 1, 4), as `scipy.cluster.hierarchy` and the package write it; n ≥ 2.

        Args:
            neighbours: over which a core distance reaches, 1 to n − 1.
            progress: called with 0 to 1.
        """
        if self.tree == "package":
            return self._by_package(neighbours)
        from hdbscan._hdbscan_linkage import label  # slow import

        distances = self.measure(scaled(progress, first=0, last=0.5))
        core = core_distances(distances, neighbours)
        edges = spanning_tree(distances, core, progress=scaled(progress, first=0.6, last=1))
        # not a stable sort: equal weights have to fall as they do in the package
        linkage: np.ndarray = label(edges[np.argsort(edges.T[2]), :])
        return linkage

    def _by_package(self, neighbours: int) -> np.ndarray:
        from hdbscan import HDBSCAN  # slow import

        points = self._reduced.coordinates.astype(np.float64) if self._is_reduced else self._points
        # one job: with more it starts processes, which a worker's subprocess may not
        fitted = HDBSCAN(min_cluster_size=2, min_samples=neighbours, core_dist_n_jobs=1).fit(points)
        linkage: np.ndarray = fitted.single_linkage_tree_.to_numpy()
        if self._is_cosine:
            linkage[:, 2] = (
                linkage[:, 2] ** 2 / 2
            )  # of unit vectors: |a − b|²/2 is 1 − cos, in the same order
        return linkage

    @cached_property
    def _reduced(self) -> Projection:
        return project(self._points, REDUCED_DIMENSIONS)

    def _reduction_note(self, reduced: Projection) -> str:
        count, width = self._points.shape
        kept = 100 * reduced.explained.sum()
        return (
            f"{count} vectors are more than the {self._dense_limit} that are grouped exactly; these were grouped by "
            f"their first {REDUCED_DIMENSIONS} of {width} principal components, which hold {kept:.0f} % of the "
            "variance, with the hdbscan package's approximate tree."
        )


def cut(
    linkage: np.ndarray, parameters: ClusterParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The groups in a tree, by the package's own code.

    Args:
        linkage: from `Linkages.of`.

    Returns:
        The condensed tree, labels intp (n,), probabilities float64 (n,), persistence float64 (g,).
    """
    from hdbscan._hdbscan_tree import compute_stability, condense_tree, get_clusters  # slow import

    condensed = condense_tree(linkage, parameters.min_cluster_size)
    labels, probabilities, persistence = get_clusters(
        condensed,
        compute_stability(condensed),
        parameters.cluster_selection_method,
        parameters.allow_single_cluster,
        cluster_selection_epsilon=float(parameters.cluster_selection_epsilon),
    )
    return condensed, labels, probabilities, np.asarray(persistence)


def scaled(progress: Progress | None, *, first: float, last: float) -> Progress | None:
    """A callback for a part of the work: its 0 to 1 is first to last of the whole."""
    if progress is None:
        return None
    report = progress
    return lambda share: report(first + (last - first) * share)
