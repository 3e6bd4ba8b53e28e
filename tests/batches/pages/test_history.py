"""The history of a batch for people: undo of the last step and of older ones, redo, conflicts."""

import pytest

from batches import services
from batches.groups import operations as grouping
from batches.membership import add_upload
from tests.batches.pages.test_batches import address, ids, make_batch, text_of
from tests.factories import make_rows, make_user

pytestmark = pytest.mark.django_db


def test_undo_and_redo_of_the_last_step(reviewer):
    batch = make_batch(reviewer.user)
    grouping.create_group(batch, actor=reviewer.user, name="Red", image_ids=ids(batch)[:2])

    undone = text_of(reviewer.post(address("batch-undo", batch), {"version": batch.version}, follow=True))
    assert "Undid: created the group Red with 2 images." in undone
    assert not batch.groups.exists()
    batch.refresh_from_db()
    again = text_of(reviewer.post(address("batch-redo", batch), {"version": batch.version}, follow=True))
    assert "Redid: created the group Red" in again
    assert batch.groups.count() == 1


def test_undo_on_a_page_that_is_out_of_date_is_refused(reviewer):
    batch = make_batch(reviewer.user)
    shown = batch.version
    other = make_user("write", username="berta")
    grouping.create_group(batch, actor=other, name="Red", image_ids=ids(batch)[:2])

    page = text_of(reviewer.post(address("batch-undo", batch), {"version": shown}, follow=True))

    assert "berta created the group Red" in page
    assert batch.groups.count() == 1


def test_undo_of_an_older_step_names_the_conflicts_and_takes_back_the_rest(reviewer):
    batch = make_batch(reviewer.user, images=6)
    keys = ids(batch)
    red = grouping.create_group(batch, actor=reviewer.user, name="Red").group
    blue = grouping.create_group(batch, actor=reviewer.user, name="Blue").group
    moved = grouping.move(batch, keys[:4], to=red.label, actor=reviewer.user)
    grouping.move(batch, keys[:1], to=blue.label, actor=reviewer.user)
    step = {"sequence": moved.change.sequence}

    page = text_of(reviewer.post(address("batch-undo", batch), step), 409)
    reviewer.post(address("batch-undo", batch), {**step, "skip_conflicts": "1"})

    assert "This step cannot be undone as a whole" in page
    assert "Undo the other 3" in page
    assert batch.batch_images.filter(group=red).count() == 0
    assert batch.batch_images.filter(group=blue).count() == 1


def test_history_and_steps(viewer, reviewer):
    batch = make_batch(reviewer.user)
    assert "added 4 images" in text_of(viewer.get(address("batch-history", batch)))
    part = text_of(reviewer.get(address("batch-steps", batch), {"next": "/batches/"}))
    assert 'id="batch-undo"' in part
    assert 'id="batch-line" hx-swap-oob="true"' in part  # the counts come with the steps
    assert "4 images" in part
    assert "<html" not in part


def test_history_tells_of_uploads_into_a_new_batch(reviewer):
    batch = services.create_batch("Shoes", owner=reviewer.user)
    for row in make_rows(2):
        add_upload(batch, row, by=reviewer.user)

    assert "uploaded 2 images" in text_of(reviewer.get(address("batch-history", batch)))
    assert "Nothing has changed yet." not in text_of(reviewer.get(address("batch", batch)))
