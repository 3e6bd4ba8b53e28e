"""What groups are in numbers: the same by SQL as by the algorithm that runs use."""

import time

import numpy as np
import pytest

from batches.clustering import vectors
from batches.groups import operations as grouping
from batches.groups import statistics
from batches.models import BatchImage, ClusterRun, Group
from images.models import Embedding
from processing.algorithms.clustering.groups import describe_groups
from processing.algorithms.clustering.points import as_points
from tests.factories import make_rows
from tests.factories.with_vectors import blobs, give_vectors, group_rows, keys_of, make_batch

pytestmark = pytest.mark.django_db


def test_facts_are_those_of_describe_groups():
    rows = blobs(12, 7, 2, 1)
    batch = make_batch(rows)
    groups = group_rows(batch, a=range(12), b=range(12, 19), c=range(19, 21), d=range(21, 22))
    labels = np.repeat([0, 1, 2, 3], [12, 7, 2, 1])
    expected = describe_groups(as_points(rows, "euclidean"), labels, "euclidean")

    found = [statistics.group_facts(batch)[groups[name].pk] for name in "abcd"]

    assert [fact.count for fact in found] == expected.sizes.tolist()
    np.testing.assert_allclose([fact.radius for fact in found], expected.radii, rtol=1e-5, atol=1e-7)
    cosines = [np.mean(rows[labels == g] @ c / np.linalg.norm(c)) for g, c in enumerate(expected.centroids)]
    np.testing.assert_allclose([fact.cohesion for fact in found], cosines, rtol=1e-5)
    for label, fact in enumerate(found):
        distances = np.linalg.norm(rows - expected.centroids[label], axis=1)[labels == label]
        place = np.flatnonzero(labels == label)[distances.argmin()]
        assert fact.medoid == keys_of(batch)[place] or np.isclose(np.ptp(distances), 0, atol=1e-6)


def test_facts_follow_the_groups_and_the_trash():
    batch = make_batch(blobs(6, 4))
    groups = group_rows(batch, a=range(6), b=range(6, 10))
    assert statistics.group_facts(batch)[groups["a"].pk].count == 6

    grouping.move(batch, keys_of(batch)[:2], to=groups["b"].label, actor=None)
    found = statistics.group_facts(batch)
    assert (found[groups["a"].pk].count, found[groups["b"].pk].count) == (4, 6)

    batch.images.filter(pk=keys_of(batch)[0]).update(status="trashed")
    assert statistics.group_facts(batch)[groups["b"].pk].count == 5


def test_facts_are_kept_until_something_differs(django_assert_num_queries):
    batch = make_batch(blobs(6))
    group_rows(batch, a=range(6))
    first = statistics.group_facts(batch)

    with django_assert_num_queries(2):  # whose vectors, and whether all is as it was
        assert statistics.group_facts(batch) == first


def test_facts_without_vectors_are_none():
    batch = make_batch(blobs(3))
    group_rows(batch, a=range(3))
    Embedding.objects.all().delete()

    assert statistics.group_facts(batch) == {}
    assert statistics.group_facts(make_batch(np.zeros((0, 384)), name="Empty")) == {}


def test_vectors_are_those_of_the_run_that_grouped():
    batch = make_batch(blobs(3))
    usual = vectors.source_of(batch)
    clip = [
        Embedding(image_id=key, model="clip", weights_sha256="c" * 64, dim=512, vector=[1.0] + [0.0] * 511)
        for key in keys_of(batch)
    ]
    Embedding.objects.bulk_create(clip)
    assert vectors.source_of(batch) == usual

    run = ClusterRun.objects.create(batch=batch, number=1, model="clip", weights_sha256="d" * 64)
    batch.active_run = run

    assert vectors.source_of(batch) == vectors.Source("clip", "c" * 64)


def test_load_gives_the_vectors_in_the_order_of_the_batch():
    rows = blobs(5, 3)
    batch = make_batch(rows)
    groups = group_rows(batch, a=range(5), b=range(5, 8))
    source = vectors.source_of(batch)

    keys, found = vectors.load(batch, source)
    assert keys == keys_of(batch)
    np.testing.assert_array_equal(found, rows)

    keys, found = vectors.load(batch, source, group_id=groups["b"].pk)
    assert keys == keys_of(batch)[5:]
    np.testing.assert_array_equal(found, rows[5:])
    assert vectors.load(make_batch(np.zeros((0, 384)), name="Empty"), source)[0] == []


@pytest.mark.check
def test_facts_of_many_images():
    batch = make_batch(np.zeros((0, 384)))
    rows = blobs(*[45] * 100, *[500])
    images = make_rows(len(rows))
    keys = [image.pk for image in images]
    give_vectors(keys, rows)
    _fill(batch, keys)

    started = time.monotonic()
    assert len(statistics.group_facts(batch)) == 100
    measured = time.monotonic() - started
    statistics.group_facts(batch)
    again = time.monotonic() - started - measured
    page = statistics.suggestions(batch, limit=50)
    suggested = time.monotonic() - started - measured - again

    assert (page.count, page.total_unassigned) == (500, 500)
    print(f"100 groups of 5 000 images: {measured:.2f} s, again {again:.3f} s, suggestions {suggested:.2f} s")


def _fill(batch, keys):
    groups = Group.objects.bulk_create(Group(batch=batch, label=str(n)) for n in range(100))
    BatchImage.objects.bulk_create(
        BatchImage(
            batch=batch,
            image_id=key,
            position=place,
            group=groups[place // 45] if place < 4500 else None,
            assigned_by="auto" if place < 4500 else "",
        )
        for place, key in enumerate(keys)
    )
