"""What goes into a clustering: vectors checked and brought into the form that distances are measured in."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from processing.algorithms.errors import InvalidParameter

Metric = Literal["euclidean", "cosine"]
Selection = Literal["eom", "leaf"]
Algorithm = Literal["best", "exact"]

LARGEST_MAGNITUDE = 1e100  # squares and their sums stay far from float64's largest number
ROWS_NAMED = 5


@dataclass(frozen=True)
class ClusterParameters:
    """How to group. The names are the hdbscan package's.

    Attributes:
        min_cluster_size: at least 2; a smaller gathering is noise.
        min_samples: neighbours that a core distance reaches over; None: as many as min_cluster_size.
        metric: "euclidean" |a − b|, or "cosine" 1 − cos. The package takes cosine as a matrix only; labels are those of
            `HDBSCAN(metric="precomputed")` on it. Euclidean distances of the same vectors scaled to length 1 have
            the same tree, but other stabilities, so other groups may be chosen from it.
        cluster_selection_method: "eom" (excess of mass) or "leaf" (finer, more even groups).
        cluster_selection_epsilon: groups nearer than this, in the metric's unit, are not parted.
        allow_single_cluster: whether all vectors together may be one group.
        algorithm: "best" as the package chooses: up to 60 dimensions its approximate Borůvka tree, above exact Prim.
            "exact": exact Prim always (the package's `algorithm="prims_kdtree"`). Cosine is always exact.
    """

    min_cluster_size: int = 5
    min_samples: int | None = None
    metric: Metric = "euclidean"
    cluster_selection_method: Selection = "eom"
    cluster_selection_epsilon: float = 0.0
    allow_single_cluster: bool = False
    algorithm: Algorithm = "best"

    def __post_init__(self) -> None:
        _whole("min_cluster_size", self.min_cluster_size, least=2)
        if self.min_samples is not None:
            _whole("min_samples", self.min_samples, least=1)
        _one_of("metric", self.metric, get_args(Metric))
        _one_of("cluster_selection_method", self.cluster_selection_method, get_args(Selection))
        _one_of("algorithm", self.algorithm, get_args(Algorithm))
        _not_negative("cluster_selection_epsilon", self.cluster_selection_epsilon)
        if not isinstance(self.allow_single_cluster, bool):
            raise _wrong("allow_single_cluster", f"must be true or false, not {self.allow_single_cluster!r}.")

    def neighbours(self, count: int) -> int:
        """The neighbour that gives the core distance, at most the last one among so many points."""
        return max(1, min(self.min_samples or self.min_cluster_size, count - 1))


def as_points(vectors: np.ndarray, metric: Metric) -> np.ndarray:
    """Check vectors and bring them into the form that all distances are measured in.

    Args:
        vectors: real numbers (n, d), d ≥ 1; n may be 0.

    Returns:
        float64 (n, d), C-contiguous; scaled to length 1 for cosine.

    Raises:
        InvalidParameter: another shape or kind, numbers that are not finite or above 1e100, or, for cosine, a
            vector of length 0; the sentence names the first such rows.
    """
    try:
        given = np.asarray(vectors)
    except ValueError as error:  # rows of several lengths
        raise _wrong("vectors", "must all have the same length.") from error
    if given.ndim == 1 and not given.size:
        given = given.reshape(0, 1)
    if given.dtype.kind not in "fiu":
        raise _wrong("vectors", f"must be real numbers, not {given.dtype}.")
    if given.ndim != 2 or given.shape[1] == 0:
        raise _wrong("vectors", f"must have the shape (count, dimensions ≥ 1), not {given.shape}.")
    points = np.ascontiguousarray(given, np.float64)
    _refuse(~np.isfinite(points).all(axis=1), "have numbers that are not finite")
    _refuse((np.abs(points) > LARGEST_MAGNITUDE).any(axis=1), f"have numbers above {LARGEST_MAGNITUDE:g}")
    return points if metric == "euclidean" else _unit(points)


def _unit(points: np.ndarray) -> np.ndarray:
    _refuse(~points.any(axis=1), "are all zeros and have no direction, so no cosine distance")
    largest = np.abs(points).max(axis=1, keepdims=True)
    scaled = points / largest  # squares of very small numbers would vanish
    unit: np.ndarray = scaled / np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    return unit


def _refuse(is_wrong: ArrayLike, what: str) -> None:
    rows = np.flatnonzero(is_wrong)
    if len(rows):
        named = ", ".join(str(row) for row in rows[:ROWS_NAMED]) + (", …" if len(rows) > ROWS_NAMED else "")
        raise _wrong("vectors", f"{len(rows)} of {np.size(is_wrong)} {what} (row {named}, counted from 0).")


def _whole(name: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise _wrong(name, f"must be a whole number of at least {least}, not {value!r}.")


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise _wrong(name, f"must be {' or '.join(allowed)}, not {value!r}.")


def _not_negative(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= float(str(value)) < np.inf:
        raise _wrong(name, f"must be a number of at least 0, not {value!r}.")


def _wrong(name: str, what: str) -> InvalidParameter:
    return InvalidParameter(f"{name}: {what}", field=name)
