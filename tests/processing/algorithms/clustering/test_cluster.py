"""Clustering against the hdbscan package, on blobs, moons and photographs."""

import os
import pickle
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.clustering.cluster import ClusterParameters, assign, cluster, label_points
from processing.algorithms.clustering.points import as_points
from processing.algorithms.clustering.projection import project
from processing.algorithms.clustering.sweep import sweep
from processing.algorithms.clustering.tree import core_distances, measure, spanning_tree
from processing.algorithms.clustering.validity import validity
from processing.algorithms.errors import InvalidParameter, ProcessingError

DATA = os.environ.get("PIX_TEST_DATA")


def blobs(count=900, width=96, *, centres=8, spread=2.5, seed=1):
    from sklearn.datasets import make_blobs

    made, _ = make_blobs(count, n_features=width, centers=centres, cluster_std=spread, random_state=seed)
    return made.astype(np.float32)


def moons():
    from sklearn.datasets import make_moons

    return make_moons(700, noise=0.07, random_state=3)[0]


def scattered(seed=0, shape=(300, 70)):
    return np.random.default_rng(seed).standard_normal(shape)


def copies():
    """Many equal vectors: more, and fewer, than any neighbourhood here."""
    rng = np.random.default_rng(5)
    return np.repeat(rng.standard_normal((90, 70)), rng.integers(1, 30, 90), axis=0)


@cache
def photographs():
    """384 random projections of 300 small photographs, of length 1: float32 as embeddings are."""
    if not DATA:
        pytest.skip("PIX_TEST_DATA names no folder with real photographs")
    paths = sorted((Path(DATA) / "photos").rglob("*.jpg"))[::3][:300]
    pixels = np.stack([small(path) for path in paths]).reshape(len(paths), -1)
    features = (pixels - pixels.mean(axis=0)) @ scattered(7, (pixels.shape[1], 384))
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)


def small(path):
    with Image.open(path) as picture:
        picture.draft("RGB", (64, 64))
        return np.asarray(picture.convert("RGB").resize((24, 24)), np.float64) / 255


def package(points, **given):
    from hdbscan import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return HDBSCAN(core_dist_n_jobs=1, **given).fit(points)


def assert_equal(found, expected):
    """Labels (noise included), probabilities, persistence and outlier scores, to the last bit."""
    assert found.labels.tolist() == expected.labels_.tolist()
    assert found.probabilities.tolist() == expected.probabilities_.tolist()
    assert found.persistence.tolist() == list(expected.cluster_persistence_)
    assert found.outlier_scores.tolist() == np.nan_to_num(expected.outlier_scores_).tolist()


SETTINGS = [
    {},
    {"min_cluster_size": 15},
    {"min_cluster_size": 10, "min_samples": 2},
    {"min_cluster_size": 4, "min_samples": 1, "cluster_selection_method": "leaf"},
    {"cluster_selection_method": "leaf"},
    {"allow_single_cluster": True},
    {"min_cluster_size": 8, "cluster_selection_epsilon": 0.7},
    {"cluster_selection_method": "leaf", "cluster_selection_epsilon": 20.0},
]
SOURCES = [blobs, copies, photographs, scattered]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_labels_above_60_dimensions_are_those_of_the_package(source, settings):
    points = as_points(source(), "euclidean")
    if source is copies:  # piles that the package leaves out have a test of their own
        points = points + 1e-3 * scattered(9, points.shape)

    found = label_points(points, ClusterParameters(**settings))

    assert found.tree == "matrix"
    assert_equal(found, package(points, **settings))


