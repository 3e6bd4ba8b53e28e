"""Groups of labelled photographs: how well they are the classes, and what adding images to them loses.

The photographs are those of PIX_TEST_DATA. Each embedder that is installed is measured, and MobileNetV2, from which
pix_small was made, where its file is among the test data. ARI and NMI are given twice: "all" counts each image that is
in no group as a group of its own; "grouped" leaves those images out, so that it says how pure the groups are.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.embeddings import inputs
from benchmarks.harness.results import Result
from ml_models import weights
from processing.algorithms.clustering.cluster import Clustering, ClusterParameters, cluster
from processing.algorithms.clustering.joining import group_waiting, join
from processing.algorithms.clustering.sweep import sweep
from processing.algorithms.embedding.embedders import (
    BATCH,
    EMBEDDERS,
    EmbedderSpec,
    load_embedder,
    normalised,
)

NAME = "grouping"
SETS = ("clothing", "grocery")
TEACHER = "weights/mobilenet_v2_1.0_224_dequantised_fp16.pth"
TEACHER_RECIPE = "pix_small"  # made from it, with the same input
EVERY_WHEN_QUICK = 4
# As a batch is analysed where nobody asks for anything else.
DEFAULTS = ClusterParameters(5, 2, "euclidean", "leaf")
GRID_SIZES, GRID_SAMPLES = (2, 3, 5, 8, 12), (1, 2, 5)
HELD_OUT, SEEDS = 0.2, (0, 1, 2)

Embed = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, eq=False)
class Photographs:
    """Files and class of each, intp (n,)."""

    name: str
    paths: list[Path]
    classes: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Of labels against others; `grouped_*` without the images in no group, 0 where all are."""

    ari: float
    nmi: float
    grouped_ari: float
    grouped_nmi: float

    def __str__(self) -> str:
        return f"NMI {self.nmi:.2f}; grouped ARI {self.grouped_ari:.2f}, NMI {self.grouped_nmi:.2f}"


def measure(*, is_quick: bool) -> list[Result]:
    root = Path(os.environ.get("PIX_TEST_DATA", "/nowhere"))
    sets = [
        pictures
        for name in SETS[: 1 if is_quick else None]
        if (pictures := photographs(root / "photos" / name, is_quick=is_quick))
    ]
    if not sets:
        return [
            Result(NAME, "photographs", 0, detail="PIX_TEST_DATA names no folder with photos/clothing, …")
        ]
    return [
        row
        for spec, title, embed in embedders(root)
        for photos in sets
        for row in rows(title, photos, embed(inputs(spec, photos.paths)), is_quick=is_quick)
    ]


def photographs(folder: Path, *, is_quick: bool) -> Photographs | None:
    paths = sorted(folder.rglob("*.jpg"))[:: EVERY_WHEN_QUICK if is_quick else 1]
    _, classes = np.unique([path.parent.name for path in paths], return_inverse=True)
    return Photographs(folder.name, paths, classes) if paths else None


def embedders(root: Path) -> Iterator[tuple[EmbedderSpec, str, Embed]]:
    """Those that are installed: row with the recipe, name, and what gives the vectors."""
    folder = os.environ.get("ML_MODELS_DIR", "")
    for spec in EMBEDDERS.values():
        if not weights.state(spec.weights, folder).why_not:
            yield spec, spec.name, load_embedder(spec.name, folder).embed
    if (root / TEACHER).is_file():
        yield EMBEDDERS[TEACHER_RECIPE], "MobileNetV2", teacher(root / TEACHER)


def teacher(path: Path) -> Embed:
    import torch

    from ml_models.training.teacher import load_teacher

    network = load_teacher(path)

    def embed(pictures: Sequence[np.ndarray]) -> np.ndarray:
        with torch.inference_mode():
            parts = [
                network(torch.from_numpy(np.stack(pictures[at : at + BATCH]))).numpy()
                for at in range(0, len(pictures), BATCH)
            ]
        return normalised(np.concatenate(parts))

    return embed


def rows(title: str, photos: Photographs, vectors: np.ndarray, *, is_quick: bool) -> list[Result]:
    whole = cluster(vectors, DEFAULTS)
    agreement = scores(photos.classes, whole.labelling.labels)
    what = f"{title}, {photos.name}"
    trials = sweep(
        vectors, GRID_SIZES, GRID_SAMPLES, cluster_selection_method=DEFAULTS.cluster_selection_method
    )
    best = max(trials, key=lambda trial: scores(photos.classes, trial.labels).ari)
    best_of = (
        f"min_cluster_size {best.min_cluster_size}, min_samples {best.min_samples}; {best.groups} groups"
    )
    usual = scores(photos.classes, cluster(vectors).labelling.labels)
    return [
        Result(NAME, f"{what}: ARI of all", agreement.ari, detail=f"{agreement}; {summary(whole)}"),
        Result(NAME, f"{what}: best of the grid", scores(photos.classes, best.labels).ari, detail=best_of),
        Result(NAME, f"{what}: hdbscan's own defaults", usual.ari, detail=str(usual)),
        *added(what, photos, vectors, whole),
    ]


