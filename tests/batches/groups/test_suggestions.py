"""Images in no group: their nearest groups, and what taking these suggestions does."""

import uuid

import numpy as np
import pytest

from api.core.errors import ApiError
from batches.groups import operations as grouping
from batches.groups import statistics, suggestions
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.membership import add_images
from batches.models import Batch
from tests.batches.history.random_changes import state
from tests.factories import make_rows, make_user
from tests.factories.with_vectors import blobs, give_vectors, group_rows, keys_of, make_batch, unit_rows

pytestmark = pytest.mark.django_db

LONELY = unit_rows(np.array([[1, 0.2, 0], [0.2, 1, 0], [0.5, 0.6, 0.6], [1, 0.1, 0.1]]))


@pytest.fixture
def batch():
    """Two groups, boots and shoes, and four images in none at the places 12 to 15."""
    batch = make_batch(np.concatenate([blobs(7, 5), LONELY]))
    group_rows(batch, boots=range(7), shoes=range(7, 12))
    return batch


def told(page):
    return [(hit.image_id, [choice.group.name for choice in hit.choices]) for hit in page.results]


def groups_of(batch):
    return dict(batch.batch_images.values_list("image", "group__name"))


def test_each_image_has_its_nearest_groups_with_true_distances(batch):
    keys = keys_of(batch)
    rows = np.concatenate([blobs(7, 5), LONELY])
    centroids = {"boots": rows[:7].mean(axis=0), "shoes": rows[7:12].mean(axis=0)}

    page = statistics.suggestions(batch)

    assert (page.count, page.total_unassigned) == (4, 4)
    distances = [hit.choices[0].distance for hit in page.results]
    assert distances == sorted(distances)
    known = statistics.group_facts(batch)
    for hit in page.results:
        assert hit.name.startswith("picture-")
        assert len(hit.choices) == 2
        for choice in hit.choices:
            expected = np.linalg.norm(rows[keys.index(hit.image_id)] - centroids[choice.group.name])
            assert choice.distance == pytest.approx(expected, rel=1e-5)
            assert choice.is_inside == (expected <= known[choice.group.pk].radius)
            assert choice.closeness == pytest.approx(expected / known[choice.group.pk].radius, rel=1e-5)


def test_three_groups_at_most_and_pages(batch):
    keys = keys_of(batch)
    for name, place in (("a", 12), ("b", 13)):
        grouping.create_group(batch, name=name, image_ids=[keys[place]], actor=None)

    page = statistics.suggestions(batch, limit=1, offset=1)

    assert page.count == 2
    assert len(page.results) == 1
    assert len(page.results[0].choices) == 3
    alone = [c for hit in statistics.suggestions(batch).results for c in hit.choices if c.group.name in "ab"]
    assert {choice.closeness for choice in alone} == {None}  # one image has no radius


def test_only_what_the_machine_may_move_is_suggested(batch):
    keys = keys_of(batch)
    grouping.lock(batch, keys[12:13], locked=True, actor=None)
    grouping.decide(batch, keys[13:14], decision="rejected", actor=None)
    batch.images.filter(pk=keys[14]).update(status="trashed")

    page = statistics.suggestions(batch)

    assert [hit.image_id for hit in page.results] == keys[15:]
    assert page.total_unassigned == 3


def test_what_a_person_took_out_is_not_suggested_again(batch):
    keys = keys_of(batch)
    grouping.move(batch, keys[:1], to=None, actor=None)

    assert keys[0] not in [hit.image_id for hit in statistics.suggestions(batch).results]
    with pytest.raises(ApiError, match="taken out of its group by a person"):
        suggestions.accept(batch, image_ids=keys[:1], actor=None)


def test_the_steps_of_the_slider_count_what_accepting_takes(batch):
    steps = statistics.counts_by_distance(batch)

    assert steps[0][1] == 1
    assert steps[-1][1] == 4
    assert [count for _, count in steps] == sorted(count for _, count in steps)
    for distance, count in steps:
        assert statistics.suggestions(batch, max_distance=distance).count == count
        assert sum(n for _, n in suggestions.preview(batch, max_distance=distance)) == count