def test_equal_vectors_that_the_package_leaves_out_are_groups_behind_its_own():
    points = as_points(copies(), "euclidean")

    found = label_points(points, ClusterParameters(min_cluster_size=15))

    expected = package(points, min_cluster_size=15).labels_
    own = expected.max() + 1
    assert np.where(found.labels < own, found.labels, -1).tolist() == expected.tolist()
    for label in range(own, found.labels.max() + 1):
        members = points[found.labels == label]
        assert len(members) >= 15
        assert (members == members[0]).all()
        assert set(found.probabilities[found.labels == label]) == {1}
    left, sizes = np.unique(points[found.labels < 0], axis=0, return_counts=True)
    assert sizes.max() < 15
    assert len(found.persistence) == found.labels.max() + 1 > own


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("source", [moons, lambda: blobs(600, 3, spread=1.5), lambda: blobs(400, 60)])
def test_labels_up_to_60_dimensions_are_those_of_the_package(source, settings):
    points = as_points(source(), "euclidean")

    best = label_points(points, ClusterParameters(**settings))
    exact = label_points(points, ClusterParameters(algorithm="exact", **settings))

    assert (best.tree, exact.tree) == ("package", "matrix")
    assert_equal(best, package(points, **settings))
    assert_equal(exact, package(points, algorithm="prims_kdtree", **settings))


@pytest.mark.parametrize("settings", SETTINGS[:6] + [{"cluster_selection_epsilon": 0.02}], ids=str)
@pytest.mark.parametrize("source", [blobs, photographs, lambda: blobs(500, 12) + 30])
def test_labels_by_cosine_are_those_of_the_package(source, settings):
    vectors = source().astype(np.float64)

    found = label_points(as_points(vectors, "cosine"), ClusterParameters(metric="cosine", **settings))

    # 1 − cos from a matrix product is right to about 1e−15 only: numbers are near, labels equal
    from sklearn.metrics.pairwise import cosine_distances

    expected = package(cosine_distances(vectors), metric="precomputed", **settings)
    assert found.labels.tolist() == expected.labels_.tolist()
    np.testing.assert_allclose(found.probabilities, expected.probabilities_, atol=1e-6)


@pytest.mark.parametrize("neighbours", [1, 5, 20])
@pytest.mark.parametrize(
    "points",
    [
        pytest.param(np.stack(np.divmod(np.arange(400.0), 20), axis=1), id="grid"),
        pytest.param(np.random.default_rng(1).integers(0, 2, (300, 64)).astype(float), id="bits"),
        pytest.param(np.ones((200, 5)), id="equal"),
        pytest.param(np.outer(np.linspace(0, 1, 300) ** 2, np.arange(1.0, 65)), id="line"),
        pytest.param(np.vstack([scattered() * 1e-6, scattered(1, (9, 70))]), id="tight"),
        pytest.param(scattered() * 1e-30 + 0, id="tiny"),
        pytest.param(scattered() + 1e6, id="far"),
    ],
)
def test_the_tree_has_the_packages_edges_also_where_weights_are_equal(points, neighbours):
    from hdbscan.hdbscan_ import _hdbscan_prims_kdtree

    distances = measure(points, is_cosine=False)
    edges = spanning_tree(distances, core_distances(distances, neighbours))

    _, expected = _hdbscan_prims_kdtree(
        points, min_samples=neighbours, metric="euclidean", gen_min_span_tree=True
    )
    assert edges[np.argsort(edges.T[2]), :].tolist() == expected.tolist()


def test_the_matrix_is_within_its_stated_error():
    points = np.vstack([scattered() * 1e-4, scattered(1), scattered(2) + 40])
    distances = measure(points, is_cosine=False)
    rows, columns = np.divmod(np.arange(len(points) ** 2), len(points))

    exact = (distances.exact(rows, columns) / distances.scale) ** 2
    error = np.abs(distances.squared.ravel() - exact)

    assert (error <= distances.relative / 2 * exact + distances.absolute / 2).all()


def test_the_same_input_gives_the_same_bytes_whatever_the_number_of_threads():
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2):
        first, second = (pickle.dumps(cluster(blobs(), seed=3)) for _ in range(2))
    with threadpool_limits(1):
        alone = cluster(blobs(), seed=3)

    assert first == second
    assert pickle.dumps(alone.labelling) == pickle.dumps(pickle.loads(first).labelling)


