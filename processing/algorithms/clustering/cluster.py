"""Grouping of vectors: HDBSCAN, with the labels of the hdbscan package and more than ten times its speed.

The package's own code cuts the groups out of the spanning tree; what takes its time, the tree itself, is computed in
`clustering_tree`. Memory: 4 n² bytes for the distances (400 MB for 10,000 vectors, 1.6 GB for 20,000, the most that
are clustered that way) and about 40 n d for copies of the vectors: 554 MB at the highest for 10,000 × 384.
More vectors, up to 50,000, go through the package on 50 principal components, which takes minutes; the result says so.

Source: Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates", PAKDD 2013;
McInnes, Healy and Astels, "hdbscan: hierarchical density based clustering", JOSS 2017 (package 0.8.44).
"""

from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from processing.algorithms.clustering.groups import Groups, assign, describe_groups
from processing.algorithms.clustering.linkage import Linkages, cut, scaled
from processing.algorithms.clustering.piles import find_piles
from processing.algorithms.clustering.points import ClusterParameters, as_points
from processing.algorithms.clustering.projection import Projection, project
from processing.algorithms.clustering.tree import Progress
from processing.algorithms.clustering.validity import SAMPLE, validity
from processing.algorithms.errors import InvalidParameter

__all__ = ["ClusterParameters", "Clustering", "Groups", "Labelling", "assign", "cluster", "label_points"]

DENSE_LIMIT = 20_000
LARGEST_COUNT = 50_000


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
    given = parameters or ClusterParameters()
    points = as_points(vectors, given.metric)
    labelling = label_points(
        points, given, dense_limit=dense_limit, progress=scaled(progress, first=0, last=0.9)
    )
    index = validity(points, labelling.labels, seed=seed)
    groups = describe_groups(points, labelling.labels, given.metric)
    projection = project(points)
    if progress:
        progress(1.0)
    versions = {name: version(name) for name in ("hdbscan", "numpy", "scikit-learn", "scipy")}
    return Clustering(labelling, groups, projection, index, given, seed, versions)


def label_points(
    points: np.ndarray,
    parameters: ClusterParameters,
    *,
    dense_limit: int = DENSE_LIMIT,
    progress: Progress | None = None,
) -> Labelling:
    """What `hdbscan.HDBSCAN(...).fit(points)` finds, and piles of equal vectors, where they are in no group.

    Args:
        points: float64 (n, d), from `as_points`.
    """
    from hdbscan._hdbscan_tree import outlier_scores  # slow import

    count = len(points)
    refuse_too_many(count)
    if count < parameters.min_cluster_size:
        return _all_noise(count, parameters.min_cluster_size)
    notes = [f"The validity was computed from a sample of about {SAMPLE:,} images."] if count > SAMPLE else []
    if parameters.min_samples and parameters.neighbours(count) < parameters.min_samples:
        notes.append(
            f"The number of neighbours was reduced to {parameters.neighbours(count)} as there are only {count} images."
        )
    linkages = Linkages(points, parameters, dense_limit=dense_limit)
    linkage = linkages.of(parameters.neighbours(count), progress=progress)
    condensed, labels, probabilities, persistence = cut(linkage, parameters)
    scores = np.nan_to_num(outlier_scores(condensed), nan=0.0)  # 0/0 among equal vectors
    groups = labels.max(initial=-1) + 1
    labels = find_piles(points).group(labels, least=parameters.min_cluster_size)
    is_pile = labels >= groups
    probabilities, scores = np.where(is_pile, 1.0, probabilities), np.where(is_pile, 0.0, scores)
    persistence = np.append(persistence, np.ones(labels.max(initial=-1) + 1 - groups))
    if labels.max() < 0:
        notes.append(_nothing_found(linkage, parameters))
    all_notes = (*notes, *linkages.notes)
    return Labelling(
        labels, probabilities, scores, persistence, linkages.tree, linkages.matrix_bytes, all_notes
    )


def _nothing_found(linkage: np.ndarray, parameters: ClusterParameters) -> str:
    """Why there is no group, and what gives one: the package forms one group of all in the selection "eom" only."""
    least = parameters.min_cluster_size
    ways = [f"lower the smallest group (min_cluster_size, now {least})"] if least > 2 else []
    reason = f"No group of at least {least} images was found"
    single = replace(parameters, allow_single_cluster=True, cluster_selection_method="eom")
    if parameters != single and cut(linkage, single)[1].max() >= 0:
        changes = ["allow a single group (allow_single_cluster)"] * (not parameters.allow_single_cluster)
        if parameters.cluster_selection_method != "eom":
            changes.append("select fewer, larger groups (cluster_selection_method eom)")
        ways.insert(0, " and ".join(changes))
        reason = (
            f"The images do not fall into several groups of at least {least}, and one of all was not allowed"
        )
    way = f" You can {', or '.join(ways)}." if ways else ""
    return f"{reason}; all images remain ungrouped.{way}"


def refuse_too_many(count: int, most: int = LARGEST_COUNT) -> None:
    """Raises: InvalidParameter: more vectors than are grouped at once."""
    if count > most:
        detail = f"vectors: {count:,} are too many to group at once; the limit is {most:,}."
        raise InvalidParameter(detail, field="vectors")


def _all_noise(count: int, least: int) -> Labelling:
    are = "image is" if count == 1 else "images are"
    note = f"{count} {are} too few for a group of at least {least}; all remain ungrouped."
    return Labelling(
        np.full(count, -1, np.intp), np.zeros(count), np.zeros(count), np.zeros(0), "none", 0, (note,)
    )
