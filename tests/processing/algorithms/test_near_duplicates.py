"""Pairs of the same picture, and where a ranked list is cut."""

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.near_duplicates import Rule, find_pairs
from processing.algorithms.ranking import cut_at_gap
from processing.algorithms.thumbnails import perceptual_hash
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


def test_find_pairs_of_none_and_of_one():
    assert list(find_pairs(np.empty(0, np.int64))) == []
    assert list(find_pairs(np.zeros(1, np.int64))) == []


def test_real_copies_are_found_by_hash_and_other_pictures_are_not():
    """Resized, grey and recoded copies of ukbench pictures, by the hash alone."""
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