def test_above_the_dense_limit_the_package_groups_principal_components_and_the_result_says_so():
    found = cluster(blobs(300), dense_limit=200)

    reduced = project(blobs(300).astype(np.float64), 50).coordinates.astype(np.float64)
    assert found.labelling.labels.tolist() == package(reduced).labels_.tolist()
    assert (found.labelling.tree, found.labelling.matrix_bytes) == ("package", 0)
    assert found.labelling.notes[0].startswith(
        "300 vectors are more than the 200 that are grouped exactly; these were grouped by their first 50 of 96"
    )


def test_above_the_dense_limit_cosine_finds_the_same_blobs():
    exact, reduced = (
        cluster(blobs(300, spread=0.5), ClusterParameters(metric="cosine"), dense_limit=limit)
        for limit in (300, 200)
    )
    assert len(exact.groups.sizes) == 8
    pairs = set(zip(reduced.labelling.labels.tolist(), exact.labelling.labels.tolist(), strict=True))
    assert len(pairs) == 8  # the same groups under other numbers


def test_too_many_vectors_are_refused():
    with pytest.raises(InvalidParameter, match="50,001 are too many to group at once; the limit is 50,000"):
        cluster(np.zeros((50_001, 1)))


@pytest.mark.parametrize("vectors", [np.zeros((0, 8)), [], scattered(0, (1, 8)), scattered(0, (4, 80))])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_fewer_vectors_than_a_group_needs_are_noise(vectors, metric):
    found = cluster(vectors, ClusterParameters(metric=metric, allow_single_cluster=True))

    assert found.labelling.labels.tolist() == [-1] * len(vectors)
    are = "image is" if len(vectors) == 1 else "images are"
    assert found.labelling.notes == (
        f"{len(vectors)} {are} too few for a group of at least 5; all remain ungrouped.",
    )
    assert (found.validity, found.groups.sizes.tolist()) == (None, [])
    assert found.projection.coordinates.shape == (len(vectors), 2)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("width", [1, 61])
def test_a_handful_of_vectors_is_grouped_as_the_package_does(count, width):
    points = scattered(0, (count, width))
    settings = {"min_cluster_size": 2, "min_samples": 9}

    found = cluster(points, ClusterParameters(**settings)).labelling

    assert_equal(found, package(points, **settings))
    assert found.notes[0] == (
        f"The number of neighbours was reduced to {count - 1} as there are only {count} images."
    )
    assert any("all images remain ungrouped." in note for note in found.notes) == (found.labels.max() < 0)


@pytest.mark.parametrize("width", [3, 80])
@pytest.mark.parametrize("is_allowed", [True, False])
def test_equal_vectors_are_one_group(width, is_allowed):
    one = cluster(np.ones((40, width)), ClusterParameters(allow_single_cluster=is_allowed))

    assert one.labelling.labels.tolist() == [0] * 40
    assert one.labelling.outlier_scores.tolist() == [0] * 40
    assert one.groups.radii.tolist() == [0]
    assert one.projection.coordinates.tolist() == [[0, 0]] * 40
    assert assign(np.ones((1, width)), one.groups).labels.tolist() == [0]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("method", ["leaf", "eom"])
@pytest.mark.parametrize("neighbours", [1, 2, None, 10])
@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((8,), [8]), ((12, 1, 1), [12]), ((8, *[1] * 30), [8]), ((6, 7, 1), [6, 7]), ((4,), [])],
)
@pytest.mark.parametrize("rounding", [0, 1e-8])
def test_equal_pictures_are_groups(metric, method, neighbours, sizes, expected, rounding):
    centres = scattered(2, (len(sizes), 384))
    vectors = np.repeat(centres / np.linalg.norm(centres, axis=1, keepdims=True), sizes, axis=0)
    vectors = (vectors + rounding * scattered(3, vectors.shape)).astype(np.float32)
    parameters = ClusterParameters(5, neighbours, metric, method)

    found = cluster(vectors, parameters)
    (trial,) = sweep(vectors, [5], [neighbours], metric=metric, cluster_selection_method=method)

    if len(sizes) < 10:  # many others may form groups, too
        assert sorted(found.groups.sizes.tolist()) == expected
    assert len(set(found.labelling.labels[: sizes[0]])) == 1
    assert (found.labelling.labels[0] >= 0) == bool(expected)
    assert trial.labels.tolist() == found.labelling.labels.tolist()