def test_accept_all_up_to_a_distance_and_take_it_back(batch):
    anna = make_user("write", username="anna")
    before = state(batch)
    distance = statistics.suggestions(batch).results[2].choices[0].distance

    change, count = suggestions.accept(batch, max_distance=distance + 1e-4, actor=anna)

    assert count == 3
    assert change.kind == "accept_suggestions"
    assert change.summary == "accepted 3 suggestions into boots and shoes"
    keys = keys_of(batch)
    assert [groups_of(batch)[key] for key in keys[12:]] == ["boots", "shoes", None, "boots"]
    assert set(batch.batch_images.filter(image__in=[keys[12], keys[13]]).values_list("assigned_by")) == {
        ("manual",)
    }
    changes.undo(batch, actor=anna)
    assert state(batch) == before


def test_accept_all_of_a_group(batch):
    label = batch.groups.get(name="boots").label

    change, count = suggestions.accept(batch, group_label=label, actor=None)

    assert (count, change.summary) == (2, "accepted 2 suggestions into boots")
    assert statistics.suggestions(batch).count == 2
    assert suggestions.accept(batch, group_label=label, actor=None) == (None, 0)


def test_accept_named_images_into_their_nearest_or_a_named_group(batch):
    keys = keys_of(batch)
    label = batch.groups.get(name="shoes").label

    assert suggestions.accept(batch, image_ids=keys[12:13], actor=None)[1] == 1
    assert suggestions.accept(batch, image_ids=keys[15:], group_label=label, actor=None)[1] == 1

    assert (groups_of(batch)[keys[12]], groups_of(batch)[keys[15]]) == ("boots", "shoes")


def test_a_named_image_that_has_a_group_meanwhile_is_a_conflict(batch):
    keys = keys_of(batch)
    grouping.move(batch, keys[12:13], to=batch.groups.get(name="shoes").label, actor=None)
    before = state(batch)

    with pytest.raises(ApiError, match="is now in shoes") as refused:
        suggestions.accept(batch, image_ids=keys[12:14], actor=None)

    assert refused.value.status == 409
    assert [error.field for error in refused.value.errors] == ["image_ids"]
    assert state(batch) == before


def test_an_image_without_a_vector_has_no_suggestion(batch):
    row = make_rows(1)[0]
    add_images(batch, [row.pk], actor=None)

    page = statistics.suggestions(batch)
    assert (page.count, page.total_unassigned) == (4, 5)
    with pytest.raises(ApiError, match="Analyze the batch") as refused:
        suggestions.accept(batch, image_ids=[row.pk], actor=None)
    assert refused.value.status == 409

    give_vectors([row.pk], LONELY[:1])
    assert statistics.suggestions(batch).count == 5


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "image_ids"),
        ({"image_ids": []}, "image_ids"),
        ({"image_ids": [uuid.uuid4()]}, "image_ids"),
        ({"group_label": "no such"}, "group_label"),
        ({"max_distance": -1.0}, "max_distance"),
        ({"max_distance": float("nan")}, "max_distance"),
        ({"image_ids": [uuid.uuid4()], "max_distance": 1.0}, "max_distance"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(batch, asked, field):
    before, version = state(batch), Batch.objects.get(pk=batch.pk).version

    with pytest.raises(ApiError) as refused:
        suggestions.accept(batch, **asked, actor=None)
    with pytest.raises(ApiError):
        suggestions.preview(batch, **asked)

    assert (refused.value.status, refused.value.errors[0].field) == (400, field)
    assert (state(batch), Batch.objects.get(pk=batch.pk).version) == (before, version)


def test_a_stale_version_is_refused(batch):
    with pytest.raises(ApiError) as refused:
        suggestions.accept(
            batch, max_distance=2.0, actor=None, expected_version=ExpectedVersion(batch.version - 1)
        )

    assert refused.value.status == 412
    assert statistics.suggestions(batch).count == 4


def test_small_batches_have_no_suggestions():
    for rows in (np.zeros((0, 384)), LONELY[:1]):
        batch = make_batch(rows)
        page = statistics.suggestions(batch)
        assert (page.results, page.count, page.total_unassigned) == ([], 0, len(rows))
        assert statistics.counts_by_distance(batch) == []
        assert suggestions.accept(batch, max_distance=2.0, actor=None) == (None, 0)
