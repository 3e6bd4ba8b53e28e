"""What the model worker's subprocess runs for groupings. No Django here: a subprocess must start fast."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from batches.clustering.incremental import PACKAGES, incremental
from batches.clustering.task import Context, Outcome, Task, cluster_parameters, facts
from processing.algorithms.clustering.cluster import cluster
from processing.algorithms.clustering.sweep import sweep
from processing.algorithms.clustering.tree import Progress
from processing.tasks.progress import ProgressFile

__all__ = ["Context", "Outcome", "Task", "analyse"]


def analyse(task: Task) -> Outcome:
    """Group vectors, let new ones join groups, or try a grid of parameters.

    Raises:
        ProcessingError: unusable vectors or parameters, or too many vectors.
        Stopped: somebody asked in the folder to stop.
    """
    report = ProgressFile(Path(task.folder)).report
    report(0.0)
    with np.load(task.inputs) as stored:
        inputs = {name: stored[name] for name in stored.files}
    return {"full": _full, "incremental": incremental, "sweep": _sweep}[task.mode](task, inputs, report)


def _full(task: Task, inputs: Mapping[str, np.ndarray], report: Progress) -> Outcome:
    parameters, vectors = cluster_parameters(task), inputs["vectors"]
    clustering = cluster(vectors, parameters, seed=task.seed, progress=report)
    labelling = clustering.labelling
    return Outcome(
        labels=labelling.labels,
        probabilities=labelling.probabilities,
        outlier_scores=labelling.outlier_scores,
        coordinates=clustering.projection.coordinates,
        groups=facts(vectors, labelling.labels, clustering.groups, labelling.persistence),
        centroids=clustering.groups.centroids,
        projection=np.vstack([clustering.projection.mean, clustering.projection.components]),
        validity=clustering.validity,
        versions=clustering.versions,
        notes=labelling.notes,
        context=task.context,
    )


def _sweep(task: Task, inputs: Mapping[str, np.ndarray], report: Progress) -> Outcome:
    parameters = cluster_parameters(task)
    trials = sweep(
        inputs["vectors"],
        task.parameters["sizes"],
        task.parameters["samples"],
        metric=parameters.metric,
        cluster_selection_method=parameters.cluster_selection_method,
        epsilon=parameters.cluster_selection_epsilon,
        seed=task.seed,
        progress=report,
    )
    grid = []
    for trial in trials:
        values = asdict(trial) | {"sizes": [int(size) for size in trial.sizes]}
        del values["labels"]
        grid.append(values)
    versions = {name: version(name) for name in PACKAGES}
    return Outcome(grid=tuple(grid), versions=versions, context=task.context)