@pytest.mark.parametrize("method", ["leaf", "eom"])
def test_the_way_out_of_no_groups_leads_to_a_group(method):
    vectors = np.vstack([scattered(0, (1, 384))] * 12) + 0.01 * scattered(1, (12, 384))

    (note,) = label_points(
        as_points(vectors, "euclidean"), ClusterParameters(cluster_selection_method=method)
    ).notes

    change = "allow a single group (allow_single_cluster)"
    if method == "leaf":
        change += " and select fewer, larger groups (cluster_selection_method eom)"
    assert note == (
        "The images do not fall into several groups of at least 5, and one of all was not allowed; all images remain "
        f"ungrouped. You can {change}, or lower the smallest group (min_cluster_size, now 5)."
    )
    way = ClusterParameters(cluster_selection_method="eom", allow_single_cluster=True)
    assert label_points(as_points(vectors, "euclidean"), way).labels.max() == 0


def with_values(*values):
    vectors = np.ones((6, 3))
    vectors[[2, 4][: len(values)], 1] = values
    return vectors


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        (with_values(np.nan, np.inf), "2 of 6 have numbers that are not finite (row 2, 4, counted from 0)."),
        (with_values(1e200), "1 of 6 have numbers above 1e+100 (row 2, counted from 0)."),
        (np.ones(6), "must have the shape (count, dimensions ≥ 1), not (6,)."),
        (np.ones((2, 3, 4)), "must have the shape (count, dimensions ≥ 1), not (2, 3, 4)."),
        (np.ones((6, 0)), "must have the shape (count, dimensions ≥ 1), not (6, 0)."),
        (np.ones((6, 3), complex), "must be real numbers, not complex128."),
        (np.array([["a", "b"]]), "must be real numbers, not <U1."),
        (np.full((6, 3), None), "must be real numbers, not object."),
        ([[1.0, 2.0], [1.0]], "must all have the same length."),
    ],
)
def test_unusable_vectors_are_refused_with_a_sentence(vectors, sentence):
    with pytest.raises(ProcessingError) as refused:
        cluster(vectors)
    assert (refused.value.detail, refused.value.field) == (f"vectors: {sentence}", "vectors")


def test_a_vector_of_zeros_has_no_cosine_distance():
    with pytest.raises(InvalidParameter, match=r"1 of 5 are all zeros and have no direction"):
        cluster(np.eye(5) * [1, 1, 0, 1, 1], ClusterParameters(metric="cosine"))


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("min_cluster_size", 1, "must be a whole number of at least 2, not 1."),
        ("min_cluster_size", 5.0, "must be a whole number of at least 2, not 5.0."),
        ("min_samples", 0, "must be a whole number of at least 1, not 0."),
        ("metric", "manhattan", "must be euclidean or cosine, not 'manhattan'."),
        ("cluster_selection_method", "best", "must be eom or leaf, not 'best'."),
        ("cluster_selection_epsilon", -0.5, "must be a number of at least 0, not -0.5."),
        ("cluster_selection_epsilon", float("nan"), "must be a number of at least 0, not nan."),
        ("allow_single_cluster", "yes", "must be true or false, not 'yes'."),
        ("algorithm", "generic", "must be best or exact, not 'generic'."),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(name, value, sentence):
    with pytest.raises(InvalidParameter) as refused:
        ClusterParameters(**{name: value})
    assert (refused.value.detail, refused.value.field) == (f"{name}: {sentence}", name)


@pytest.mark.parametrize(("width", "spread"), [(2, 1.0), (5, 3.0)])
def test_validity_is_that_of_the_package(width, spread):
    from hdbscan.validity import validity_index

    points = blobs(600, width, spread=spread).astype(np.float64)
    labels = package(points).labels_

    assert validity(points, labels, seed=0) == pytest.approx(validity_index(points, labels), abs=1e-9)