def summary(clustering: Clustering) -> str:
    return f"{len(clustering.groups.sizes)} groups, {np.mean(clustering.labelling.labels < 0):.0%} in none"


def added(what: str, photos: Photographs, vectors: np.ndarray, whole: Clustering) -> list[Result]:
    """A fifth held out, the rest clustered, then the fifth joined: against clustering everything at once."""
    runs = [incremental(vectors, seed) for seed in SEEDS]
    labels = whole.labelling.labels
    of_classes = np.mean([scores(photos.classes, run.labels).ari for run in runs])
    of_grouped = np.mean([scores(photos.classes, run.labels).grouped_ari for run in runs])
    right = np.mean([right_share(photos.classes, run) for run in runs])
    joined, at_once = np.mean([(run.joined, run.at_once) for run in runs], axis=0)
    full = np.mean([np.mean(labels[run.is_held_out] >= 0) for run in runs])
    ari, nmi = np.mean([both_grouped(labels, run.labels) for run in runs], axis=0)
    detail = f"ARI {ari:.2f}, NMI {nmi:.2f} where both group"
    return [
        Result(
            NAME, f"{what}: a fifth added, ARI of all", float(of_classes), detail=f"grouped {of_grouped:.2f}"
        ),
        Result(
            NAME,
            f"{what}: a fifth added, ARI to a full run",
            float(np.mean([scores(labels, run.labels).ari for run in runs])),
            detail=detail,
        ),
        Result(
            NAME,
            f"{what}: added images in a group",
            float(joined),
            detail=f"{at_once:.0%} joined one at once; {right:.0%} of {joined:.0%} with their class; "
            f"a full run groups {full:.0%}",
        ),
    ]


@dataclass(frozen=True, eq=False)
class Incremental:
    """Adding a fifth.

    Attributes:
        labels: of all afterwards.
        is_held_out: who was added.
        at_once: share of the added that joined a group which was there.
    """

    labels: np.ndarray
    is_held_out: np.ndarray
    at_once: float

    @property
    def joined(self) -> float:
        """Share of the added images that are in a group."""
        return float(np.mean(self.labels[self.is_held_out] >= 0))


def incremental(vectors: np.ndarray, seed: int) -> Incremental:
    """As a batch does it: some of the added join a group; all that are in none are clustered among themselves."""
    count = len(vectors)
    held_out = np.random.default_rng(seed).permutation(count)[: round(HELD_OUT * count)]
    is_held_out = np.isin(np.arange(count), held_out)
    first = cluster(vectors[~is_held_out], DEFAULTS)
    labels = np.full(count, -1, np.intp)
    labels[~is_held_out] = first.labelling.labels
    existing = vectors[~is_held_out]
    labels[is_held_out] = join(vectors[is_held_out], first.groups, existing, first.labelling.labels).labels
    at_once = float(np.mean(labels[is_held_out] >= 0))
    waiting = np.flatnonzero(labels < 0)
    among = group_waiting(vectors[waiting], first.groups, DEFAULTS)
    labels[waiting] = np.where(among >= 0, among + len(first.groups.sizes), -1)
    return Incremental(labels, is_held_out, at_once)


def right_share(classes: np.ndarray, run: Incremental) -> float:
    """Share of the added images in a group whose class is the commonest one of that group's others."""
    right = []
    for row in np.flatnonzero(run.is_held_out & (run.labels >= 0)):
        others = classes[(run.labels == run.labels[row]) & (np.arange(len(classes)) != row)]
        right.append(np.bincount(others).argmax() == classes[row])
    return float(np.mean(right)) if right else 0.0


def scores(truth: np.ndarray, labels: np.ndarray) -> Scores:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    is_in = labels >= 0
    all_truth, alone = alone_each(truth), alone_each(labels)
    inside = (truth[is_in], labels[is_in])
    return Scores(
        float(adjusted_rand_score(all_truth, alone)),
        float(normalized_mutual_info_score(all_truth, alone)),
        float(adjusted_rand_score(*inside)) if is_in.any() else 0.0,
        float(normalized_mutual_info_score(*inside)) if is_in.any() else 0.0,
    )


def both_grouped(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """ARI and NMI over the images that are in a group of both."""
    both = (one >= 0) & (other >= 0)
    agreement = scores(one[both], other[both])
    return agreement.ari, agreement.nmi


def alone_each(labels: np.ndarray) -> np.ndarray:
    """Labels with a group of its own for each image that is in none."""
    alone = labels.astype(np.intp)
    is_out = alone < 0
    alone[is_out] = alone.max(initial=-1) + 1 + np.arange(np.count_nonzero(is_out))
    return alone
