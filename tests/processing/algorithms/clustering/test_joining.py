"""New vectors that join groups, or wait."""

import numpy as np
import pytest

from processing.algorithms.clustering.cluster import ClusterParameters, assign, cluster
from processing.algorithms.clustering.groups import describe_groups
from processing.algorithms.clustering.joining import group_waiting, join
from processing.algorithms.errors import InvalidParameter


def ring(count=24):
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_the_hollow_of_a_group_is_not_the_group():
    """A ring with strangers in its middle: the radius holds them, the neighbours do not agree."""
    grouped = np.concatenate([ring(), 0.05 * ring(6)])
    labels = np.array([0] * 24 + [-1] * 6)
    groups = describe_groups(grouped, labels, "euclidean")
    new = np.array([[0.0, 0.01], [0.99, 0.05], [3.0, 0.0]])

    found = join(new, groups, grouped, labels)

    assert assign(new, groups).labels.tolist() == [0, 0, -1]
    assert found.labels.tolist() == [-1, 0, -1]
    assert found.distances.tolist() == assign(new, groups).distances.tolist()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_two_of_the_three_nearest_must_be_in_the_group(metric):
    dice = np.random.default_rng(0)
    grouped = dice.standard_normal((700, 8)) + np.repeat(3 * np.eye(8)[:2], 350, axis=0)
    labels = np.where(dice.random(700) < 0.3, -1, np.repeat([0, 1], 350))
    groups = describe_groups(
        grouped if metric == "euclidean" else grouped / np.linalg.norm(grouped, axis=1, keepdims=True),
        labels,
        metric,
    )
    new = dice.standard_normal((600, 8)) + 3 * np.eye(8)[0]

    found = join(new, groups, grouped, labels).labels

    by_radius = assign(new, groups).labels
    unit = (
        (lambda v: v) if metric == "euclidean" else (lambda v: v / np.linalg.norm(v, axis=1, keepdims=True))
    )
    between = np.linalg.norm(unit(new)[:, None] - unit(grouped)[None], axis=2)
    near = labels[np.argsort(between, axis=1)[:, :3]]
    agree = (near == by_radius[:, None]).sum(axis=1) >= 2
    assert found.tolist() == np.where(agree, by_radius, -1).tolist()
    assert 0 < np.count_nonzero(found >= 0) < np.count_nonzero(by_radius >= 0)


def test_a_member_again_joins_its_group_even_of_two():
    grouped, labels = np.array([[0.0, 1.0], [0.0, 1.1]]), np.array([0, 0])
    groups = describe_groups(grouped, labels, "euclidean")
    assert join(np.array([[0.0, 1.05]]), groups, grouped, labels).labels.tolist() == [0]


def test_without_new_vectors_or_groups_nothing_joins():
    grouped, nothing = np.ones((3, 2)), np.full(3, -1)
    groups = describe_groups(grouped, nothing, "euclidean")
    assert join(np.zeros((0, 2)), groups, grouped, nothing).labels.tolist() == []
    assert join(np.ones((2, 2)), groups, grouped, nothing).labels.tolist() == [-1, -1]


def blobs(*spreads, count=20, width=70):
    dice = np.random.default_rng(6)
    return np.concatenate(
        [
            50 * np.eye(width)[row] + spread * dice.standard_normal((count, width))
            for row, spread in enumerate(spreads)
        ]
    )


def test_of_those_that_wait_only_groups_as_tight_as_the_others_are_kept():
    there = cluster(blobs(1.0, 1.5, 2.0))
    waiting = blobs(3.0, 1.2, 0.5)[::-1]

    alone = cluster(waiting).labelling.labels
    found = group_waiting(waiting, there.groups, ClusterParameters())

    assert len(set(alone.tolist()) - {-1}) == 3
    assert set(found[40:].tolist()) == {-1}
    assert sorted(set(found.tolist())) == [-1, 0, 1]
    assert (found[:40] == alone[:40] - (alone[:40] > alone[40:].max())).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_that_wait_go_on_waiting(count):
    there = cluster(blobs(1.0, 1.5))
    assert group_waiting(np.ones((count, 70)), there.groups, ClusterParameters()).tolist() == [-1] * count


def test_where_no_groups_are_there_all_new_ones_are_kept():
    nothing = describe_groups(np.ones((2, 70)), np.full(2, -1), "euclidean")
    waiting = blobs(1.0, 3.0)
    found = group_waiting(waiting, nothing, ClusterParameters())
    assert found.tolist() == cluster(waiting).labelling.labels.tolist()


def test_unusable_input_is_refused():
    grouped, labels = ring(), np.zeros(24, int)
    groups = describe_groups(grouped, labels, "euclidean")
    with pytest.raises(InvalidParameter, match="row 0"):
        join(np.array([[np.nan, 0.0]]), groups, grouped, labels)
    with pytest.raises(InvalidParameter, match="23 of them for 24"):
        join(ring(), groups, grouped, labels[1:])
    with pytest.raises(InvalidParameter, match="dimensions"):
        join(np.ones((1, 3)), groups, grouped, labels)