def test_validity_falls_with_the_spread_also_in_many_dimensions_and_on_a_sample():
    from sklearn.datasets import make_blobs

    found = []
    for spread in (0.5, 2.0, 5.0):
        points, labels = make_blobs(2500, n_features=384, centers=5, cluster_std=spread, random_state=0)
        found.append(validity(points, labels, seed=0))

    assert found[0] > found[1] > found[2]
    assert all(-1 <= value <= 1 for value in found)


def test_the_projection_has_the_principal_components():
    from sklearn.decomposition import PCA

    points = blobs().astype(np.float64)
    found, expected = project(points), PCA(2).fit(points)

    np.testing.assert_allclose(np.abs(found.components @ expected.components_.T), np.eye(2), atol=1e-5)
    np.testing.assert_allclose(found.explained, expected.explained_variance_ratio_, rtol=1e-6)
    np.testing.assert_allclose(found.place(points), found.coordinates, atol=1e-4)


def test_a_medoid_has_the_least_sum_of_distances():
    vectors = blobs(300)
    found = cluster(vectors)

    for label, medoid in enumerate(found.groups.medoids):
        rows = np.flatnonzero(found.labelling.labels == label)
        between = np.linalg.norm(vectors[rows, None] - vectors[rows], axis=2)
        assert medoid == rows[between.sum(axis=1).argmin()]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_new_vectors_join_the_group_they_lie_in_and_far_ones_none(metric):
    vectors, new = blobs(900)[:700], blobs(900)[700:]
    found = cluster(vectors, ClusterParameters(metric=metric))
    whole = cluster(blobs(900), ClusterParameters(metric=metric)).labelling.labels
    far = -5 * found.groups.centroids.mean(axis=0, keepdims=True) + 30

    joined = assign(new, found.groups).labels

    same = {(int(a), int(b)) for a, b in zip(joined, whole[700:], strict=True) if a >= 0 and b >= 0}
    assert len(same) == len(found.groups.sizes) == 8  # each group is met by one group of the whole
    assert (joined >= 0).mean() > 0.8
    assert assign(far, found.groups).labels.tolist() == [-1]


def test_assigning_is_by_the_radius_of_the_nearest_group():
    found = cluster(blobs(300, spread=1.0))
    centre, radius = found.groups.centroids[2], found.groups.radii[2]
    step = np.zeros_like(centre)
    step[0] = radius

    answer = assign(np.stack([centre, centre + 0.99 * step, centre + 1.01 * step]), found.groups)

    assert answer.labels.tolist() == [2, 2, -1]
    np.testing.assert_allclose(answer.distances, radius * np.array([0, 0.99, 1.01]), rtol=1e-4, atol=1e-6)


def test_assigning_nothing_or_to_nothing_is_an_answer():
    groups, none = cluster(blobs(300)).groups, cluster(np.zeros((0, 96))).groups

    assert assign(np.zeros((0, 96)), groups).labels.tolist() == []
    assert assign(np.ones((2, 96)), none).labels.tolist() == [-1, -1]


def test_assigning_vectors_of_another_model_is_refused():
    with pytest.raises(InvalidParameter, match="have 384 dimensions, the groups have 96"):
        assign(np.ones((1, 384)), cluster(blobs(300)).groups)


def test_progress_grows_to_1():
    seen = []

    cluster(blobs(1500), progress=seen.append)

    assert seen == sorted(seen)
    assert len(seen) > 5
    assert (min(seen) >= 0, seen[-1]) == (True, 1.0)


def test_validity_takes_groups_of_one_and_of_equal_vectors():
    points = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [9.0, 9.0], [5.0, 0.0], [5.0, 0.0]])

    index = validity(points, np.array([0, 0, 0, 1, 2, 2]), seed=0)

    assert index is not None
    assert 0.9 < index <= 1
