"""How good a network is: PSNR of a denoiser, nearest neighbours and clusters of an embedder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml_models.training.patches import find_pictures


@dataclass(frozen=True)
class Grouping:
    """How well embeddings keep classes together.

    Attributes:
        nearest: share of images whose nearest neighbour is of their class.
        ari: adjusted Rand index of k-means with as many clusters as classes, mean over three seeds.
        classes, images: counts.
    """

    nearest: float
    ari: float
    classes: int
    pictures: int


def measure_grouping(embeddings: np.ndarray, classes: np.ndarray) -> Grouping:
    """Measure float embeddings (N, D), by cosine, against the class number of each (N,)."""
    from sklearn.cluster import KMeans  # slow import
    from sklearn.metrics import adjusted_rand_score

    vectors = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    nearest = float(np.mean(classes[likeness.argmax(axis=1)] == classes))
    count = len(np.unique(classes))
    scores = [
        adjusted_rand_score(classes, KMeans(count, n_init=4, random_state=seed).fit_predict(vectors))
        for seed in range(3)
    ]
    return Grouping(nearest, float(np.mean(scores)), count, len(classes))


def read_classes(folder: Path) -> tuple[list[Path], np.ndarray]:
    """The images of a folder with one folder for each class, and the class number of each.

    Raises:
        ValueError: fewer than two classes with images.
    """
    paths = find_pictures(folder)
    names = [path.relative_to(folder).parts[0] for path in paths]
    classes, numbers = np.unique(names, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{folder} needs a folder for each of at least two classes; it has {len(classes)}.")
    return paths, numbers
