"""Grouping of vectors: HDBSCAN, with the labels of the hdbscan package and more than ten times its speed.

The package's own code cuts the groups out of the spanning tree; what takes its time, the tree itself, is computed in
`clustering_tree`. Memory: 4 n² bytes for the distances (400 MB for 10,000 vectors, 1.6 GB for 20,000, the most that
are clustered that way) and about 40 n d for copies of the vectors: 554 MB at the highest for 10,000 × 384.
More vectors, up to 50,000, go through the package on 50 principal components, which takes minutes; the result says so.

Source: Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates", PAKDD 2013;
McInnes, Healy and Astels, "hdbscan: hierarchical density based clustering", JOSS 2017 (package 0.8.44).
"""

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from processing.algorithms.clustering_groups import Groups, assign, describe_groups
from processing.algorithms.clustering_points import ClusterParameters, as_points
from processing.algorithms.clustering_projection import Projection, project
from processing.algorithms.clustering_tree import (
    Progress,
    core_distances,
    matrix_bytes,
    measure,
    spanning_tree,
)
from processing.algorithms.clustering_validity import SAMPLE, validity
from processing.algorithms.errors import InvalidParameter

__all__ = ["ClusterParameters", "Clustering", "Groups", "Labelling", "assign", "cluster", "label_points"]

DENSE_LIMIT = 20_000
LARGEST_COUNT = 50_000
LOW_DIMENSIONS = 60  # up to here the package's "best" is its approximate tree
REDUCED_DIMENSIONS = 50


