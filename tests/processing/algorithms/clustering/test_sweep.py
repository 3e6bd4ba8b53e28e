"""A grid of parameters against clustering with each of them."""

import numpy as np
import pytest

from processing.algorithms.clustering.cluster import ClusterParameters, cluster
from processing.algorithms.clustering.sweep import MOST_CELLS, sweep
from processing.algorithms.errors import InvalidParameter


def blobs(count=300, width=96, *, seed=1):
    from sklearn.datasets import make_blobs

    made, _ = make_blobs(count, n_features=width, centers=6, cluster_std=2.5, random_state=seed)
    return made.astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("selection", ["eom", "leaf"])
@pytest.mark.parametrize(
    ("width", "dense_limit"), [(96, 20_000), (3, 20_000), (96, 100)], ids=["exact", "low", "reduced"]
)
def test_every_cell_is_what_clustering_with_its_parameters_finds(metric, selection, width, dense_limit):
    vectors = blobs(width=width)

    trials = sweep(
        vectors,
        [3, 8, 301],
        [1, 4, None],
        metric=metric,
        cluster_selection_method=selection,
        epsilon=0.05,
        seed=3,
        dense_limit=dense_limit,
    )

    assert [(trial.min_cluster_size, trial.min_samples) for trial in trials] == [
        (size, samples) for size in (3, 8, 301) for samples in (1, 4, None)
    ]
    for trial in trials:
        parameters = ClusterParameters(
            trial.min_cluster_size, trial.min_samples, metric, selection, cluster_selection_epsilon=0.05
        )
        expected = cluster(vectors, parameters, seed=3, dense_limit=dense_limit)
        labels, sizes = expected.labelling.labels, expected.groups.sizes
        assert trial.labels.tolist() == labels.tolist()
        assert trial.validity == expected.validity
        assert trial.groups == len(sizes)
        assert trial.noise_share == np.mean(labels < 0)
        assert trial.largest_share == sizes.max(initial=0) / 300
        assert trial.sizes == tuple(sorted(sizes.tolist(), reverse=True)[:10])
        persistence = expected.labelling.persistence
        assert trial.stability == (persistence.mean() if len(persistence) else None)


def test_progress_rises_to_one_and_twice_the_same_cell_counts_once():
    seen = []

    trials = sweep(blobs(), [4, 4], [4, None, 4], progress=seen.append)

    assert [trial.min_samples for trial in trials] == [4, None]
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_vectors_are_all_noise(count):
    (trial,) = sweep(blobs()[:count], [5], [None])
    assert (trial.groups, trial.validity, trial.stability, trial.largest_share) == (0, None, None, 0)
    assert trial.noise_share == (count > 0)
    assert trial.labels.tolist() == [-1] * count


def test_equal_vectors_give_plain_numbers():
    trials = sweep(np.ones((30, 70)), [2, 5], [1, None], metric="cosine")
    assert all(trial.validity is None or np.isfinite(trial.validity) for trial in trials)
    assert all(0 <= trial.noise_share <= 1 for trial in trials)


def test_vectors_that_are_not_numbers_are_refused():
    vectors = blobs()
    vectors[7, 0] = np.nan
    with pytest.raises(InvalidParameter, match="row 7"):
        sweep(vectors, [5], [None])


@pytest.mark.parametrize(
    ("sizes", "samples", "field"),
    [
        ([], [1], "min_cluster_sizes"),
        ([5], [], "min_samples"),
        ([1], [1], "min_cluster_size"),
        ([5], [0], "min_samples"),
        (list(range(2, MOST_CELLS + 3)), [1], "min_cluster_sizes"),
    ],
)
def test_a_grid_that_cannot_be_tried_is_refused(sizes, samples, field):
    with pytest.raises(InvalidParameter) as refused:
        sweep(blobs(), sizes, samples)
    assert refused.value.field == field
