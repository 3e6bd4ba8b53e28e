"""Undo and redo of everything that people do with groups."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from api.core.errors import ApiError
from batches.groups import operations as grouping
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.membership import add_images, remove_images
from batches.models import Batch, Group
from batches.services import create_batch
from tests.batches.history.random_changes import RandomWork, redo_all, state, undo_all
from tests.factories import make_rows, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return make_user("write", username="anna"), make_user("write", username="ben")


@pytest.fixture
def batch(people):
    batch = create_batch("Shoes", owner=people[0])
    add_images(batch, [row.pk for row in make_rows(6)], actor=people[0])
    return batch


def keys(batch):
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


@pytest.mark.check
def test_500_random_changes_come_back_and_happen_again():
    rows = make_rows(60)
    batch = create_batch("Random", owner=None)
    start = state(batch)
    work = RandomWork(batch, rows, seed=4)
    steps = 0
    while steps < 500:
        steps += work.step() is not None
    end = state(batch)

    assert undo_all(batch) == 500
    assert state(batch) == start
    assert redo_all(batch) == 500
    assert state(batch) == end


def test_undo_in_the_middle_of_random_work_goes_on_consistently():
    rows = make_rows(40)
    batch = create_batch("Random", owner=None)
    work = RandomWork(batch, rows, seed=5)
    states = [state(batch)]
    for _ in range(40):
        if work.step():
            states.append(state(batch))

    for _ in range(10):
        changes.undo(batch, actor=None)
        states.pop()
        assert state(batch) == states[-1]


def test_the_history_is_told_in_sentences(batch, people):
    anna, _ = people
    first = keys(batch)
    red = grouping.create_group(batch, name="red shoes", image_ids=first[:3], actor=anna).group
    boots = grouping.create_group(batch, name="boots", actor=anna).group
    grouping.move(batch, first[:2], to=boots.label, actor=anna)
    changes.undo(batch, actor=anna)

    told = [(change.kind, change.summary) for change in changes.history(batch)[:3]]

    assert told == [
        ("undo", "undid: moved 2 images from red shoes to boots"),
        ("move", "moved 2 images from red shoes to boots"),
        ("create_group", "created the group boots"),
    ]
    assert red.members.count() == 3


def test_undo_of_an_older_change_names_the_conflicts_and_takes_back_the_rest(batch, people):
    anna, ben = people
    first = keys(batch)
    red = grouping.create_group(batch, name="red", actor=anna).group
    blue = grouping.create_group(batch, name="blue", actor=anna).group
    moved = grouping.move(batch, first[:3], to=red.label, actor=anna).change
    grouping.move(batch, first[:1], to=blue.label, actor=ben)
    before = state(batch)

    with pytest.raises(ApiError) as refused:
        changes.undo(batch, sequence=moved.sequence, actor=anna)
    assert refused.value.status == 409
    assert [error.field for error in refused.value.errors] == [f"images.{first[0]}"]
    assert "by ben: moved 1 image from red to blue" in refused.value.detail
    assert state(batch) == before

    changes.undo(batch, sequence=moved.sequence, actor=anna, skip_conflicts=True)
    groups = dict(batch.batch_images.values_list("image", "group__name"))
    assert [groups[key] for key in first[:3]] == ["blue", None, None]


def test_a_group_that_holds_later_images_is_not_taken_away(batch, people):
    anna, _ = people
    first = keys(batch)
    red = grouping.create_group(batch, name="red", image_ids=first[:1], actor=anna).group
    made = batch.changes.get(kind="create_group")
    grouping.move(batch, first[1:2], to=red.label, actor=anna)

    with pytest.raises(ApiError, match="contains images that were added later"):
        changes.undo(batch, sequence=made.sequence, actor=anna)

    assert Group.objects.filter(pk=red.pk).exists()


def test_redo_ends_with_a_new_step(batch, people):
    anna, _ = people
    grouping.create_group(batch, name="red", actor=anna)
    changes.undo(batch, actor=anna)
    grouping.create_group(batch, name="blue", actor=anna)

    with pytest.raises(ApiError, match="nothing to redo"):
        changes.redo(batch, actor=anna)


def test_a_removed_image_comes_back_to_its_place(batch, people):
    anna, _ = people
    before = state(batch)

    remove_images(batch, keys(batch)[2:4], actor=anna)
    changes.undo(batch, actor=anna)

    assert state(batch) == before


def test_a_stale_version_changes_nothing(batch, people):
    anna, ben = people
    version = batch.version
    grouping.create_group(batch, name="red", actor=anna)

    for is_header, status in ((True, 412), (False, 409)):
        with pytest.raises(ApiError, match="by anna: created the group red") as refused:
            grouping.create_group(
                batch, name="blue", actor=ben, expected_version=ExpectedVersion(version, is_header)
            )
        assert refused.value.status == status

    assert list(batch.groups.values_list("name", flat=True)) == ["red"]


def test_nothing_done_is_no_step(batch, people):
    anna, _ = people
    red = grouping.create_group(batch, name="red", image_ids=keys(batch)[:1], actor=anna).group
    version = batch.version

    assert grouping.move(batch, keys(batch)[:1], to=red.label, actor=anna).change is None
    assert Batch.objects.get(pk=batch.pk).version == version


@pytest.mark.parametrize(
    "wrong",
    [
        lambda batch, key: grouping.move(batch, [uuid.uuid4()], to=None, actor=None),
        lambda batch, key: grouping.move(batch, [key], to="no such label", actor=None),
        lambda batch, key: grouping.move(batch, [], to=None, actor=None),
        lambda batch, key: grouping.merge(batch, into="1", sources=["1"], actor=None),
        lambda batch, key: grouping.merge(batch, into="1", sources=[], actor=None),
        lambda batch, key: grouping.merge(batch, into="none", sources=["1"], actor=None),
        lambda batch, key: grouping.create_group(batch, label="1", actor=None),
        lambda batch, key: grouping.create_group(batch, label="noise", actor=None),
        lambda batch, key: grouping.create_group(batch, label="a/b", actor=None),
        lambda batch, key: grouping.create_group(batch, name="x" * 201, actor=None),
        lambda batch, key: grouping.create_group(batch, name="a\0", actor=None),
        lambda batch, key: grouping.edit_group(batch, "1", values={"colour": "red"}, actor=None),
        lambda batch, key: grouping.edit_group(batch, "1", values={"status": "lost"}, actor=None),
        lambda batch, key: grouping.edit_group(batch, "1", values={"cover": key}, actor=None),
        lambda batch, key: grouping.split(batch, "1", [key], actor=None),
        lambda batch, key: grouping.decide(batch, [key], decision="maybe", actor=None),
        lambda batch, key: grouping.decide(batch, [key], decision="accepted", reason="why", actor=None),
        lambda batch, key: grouping.set_groups(batch, {}, actor=None),
        lambda batch, key: grouping.set_groups(batch, {"a": [key], "b": [key]}, actor=None),
        lambda batch, key: grouping.set_groups(batch, {"a": [key]}, creates=False, actor=None),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(batch, wrong):
    grouping.create_group(batch, name="red", actor=None)
    before, version = state(batch), Batch.objects.get(pk=batch.pk).version

    with pytest.raises(ApiError) as refused:
        wrong(batch, keys(batch)[0])

    assert refused.value.status == 400
    assert (state(batch), Batch.objects.get(pk=batch.pk).version) == (before, version)


def test_a_group_of_another_batch_is_refused_by_the_database(batch):
    other = create_batch("Other", owner=None)
    group = grouping.create_group(other, name="red", actor=None).group

    with transaction.atomic():
        batch.batch_images.update(group=group)
        with pytest.raises(IntegrityError), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def test_a_purged_image_stays_away(batch, people):
    anna, _ = people
    key = keys(batch)[0]
    remove_images(batch, [key], actor=anna)
    batch.images.model.objects.filter(pk=key).update(status="purged", file="")

    with pytest.raises(ApiError, match="was permanently deleted"):
        changes.undo(batch, actor=anna)


def test_a_step_comes_back_after_its_person_is_deleted(batch, people):
    anna, _ = people
    add_images(batch, [row.pk for row in make_rows(2)], actor=anna)
    remove_images(batch, keys(batch)[:1], actor=anna)
    anna.delete()

    changes.undo(batch, actor=None)
    changes.undo(batch, actor=None)
    changes.redo(batch, actor=None)

    assert batch.batch_images.count() == 8
    assert changes.history(batch)[0].summary == "redid: added 2 images"