@dataclass(frozen=True)
class Labelling:
    """Which group each vector is in.

    Attributes:
        labels: intp (n,), groups from 0, −1 for noise.
        probabilities: float64 (n,), strength of membership, 0 for noise, 1 at a group's densest.
        outlier_scores: float64 (n,), GLOSH, 0 to 1, higher for likelier outliers.
        persistence: float64 (g,), stability of the groups, 0 to 1.
        tree: "matrix": exact, from all distances; "package": the hdbscan package's approximate tree; "none": there
            were too few vectors for a group.
        matrix_bytes: size of the distance matrix; 0 where there was none.
        notes: sentences on what a reader of the labels should know.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    outlier_scores: np.ndarray
    persistence: np.ndarray
    tree: str
    matrix_bytes: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Clustering:
    """A labelling with all that is shown and stored about it.

    Attributes:
        labelling, groups, projection: see there; the projection is onto a plane.
        validity: DBCV, −1 to 1, on at most about 2,000 vectors; None for fewer than two groups.
        parameters, seed: what it was asked with. The seed draws the sample for the validity and nothing else.
        versions: of the packages that had a part in it.
    """

    labelling: Labelling
    groups: Groups
    projection: Projection
    validity: float | None
    parameters: ClusterParameters
    seed: int
    versions: dict[str, str]


def cluster(
    vectors: np.ndarray,
    parameters: ClusterParameters | None = None,
    *,
    seed: int = 0,
    dense_limit: int = DENSE_LIMIT,
    progress: Progress | None = None,
) -> Clustering:
    """Group vectors and describe the groups.

    Args:
        vectors: real numbers (n, d), n ≤ 50,000, such as L2-normalised float32 embeddings; no NaN.
        dense_limit: up to how many vectors the distance matrix is made.
        progress: called now and then with a number from 0 to 1, at last with 1.

    The same input gives the same bytes on the same machine; labels and probabilities do not depend on the number of
    threads. Fewer vectors than min_cluster_size are all noise.

    Raises:
        InvalidParameter: unusable vectors, or too many.
    """
    asked = parameters or ClusterParameters()
    points = as_points(vectors, asked.metric)
    labelling = label_points(
        points, asked, dense_limit=dense_limit, progress=_scaled(progress, first=0, last=0.9)
    )
    index = validity(points, labelling.labels, seed=seed)
    groups = describe_groups(points, labelling.labels, asked.metric)
    projection = project(points)
    if progress:
        progress(1.0)
    versions = {name: version(name) for name in ("hdbscan", "numpy", "scikit-learn", "scipy")}
    return Clustering(labelling, groups, projection, index, asked, seed, versions)


def label_points(
    points: np.ndarray,
    parameters: ClusterParameters,
    *,
    dense_limit: int = DENSE_LIMIT,
    progress: Progress | None = None,
) -> Labelling:
    """What `hdbscan.HDBSCAN(...).fit(points)` finds.

    Args:
        points: float64 (n, d), from `as_points`.
    """
    count = len(points)
    if count > LARGEST_COUNT:
        detail = f"vectors: {count} are too many to group; the limit is {LARGEST_COUNT}. Group them in parts."
        raise InvalidParameter(detail, field="vectors")
    if count < parameters.min_cluster_size:
        return _all_noise(count, parameters.min_cluster_size)
    notes = [f"The validity is of a sample of about {SAMPLE} vectors."] if count > SAMPLE else []
    if parameters.min_samples and parameters.neighbours(count) < parameters.min_samples:
        notes.append(f"min_samples is {parameters.neighbours(count)}, as there are {count} vectors only.")
    is_low = points.shape[1] <= LOW_DIMENSIONS and parameters.metric == "euclidean"
    if is_low and parameters.algorithm == "best":
        return _labelled(_package_linkage(points, parameters), parameters, "package", 0, notes)
    if count <= dense_limit:
        linkage = _dense_linkage(points, parameters, progress)
        return _labelled(linkage, parameters, "matrix", matrix_bytes(count), notes)
    reduced = project(points, REDUCED_DIMENSIONS)
    notes.append(_reduction_note(count, points.shape[1], reduced, dense_limit))
    linkage = _package_linkage(reduced.coordinates.astype(np.float64), parameters)
    return _labelled(linkage, parameters, "package", 0, notes)


def _dense_linkage(
    points: np.ndarray, parameters: ClusterParameters, progress: Progress | None
) -> np.ndarray:
    from hdbscan._hdbscan_linkage import label  # slow import

    is_cosine = parameters.metric == "cosine"
    distances = measure(points, is_cosine=is_cosine, progress=_scaled(progress, first=0, last=0.5))
    core = core_distances(distances, parameters.neighbours(len(points)))
    edges = spanning_tree(distances, core, progress=_scaled(progress, first=0.6, last=1))
    # not a stable sort: equal weights have to fall as they do in the package
    linkage: np.ndarray = label(edges[np.argsort(edges.T[2]), :])
    return linkage


def _package_linkage(points: np.ndarray, parameters: ClusterParameters) -> np.ndarray:
    from hdbscan import HDBSCAN  # slow import

    # one job: with more it starts processes, which a worker's subprocess may not
    fitted = HDBSCAN(
        min_cluster_size=parameters.min_cluster_size,
        min_samples=parameters.neighbours(len(points)),
        core_dist_n_jobs=1,
    ).fit(points)
    linkage: np.ndarray = fitted.single_linkage_tree_.to_numpy()
    if parameters.metric == "cosine":
        linkage[:, 2] = linkage[:, 2] ** 2 / 2  # of unit vectors: |a − b|²/2 is 1 − cos, in the same order
    return linkage


def _labelled(
    linkage: np.ndarray, parameters: ClusterParameters, tree: str, size: int, notes: list[str]
) -> Labelling:
    from hdbscan._hdbscan_tree import (  # slow import
        compute_stability,
        condense_tree,
        get_clusters,
        outlier_scores,
    )

    condensed = condense_tree(linkage, parameters.min_cluster_size)
    labels, probabilities, persistence = get_clusters(
        condensed,
        compute_stability(condensed),
        parameters.cluster_selection_method,
        parameters.allow_single_cluster,
        cluster_selection_epsilon=float(parameters.cluster_selection_epsilon),
    )
    scores = np.nan_to_num(outlier_scores(condensed), nan=0.0)  # 0/0 among equal vectors
    return Labelling(labels, probabilities, scores, np.asarray(persistence), tree, size, tuple(notes))


def _all_noise(count: int, least: int) -> Labelling:
    note = f"{count} vectors are too few for a group of at least {least}; all are noise."
    return Labelling(
        np.full(count, -1, np.intp), np.zeros(count), np.zeros(count), np.zeros(0), "none", 0, (note,)
    )


def _reduction_note(count: int, width: int, reduced: Projection, dense_limit: int) -> str:
    kept = 100 * reduced.explained.sum()
    return (
        f"{count} vectors are more than the {dense_limit} that are grouped exactly; these were grouped by their "
        f"first {REDUCED_DIMENSIONS} of {width} principal components, which hold {kept:.0f} % of the variance, with "
        "the hdbscan package's approximate tree."
    )


def _scaled(progress: Progress | None, *, first: float, last: float) -> Progress | None:
    if progress is None:
        return None
    report = progress
    return lambda share: report(first + (last - first) * share)
