"""Splitting one group: every vector in a part, no part empty."""

import numpy as np
import pytest

from processing.algorithms.clustering.split import split_group
from processing.algorithms.errors import InvalidParameter


def blobs(*counts, width=70, apart=8.0, seed=0):
    dice = np.random.default_rng(seed)
    centres = apart * dice.standard_normal((len(counts), width))
    return np.concatenate(
        [centre + dice.standard_normal((count, width)) for centre, count in zip(centres, counts, strict=True)]
    ).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_dense_parts_are_found_largest_first(metric):
    vectors = blobs(12, 30, 20)

    found = split_group(vectors, metric=metric)

    assert (found.parts, found.how) == (3, "density")
    assert found.labels.tolist() == [2] * 12 + [0] * 30 + [1] * 20


def test_what_lies_between_goes_to_the_nearest_part():
    vectors = blobs(20, 20)
    middle = 0.7 * vectors[:20].mean(axis=0) + 0.3 * vectors[20:].mean(axis=0)

    found = split_group(np.concatenate([vectors, [middle]]))

    assert found.labels.tolist() == [0] * 20 + [1] * 20 + [0]


def test_without_dense_parts_it_is_halved_the_same_way_each_time():
    vectors = np.random.default_rng(4).standard_normal((200, 90))

    found = split_group(vectors, seed=5)

    assert (found.parts, found.how) == (2, "halves")
    assert np.bincount(found.labels).min() > 20
    assert split_group(vectors, seed=5).labels.tolist() == found.labels.tolist()


@pytest.mark.parametrize(
    ("vectors", "labels", "how"),
    [
        (np.zeros((0, 4)), [], "none"),
        (np.ones((1, 4)), [0], "none"),
        (np.ones((2, 4)), [0, 0], "none"),
        (np.eye(2), [0, 1], "halves"),
        (np.array([[0.0], [5.0], [5.1]]), [1, 0, 0], "halves"),
        (np.array([[0.0]] * 9 + [[1e-200]]), [0] * 9 + [1], "halves"),
        (np.array([[1e99, 1.0]] * 3 + [[-1e99, 1.0]] * 3), [0] * 3 + [1] * 3, "density"),
        (np.ones((50, 70)), [0] * 50, "none"),
    ],
    ids=["0", "1", "2 equal", "2", "3", "tiny differences", "huge", "50 equal"],
)
def test_few_or_odd_vectors_get_a_plain_answer(vectors, labels, how):
    found = split_group(vectors)

    assert found.labels.tolist() == labels
    assert (found.parts, found.how) == (len(set(labels)), how)
    assert found.note.endswith(".")


def test_no_part_is_ever_empty():
    for seed in range(60):
        dice = np.random.default_rng(seed)
        count = int(dice.integers(2, 25))
        vectors = dice.integers(0, 3, (count, int(dice.integers(1, 4)))).astype(float)
        found = split_group(vectors, seed=seed)
        assert np.bincount(found.labels, minlength=found.parts).min() > 0
        assert found.parts >= (2 if len(np.unique(vectors, axis=0)) > 1 else 1)


def test_unusable_or_too_many_vectors_are_refused():
    with pytest.raises(InvalidParameter, match="row 1"):
        split_group(np.array([[0.0], [np.nan]]))
    with pytest.raises(InvalidParameter, match="20,001"):
        split_group(np.zeros((20_001, 2)))
    with pytest.raises(InvalidParameter, match="no direction"):
        split_group(np.zeros((3, 2)), metric="cosine")
