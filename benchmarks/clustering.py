"""HDBSCAN on vectors like those of an embedder: ours beside the hdbscan package, on the same vectors."""

import statistics
import time
import tracemalloc

import numpy as np

from benchmarks.harness.results import Result
from processing.algorithms.clustering.cluster import ClusterParameters, Labelling, cluster, label_points
from processing.algorithms.clustering.points import as_points

NAME = "clustering"
DIMENSIONS = 384
SEED = 20


def measure(*, is_quick: bool) -> list[Result]:
    from hdbscan import HDBSCAN
    from sklearn.metrics import adjusted_rand_score

    count = 2_000 if is_quick else 10_000
    vectors = embeddings(count)
    labels, ours_s = labelled(vectors)
    started = time.perf_counter()
    usual = HDBSCAN(min_cluster_size=ClusterParameters().min_cluster_size).fit(vectors)
    usual_s = time.perf_counter() - started
    whole_s = described(vectors)
    agreement = float(adjusted_rand_score(usual.labels_, labels.labels))
    different = int(np.count_nonzero(usual.labels_ != labels.labels))
    goal = None if is_quick else 10  # Prim's n steps cost the same each; the package's grow with n
    size = f"{count:,} × {DIMENSIONS} float32"
    groups = f"{len(labels.persistence)} groups, {np.mean(labels.labels < 0):.0%} noise"
    return [
        Result(NAME, "distance matrix against hdbscan", usual_s / ours_s, "×", goal, detail=size),
        Result(NAME, "adjusted Rand index to hdbscan's labels", agreement, "", 1, detail=groups),
        Result(NAME, "labels that differ, noise included", different, "", 0, "less"),
        Result(NAME, "hdbscan.HDBSCAN().fit", usual_s, "s", better="less"),
        Result(NAME, "the same by distance matrix", ours_s, "s", better="less"),
        Result(NAME, "with validity, map, medoids, radii", whole_s, "s", better="less"),
        Result(NAME, "memory at its highest", peak_mb(vectors), "MB", better="less", detail="NumPy's arrays"),
    ]


def labelled(vectors: np.ndarray) -> tuple[Labelling, float]:
    """The labelling, and the middle of three times, since one short run catches other load or misses it."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        labelling = label_points(as_points(vectors, "euclidean"), ClusterParameters())
        times.append(time.perf_counter() - started)
    return labelling, statistics.median(times)


def described(vectors: np.ndarray) -> float:
    started = time.perf_counter()
    cluster(vectors)
    return time.perf_counter() - started


def peak_mb(vectors: np.ndarray) -> float:
    tracemalloc.start()
    cluster(vectors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def embeddings(count: int) -> np.ndarray:
    """Unit vectors, float32: groups of several sizes and widths, a tenth scattered, a few equal copies."""
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((count // 50, DIMENSIONS))
    places = rng.integers(0, len(centres), count)
    widths = rng.uniform(0.2, 0.9, len(centres))[places, None]
    vectors = centres[places] + widths * rng.standard_normal((count, DIMENSIONS))
    scattered = rng.random(count) < 0.1
    vectors[scattered] = rng.standard_normal((np.count_nonzero(scattered), DIMENSIONS))
    vectors[-count // 100 :] = vectors[: count // 100]
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)
