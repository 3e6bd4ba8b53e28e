"""What goes into a grouping and what comes out, between the worker and its subprocess. No Django here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np

from processing.algorithms.clustering.groups import Groups
from processing.algorithms.clustering.points import ClusterParameters, as_points


@dataclass(frozen=True)
class Context:
    """Of which images the inputs are: handed through to the outcome, since what stores it starts from that alone.

    Attributes:
        image_ids: of the rows.
        sha256s: of their files, in the same order.
        group_ids: the batch's groups that the first labels of an incremental run stand for.
        notes: which images stayed out.
        started: by `time.time`.
    """

    image_ids: list[UUID]
    sha256s: list[str]
    group_ids: list[UUID]
    notes: list[str]
    started: float


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Attributes:
        mode: full, incremental or sweep.
        inputs: an .npz file. Of every mode: `vectors` float32 (n, d). Of incremental also `labels` intp (n,), the
            present groups from 0, each at least once, −1 for none; `is_new` bool (n,), may join; `is_free` bool (n,),
            in no group and movable, the new ones among them; `probabilities` and `outlier_scores` float64 (n,);
            `projection` float32 (3, d), the mean and two components.
        parameters: those of `ClusterParameters`, for a sweep also `sizes` and `samples`.
        seed: draws the sample for the validity.
        folder: of the attempt, where progress is reported.
        context: of which images the inputs are.
    """

    mode: str
    inputs: str
    parameters: Mapping[str, Any]
    seed: int
    folder: str
    context: Context | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out.

    Attributes:
        labels: intp (n,), groups from 0, −1 for none.
        probabilities, outlier_scores: float64 (n,), 0 to 1.
        coordinates: float32 (n, 2), on the map.
        groups: for each label size, radius, medoid (a row), cohesion (mean cosine of the members to the centroid) and
            persistence (None where it was not measured).
        centroids: float32 (g, d).
        projection: float32 (3, d), the mean and two components.
        validity: DBCV, −1 to 1, or None.
        grid: the trials of a sweep, which has nothing else.
        versions: of the packages that had a part in it.
        notes: sentences for people.
        context: the task's.
    """

    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.intp))
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros(0))
    outlier_scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    coordinates: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    groups: tuple[dict[str, Any], ...] = ()
    centroids: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    projection: np.ndarray = field(default_factory=lambda: np.zeros((3, 0), np.float32))
    validity: float | None = None
    grid: tuple[dict[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    context: Context | None = None


def cluster_parameters(task: Task) -> ClusterParameters:
    """How to group."""
    names = ClusterParameters.__dataclass_fields__
    return ClusterParameters(**{name: value for name, value in task.parameters.items() if name in names})


def facts(
    vectors: np.ndarray, labels: np.ndarray, groups: Groups, persistence: np.ndarray | None
) -> tuple[dict[str, Any], ...]:
    """What is stored of each group; see `Outcome.groups`.

    Args:
        vectors: float32 (n, d).
        labels: intp (n,), as those of `groups`.
        persistence: float64 (g,), where it was measured.
    """
    cohesion = _cohesion(vectors, labels, len(groups.sizes))
    return tuple(
        {
            "label": label,
            "size": int(groups.sizes[label]),
            "radius": float(groups.radii[label]),
            "medoid": int(groups.medoids[label]),
            "cohesion": float(cohesion[label]),
            "persistence": None if persistence is None else float(persistence[label]),
        }
        for label in range(len(groups.sizes))
    )


def _cohesion(vectors: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """float64 (g,): mean cosine of a group's members to the mean of their directions."""
    cohesion = np.zeros(count)
    for label in range(count):
        inside = as_points(vectors[labels == label], "cosine")
        centroid = inside.mean(axis=0)
        length = np.linalg.norm(centroid)
        cohesion[label] = np.mean(inside @ centroid) / length if length else 0.0
    return cohesion
