"""What the model worker's subprocess runs for groupings. No Django here: a subprocess must start fast."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from processing.algorithms.clustering import cluster
from processing.algorithms.clustering_groups import Groups, assign, describe_groups
from processing.algorithms.clustering_joining import group_waiting, join
from processing.algorithms.clustering_points import ClusterParameters, as_points
from processing.algorithms.clustering_projection import Projection
from processing.algorithms.clustering_sweep import Trial, sweep
from processing.algorithms.clustering_tree import Progress
from processing.algorithms.clustering_validity import validity
from processing.watched import Watched

PACKAGES = ("hdbscan", "numpy", "scikit-learn", "scipy")
ENOUGH = 2  # times min_cluster_size: so many waiting images are clustered among themselves


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
        folder: of the attempt, where progress is told.
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


def analyse(task: Task) -> Outcome:
    """Group vectors, let new ones join groups, or try a grid of parameters.

    Raises:
        ProcessingError: unusable vectors or parameters, or too many vectors.
        Stopped: somebody asked in the folder to stop.
    """
    tell = Watched(Path(task.folder)).tell
    tell(0.0)
    with np.load(task.inputs) as stored:
        inputs = {name: stored[name] for name in stored.files}
    return {"full": _full, "incremental": _incremental, "sweep": _sweep}[task.mode](task, inputs, tell)


def _asked(task: Task) -> ClusterParameters:
    names = ClusterParameters.__dataclass_fields__
    return ClusterParameters(**{name: value for name, value in task.parameters.items() if name in names})


def _full(task: Task, inputs: Mapping[str, np.ndarray], tell: Progress) -> Outcome:
    asked, vectors = _asked(task), inputs["vectors"]
    found = cluster(vectors, asked, seed=task.seed, progress=tell)
    labelling = found.labelling
    return Outcome(
        labels=labelling.labels,
        probabilities=labelling.probabilities,
        outlier_scores=labelling.outlier_scores,
        coordinates=found.projection.coordinates,
        groups=_facts(vectors, labelling.labels, found.groups, labelling.persistence),
        centroids=found.groups.centroids,
        projection=np.vstack([found.projection.mean, found.projection.components]),
        validity=found.validity,
        versions=found.versions,
        notes=labelling.notes,
        context=task.context,
    )


def _facts(
    vectors: np.ndarray, labels: np.ndarray, groups: Groups, persistence: np.ndarray | None
) -> tuple[dict[str, Any], ...]:
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
    found = np.zeros(count)
    for label in range(count):
        inside = as_points(vectors[labels == label], "cosine")
        centroid = inside.mean(axis=0)
        length = np.linalg.norm(centroid)
        found[label] = np.mean(inside @ centroid) / length if length else 0.0
    return found


def _incremental(task: Task, inputs: Mapping[str, np.ndarray], tell: Progress) -> Outcome:
    asked, vectors, is_new = _asked(task), inputs["vectors"], inputs["is_new"]
    points, labels = as_points(vectors, asked.metric), inputs["labels"].astype(np.intp)
    present = describe_groups(points[~is_new], labels[~is_new], asked.metric)
    if is_new.any():
        labels[is_new] = join(vectors[is_new], present, vectors[~is_new], labels[~is_new]).labels
    tell(0.2)
    is_joined = is_new & (labels >= 0)
    notes = _group_the_waiting(labels, vectors, inputs, present, asked)
    groups = describe_groups(points, labels, asked.metric)
    tell(0.8)
    probabilities, scores = _strengths(vectors, labels, inputs, is_joined, present, groups)
    projection = inputs["projection"]
    place = Projection(projection[0], projection[1:], np.zeros(2), np.zeros((0, 2), np.float32)).place
    return Outcome(
        labels=labels,
        probabilities=probabilities,
        outlier_scores=scores,
        coordinates=place(points),
        groups=_facts(vectors, labels, groups, None),
        centroids=groups.centroids,
        projection=projection,
        validity=validity(points, labels, seed=task.seed),
        versions={name: version(name) for name in PACKAGES},
        notes=notes,
        context=task.context,
    )


def _group_the_waiting(
    labels: np.ndarray,
    vectors: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    present: Groups,
    asked: ClusterParameters,
) -> tuple[str, ...]:
    """Cluster what is in no group among itself, once it is enough; answers what to tell of those that wait on.

    Earlier images that no group took help new ones to form a group: only what holds a new one becomes a group.
    """
    is_new = inputs["is_new"]
    waiting = np.flatnonzero(inputs["is_free"] & (labels < 0))
    needed = ENOUGH * asked.min_cluster_size
    if not (is_new & (labels < 0)).any():
        return ()
    if len(waiting) >= needed:
        among = group_waiting(vectors[waiting], present, asked)
        first = len(present.sizes)
        for kept in sorted(set(among[is_new[waiting]].tolist()) - {-1}):
            labels[waiting[among == kept]] = first
            first += 1
    left = int(np.count_nonzero(is_new & (labels < 0)))
    if not left:
        return ()
    wait = "1 new image waits" if left == 1 else f"{left} new images wait"
    if len(waiting) >= needed:
        return (f"{wait}: inside no group's radius, and no group of their own was found.",)
    return (f"{wait}: inside no group's radius; groups are looked for among at least {needed} of them.",)


def _strengths(
    vectors: np.ndarray,
    labels: np.ndarray,
    inputs: Mapping[str, np.ndarray],
    is_joined: np.ndarray,
    present: Groups,
    groups: Groups,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and outlier scores: those that were there, and by distance for what this run placed or left.

    A probability is 1 − distance / radius, so that who joined at a group's edge is shown first where the worst are.
    An outlier score is the share of the distance that lies outside the nearest radius.
    """
    is_grouped = (inputs["labels"] < 0) & (labels >= 0)
    probabilities, scores = inputs["probabilities"].copy(), inputs["outlier_scores"].copy()
    for rows, measured in ((is_joined, present), (is_grouped & ~is_joined, groups)):
        if rows.any():
            points = as_points(vectors[rows], measured.metric)
            distances = np.linalg.norm(points - measured.centroids[labels[rows]], axis=1)
            radii = measured.radii[labels[rows]]
            probabilities[rows] = np.clip(
                1 - np.divide(distances, radii, where=radii > 0, out=distances * 0), 0, 1
            )
            scores[rows] = 0.0
    waits = inputs["is_new"] & (labels < 0)
    if waits.any() and len(present.sizes):
        nearest = assign(vectors[waits], _without_limits(present))
        radii = present.radii[nearest.labels]
        far = np.maximum(nearest.distances, np.finfo(np.float32).tiny)
        scores[waits] = np.clip(1 - radii / far, 0, 1)
    return probabilities, scores


def _without_limits(groups: Groups) -> Groups:
    """The same groups with endless radii, so that every vector is given its nearest."""
    endless = np.full(len(groups.radii), np.inf, np.float32)
    return Groups(groups.metric, groups.centroids, endless, groups.medoids, groups.sizes)


def _sweep(task: Task, inputs: Mapping[str, np.ndarray], tell: Progress) -> Outcome:
    asked = _asked(task)
    trials = sweep(
        inputs["vectors"],
        task.parameters["sizes"],
        task.parameters["samples"],
        metric=asked.metric,
        cluster_selection_method=asked.cluster_selection_method,
        epsilon=asked.cluster_selection_epsilon,
        seed=task.seed,
        progress=tell,
    )
    versions = {name: version(name) for name in PACKAGES}
    return Outcome(grid=tuple(map(_trial, trials)), versions=versions, context=task.context)


def _trial(trial: Trial) -> dict[str, Any]:
    told = asdict(trial)
    del told["labels"]
    return told | {"sizes": [int(size) for size in trial.sizes]}
