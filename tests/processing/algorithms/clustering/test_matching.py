"""Which new group carries on which old one."""

import numpy as np
import pytest

from processing.algorithms.clustering.matching import GroupChange, Matching, match_groups
from processing.algorithms.errors import InvalidParameter


def labels(**counts):
    """Labels in runs: g0=3, none=2 gives 0 0 0 -1 -1; a trailing letter tells equal keys apart."""
    rows = []
    for name, count in counts.items():
        label = -1 if name.startswith("none") else int(name.strip("g").rstrip("abc"))
        rows += [label] * count
    return np.array(rows)


def test_the_same_groups_under_other_numbers_are_all_kept():
    found = match_groups(np.array([0, 0, 1, 1, 1, -1]), np.array([7, 7, 3, 3, 3, -1]))

    assert found == Matching(
        (GroupChange(3, 3, 1, 3, {}, {}), GroupChange(7, 2, 0, 2, {}, {})), dissolved={}, moved=0
    )
    assert found.carried == {3: 1, 7: 0}


def test_a_group_that_broke_apart_goes_on_in_its_largest_part():
    found = match_groups(labels(g0=100), labels(g0=40, g1=35, g2=25))

    assert found.carried == {0: 0}
    assert found.groups[0] == GroupChange(0, 40, 0, 40, {}, {1: 35, 2: 25})
    assert found.groups[1] == GroupChange(1, 35, None, 0, {0: 35}, {})
    assert (found.dissolved, found.moved) == ({}, 60)


def test_groups_that_merge_go_on_under_the_largest():
    found = match_groups(labels(g0=3, g1=9, none=2), np.zeros(14, int))

    assert found.groups == (GroupChange(0, 14, 1, 9, {-1: 2, 0: 3}, {}),)
    assert (found.dissolved, found.moved) == ({0: {0: 3}}, 3)


def test_a_group_among_many_images_that_had_none_goes_on():
    found = match_groups(labels(g4=5, none=95), np.full(100, 2))
    assert found.groups == (GroupChange(2, 100, 4, 5, {-1: 95}, {}),)


@pytest.mark.parametrize(("common", "carried"), [(5, {0: 0}), (4, {})])
def test_half_of_the_smaller_group_must_be_in_both(common, carried):
    old = labels(g0=10, none=20)
    new = np.full(30, -1)
    new[10 - common : 10 - common + 20] = 0

    assert match_groups(old, new).carried == carried


def test_a_group_that_dissolves_tells_where_its_images_went():
    found = match_groups(labels(g0=6, g1=10), labels(none=4, g0=12))

    assert found.carried == {0: 1}
    assert found.groups[0].gained == {0: 2}
    assert found.dissolved == {0: {-1: 4, 0: 2}}


def test_the_pairing_has_most_in_common_as_a_whole():
    """Largest first would pair 0 with 0 (6) and leave 1 with nothing; 0–1 and 1–0 have 5 + 5 in common."""
    old = labels(g0=6, g0a=5, g1=5)
    new = labels(g0=6, g1=5, g0a=5)

    assert match_groups(old, new).carried == {1: 0, 0: 1}


def test_of_equal_pairings_the_more_alike_is_taken():
    """Both parts share 4 images with the old group; the second one has strangers besides."""
    found = match_groups(labels(g0=8, none=3), labels(g5=4, g2=4, g2a=3))
    assert found.carried == {5: 0}


def test_numbers_add_up_and_do_not_depend_on_the_order_of_images():
    dice = np.random.default_rng(2)
    old, new = dice.integers(-1, 12, 900), dice.integers(-1, 9, 900)
    new[:500] = old[:500] % 9
    shuffled = dice.permutation(900)

    found = match_groups(old, new)

    assert match_groups(old[shuffled], new[shuffled]) == found
    for group in found.groups:
        assert group.size == np.count_nonzero(new == group.label) == group.kept + sum(group.gained.values())
        if group.carries_on is not None:
            assert np.count_nonzero(old == group.carries_on) == group.kept + sum(group.lost.values())
    assert len(set(found.carried.values())) == len(found.carried)
    assert set(found.dissolved) == set(range(12)) - set(found.carried.values())


def test_two_thousand_groups_are_matched():
    old = np.arange(20_000) // 10
    new = np.where(np.arange(20_000) % 10 < 8, old, (old + 1) % 2000)
    assert match_groups(old, new).carried == {label: label for label in range(2000)}


@pytest.mark.parametrize(
    ("old", "new"),
    [([], []), ([-1], [-1])],
)
def test_nothing_grouped_matches_nothing(old, new):
    assert match_groups(np.array(old, int), np.array(new, int)) == Matching((), {}, 0)


def test_only_one_side_grouped():
    assert match_groups(labels(none=3), labels(g0=3)).groups == (GroupChange(0, 3, None, 0, {-1: 3}, {}),)
    assert match_groups(labels(g0=3), labels(none=3)).dissolved == {0: {-1: 3}}


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (np.zeros(3, int), np.zeros(2, int), "new"),
        (np.array([0.5]), np.zeros(1, int), "old"),
        (np.zeros(1, int), np.array([np.nan]), "new"),
        (np.array([-2]), np.zeros(1, int), "old"),
        (np.zeros((2, 2), int), np.zeros(2, int), "old"),
    ],
)
def test_labels_that_cannot_be_compared_are_refused(old, new, field):
    with pytest.raises(InvalidParameter) as refused:
        match_groups(old, new)
    assert refused.value.field == field
