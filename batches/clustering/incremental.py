"""New images beside groups: who joins, who waits, which of the waiting are a group of their own. No Django here."""

from collections.abc import Mapping
from dataclasses import replace
from gettext import ngettext  # no Django in the subprocess
from importlib.metadata import version

import numpy as np

from batches.clustering.task import Outcome, Task, cluster_parameters, facts
from processing.algorithms.clustering.groups import Groups, assign, describe_groups
from processing.algorithms.clustering.joining import group_waiting, join
from processing.algorithms.clustering.points import ClusterParameters, as_points
from processing.algorithms.clustering.projection import Projection, project
from processing.algorithms.clustering.tree import Progress
from processing.algorithms.clustering.validity import validity

PACKAGES = ("hdbscan", "numpy", "scikit-learn", "scipy")
ENOUGH = 2  # times min_cluster_size: so many waiting images are clustered among themselves


def incremental(task: Task, inputs: Mapping[str, np.ndarray], report: Progress) -> Outcome:
    """Let new vectors join groups inside their radius, and the rest form groups of their own; nothing else moves.

    Args:
        task, inputs: see `Task`.
        report: called with 0 to 1.

    The existing groups are measured from their present members, so what people moved counts.
    """
    parameters, vectors, is_new = cluster_parameters(task), inputs["vectors"], inputs["is_new"]
    points, labels = as_points(vectors, parameters.metric), inputs["labels"].astype(np.intp)
    present = describe_groups(points[~is_new], labels[~is_new], parameters.metric)
    if is_new.any():
        labels[is_new] = join(vectors[is_new], present, vectors[~is_new], labels[~is_new]).labels
    report(0.2)
    is_joined = is_new & (labels >= 0)
    notes = _group_the_waiting(labels, vectors, inputs, present, parameters)
    groups = describe_groups(points, labels, parameters.metric)
    report(0.8)
    probabilities, scores = _strengths(vectors, labels, inputs, is_joined, present, groups)
    mean, axes = inputs["projection"][0], inputs["projection"][1:]
    # The map that people know; where it was made of fewer than two vectors, one of the present points.
    known = Projection(mean, axes, np.zeros(2), np.zeros((0, 2), np.float32))
    plane = known if axes.any() else project(points)
    return Outcome(
        labels=labels,
        probabilities=probabilities,
        outlier_scores=scores,
        coordinates=plane.place(points),
        groups=facts(vectors, labels, groups, None),
        centroids=groups.centroids,
        projection=np.vstack([plane.mean, plane.components]),
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
    parameters: ClusterParameters,
) -> tuple[str, ...]:
    """Cluster what is in no group among itself, once it is enough; answers notes about those that keep waiting.

    Earlier images that no group took help new ones to form a group: only what holds a new one becomes a group.
    """
    is_new = inputs["is_new"]
    waiting = np.flatnonzero(inputs["is_free"] & (labels < 0))
    needed = ENOUGH * parameters.min_cluster_size
    if not (is_new & (labels < 0)).any():
        return ()
    if len(waiting) >= needed:
        among = group_waiting(vectors[waiting], present, parameters)
        if (among < 0).all():
            among = _as_one(vectors[waiting], is_new[waiting], present, needed)
        first = len(present.sizes)
        for kept in sorted(set(among[is_new[waiting]].tolist()) - {-1}):
            labels[waiting[among == kept]] = first
            first += 1
    left = int(np.count_nonzero(is_new & (labels < 0)))
    if not left:
        return ()
    stay = ngettext("{} new image stays unassigned", "{} new images stay unassigned", left).format(left)
    if len(waiting) >= needed:
        return (f"{stay}: outside the radius of every group, and no new group was found.",)
    return (f"{stay}: outside the radius of every group. A new group needs at least {needed} such images.",)


def _as_one(vectors: np.ndarray, is_new: np.ndarray, present: Groups, needed: int) -> np.ndarray:
    """The new ones among the waiting as one group, where they lie as close together as the groups that are there.

    Clustering parts vectors from each other, so of vectors that are all alike it makes no group.
    """
    points, labels = as_points(vectors, present.metric), np.full(len(vectors), -1, np.intp)
    if np.count_nonzero(is_new) < needed or not len(present.sizes):
        return labels
    whole = describe_groups(points[is_new], np.zeros(np.count_nonzero(is_new), np.intp), present.metric)
    if whole.radii[0] <= np.median(present.radii):
        is_inside = np.linalg.norm(points - whole.centroids[0], axis=1) <= whole.radii[0]
        labels[is_new & is_inside] = 0
    return labels


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
        endless = np.full(len(present.radii), np.inf, np.float32)  # so that every vector is given its nearest
        nearest = assign(vectors[waits], replace(present, radii=endless))
        radii = present.radii[nearest.labels]
        far = np.maximum(nearest.distances, np.finfo(np.float32).tiny)
        scores[waits] = np.clip(1 - radii / far, 0, 1)
    return probabilities, scores
