"""Pairs of the same image, and where a ranked list is cut."""

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.thumbnails import perceptual_hash
from processing.algorithms.duplicates.pairs import DEFAULT_RULE, Rule, candidates, find_pairs, rule_at
from processing.algorithms.embedding.ranking import cut_at_gap
from processing.algorithms.errors import InvalidParameter
from tests.processing.algorithms.pictures import real_folder


@pytest.mark.parametrize(
    ("bits", "distance", "expected"),
    [(8, None, True), (9, None, False), (8, 2.0, True), (20, 0.1, True), (20, 0.11, False), (21, 0.0, False)],
)
def test_rule_at_its_limits(bits, distance, expected):
    assert Rule().holds(bits, distance) is expected


def test_find_pairs_agrees_with_comparing_one_by_one():
    dice = np.random.default_rng(0)
    hashes = dice.integers(-(2**63), 2**63 - 1, 700)
    hashes[600] = hashes[3] ^ 0b1111
    hashes[601] = hashes[4] ^ 0xFFFF
    vectors = dice.normal(size=(700, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[601] = vectors[4]

    found = [(p.first, p.second, p.bits) for p in find_pairs(hashes, vectors)]
    alone = [(p.first, p.second, p.distance) for p in find_pairs(hashes)]

    assert found == [(3, 600, 4), (4, 601, 16)]
    assert alone == [(3, 600, None)]


def test_rules_of_thresholds_lie_between_strict_and_loose():
    assert rule_at(0) == Rule(0, 8, 0.02)
    assert rule_at(0.5) == DEFAULT_RULE
    assert rule_at(1) == Rule(12, 24, 0.3)
    assert rule_at(0.25) == Rule(4, 14, pytest.approx(0.06))


@pytest.mark.parametrize("threshold", [-0.01, 1.01, float("nan")])
def test_thresholds_outside_are_refused(threshold):
    with pytest.raises(InvalidParameter, match="from 0"):
        rule_at(threshold)


def like_pictures(count=1100):
    """Hashes and vectors at all distances from those of earlier images."""
    dice = np.random.default_rng(1)
    hashes = dice.integers(-(2**63), 2**63 - 1, count)
    vectors = dice.normal(size=(count, 24))
    for row in range(100, count, 2):
        flipped = dice.choice(63, int(dice.integers(0, 27)), replace=False)
        hashes[row] = hashes[row - 100] ^ int(np.sum(1 << flipped.astype(np.int64)))
        vectors[row] = vectors[row - 100] + dice.uniform(0, 0.8) * dice.normal(size=24)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return hashes, vectors.astype(np.float32)


@pytest.mark.parametrize("has_vectors", [True, False])
def test_candidates_up_to_a_threshold_are_the_pairs_of_its_rule(has_vectors):
    hashes, vectors = like_pictures()
    given = vectors if has_vectors else None

    found = candidates(hashes, given)

    assert not found.is_cut
    assert found.thresholds.tolist() == sorted(found.thresholds.tolist())
    for threshold in np.linspace(0, 1, 41):
        expected = [(p.first, p.second) for p in find_pairs(hashes, given, rule=rule_at(threshold))]
        assert sorted(map(tuple, found.up_to(threshold).tolist())) == expected
        assert found.count(threshold) == len(expected)
    assert found.count(1) == len(found.pairs)
    assert found.count(0) < found.count(0.5) < found.count(1)


def test_candidates_leave_out_pictures_without_a_hash_and_do_without_a_vector():
    hashes = np.array([5, 5, 5, 4, 5 ^ 0xFFFF])
    vectors = np.tile(np.array([1.0, 0.0], np.float32), (5, 1))
    vectors[3] = np.nan

    found = candidates(
        hashes,
        vectors,
        has_hash=np.array([True, False, True, True, True]),
        has_vector=np.array([True, True, True, False, True]),
    )

    assert found.pairs.tolist() == [[0, 2], [0, 3], [2, 3], [0, 4], [2, 4]]
    assert found.bits.tolist() == [0, 1, 1, 16, 16]
    assert np.isnan(found.distances).tolist() == [False, True, True, False, False]


def test_candidates_keep_the_nearest_when_there_are_too_many():
    hashes, vectors = like_pictures()
    everything = candidates(hashes, vectors)

    found = candidates(hashes, vectors, most=60)

    assert found.is_cut
    assert found.pairs.tolist() == everything.pairs[:60].tolist()
    assert not candidates(hashes, vectors, most=len(everything.pairs)).is_cut


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_candidates_among_few_equal_pictures(count):
    found = candidates(np.zeros(count, np.int64), np.ones((count, 1), np.float32))
    assert found.pairs.tolist() == [[i, j] for i in range(count) for j in range(i + 1, count)]
    assert found.thresholds.tolist() == [0] * len(found.pairs)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"vectors": np.array([[1], [np.nan]], np.float32)}, "vectors"),
        ({"vectors": np.ones((3, 1), np.float32)}, "vectors"),
        ({"has_hash": np.ones(3, bool)}, "has_hash"),
    ],
)
def test_candidates_of_unfit_arrays_are_refused(given, field):
    with pytest.raises(InvalidParameter) as refused:
        candidates(np.zeros(2, np.int64), **given)
    assert refused.value.field == field


def test_find_pairs_of_none_and_of_one():
    assert list(find_pairs(np.empty(0, np.int64))) == []
    assert list(find_pairs(np.zeros(1, np.int64))) == []


def test_real_copies_are_found_by_hash_and_other_pictures_are_not():
    """Resized, grey and recoded copies of ukbench images, by the hash alone."""
    folder = real_folder("near_duplicates/copies")
    paths = [
        path
        for path in sorted(folder.rglob("ukbench*.*"))
        if path.suffix != ".svg" and not any(word in path.name for word in ("hflip", "rotation", "corrupt"))
    ]
    hashes = np.array([perceptual_hash(np.asarray(Image.open(path).convert("RGB"))) for path in paths])
    names = [path.name[:12] for path in paths]
    found = {(pair.first, pair.second) for pair in find_pairs(hashes)}
    true = {(i, j) for i in range(len(names)) for j in range(i + 1, len(names)) if names[i] == names[j]}
    assert found == true


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([], 0),
        ([0.3], 1),
        ([0.3, 0.1], 2),
        ([0.31, 0.30, 0.29, 0.22, 0.215, 0.21, 0.205], 3),
        ([0.30, 0.29, 0.28, 0.27, 0.26], 5),  # an even slope has no gap
        ([0.300, 0.299, 0.290, 0.2899, 0.2898], 5),  # a gap that is wide only beside the others
    ],
)
def test_cut_at_gap(scores, kept):
    assert cut_at_gap(scores) == kept
