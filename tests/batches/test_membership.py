"""Images that come into a batch and leave it."""

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from api.core.errors import ApiError
from batches import membership, services
from batches.history import changes
from batches.membership import add_images, add_upload, remove_images
from batches.models import Batch
from tests.factories import make_image, make_rows, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return make_user("write", username="anna")


@pytest.fixture
def batch(anna):
    return services.create_batch("Shoes", owner=anna)


def told(batch):
    return list(batch.changes.order_by("sequence").values_list("summary", "image_count"))


def test_uploads_that_follow_each_other_are_one_step_that_undo_takes_back(batch, anna):
    for row in make_rows(3):
        add_upload(batch, row, by=anna)

    assert told(batch) == [("uploaded 3 images", 3)]
    assert list(batch.batch_images.values_list("position", flat=True)) == [1, 2, 3]
    changes.undo(batch, actor=anna)
    assert batch.batch_images.count() == 0
    changes.redo(batch, actor=anna)
    assert batch.batch_images.count() == 3


def test_uploads_of_another_person_or_of_later_are_steps_of_their_own(batch, anna, monkeypatch):
    ben = make_user("write", username="ben")
    first, second, third, fourth = make_rows(4)
    monkeypatch.setattr(membership, "UPLOADS_TOGETHER", 2)
    add_upload(batch, first, by=anna)
    add_upload(batch, second, by=ben)
    batch.changes.update(created_at=timezone.now() - timedelta(hours=1))
    add_upload(batch, third, by=ben)
    add_upload(batch, fourth, by=ben)

    assert [count for _, count in told(batch)] == [1, 1, 2]


def test_an_upload_leaves_the_version_that_a_reviewer_looks_at(batch, anna):
    version = batch.version

    add_upload(batch, make_rows(1)[0], by=anna)

    assert Batch.objects.get(pk=batch.pk).version == version


def test_the_same_file_again_comes_in_once(batch, anna):
    image = make_image(after=partial(add_upload, batch, by=anna), uploaded_by=anna)

    add_upload(batch, image, by=anna)

    assert told(batch) == [("uploaded 1 image", 1)]
    assert batch.changes.get().kind == "upload"


@pytest.mark.parametrize("close", ["approved", "archived", "deleted"])
def test_a_closed_batch_takes_nothing(batch, anna, close):
    row = make_rows(1)[0]
    if close == "approved":
        Batch.objects.filter(pk=batch.pk).update(review_stage="approved")
    else:
        {"archived": services.archive, "deleted": services.delete_batch}[close](batch, actor=anna)

    for wrong in (lambda: add_upload(batch, row, by=anna), lambda: add_images(batch, [row.pk], actor=anna)):
        with pytest.raises(ApiError, match=close):
            wrong()
    assert batch.batch_images.count() == 0


def test_images_come_once_and_leave(batch, anna):
    rows = [row.pk for row in make_rows(3)]

    added = [add_images(batch, some, actor=anna).count for some in (rows[:2], rows)]
    removed = remove_images(batch, rows[:2], actor=anna).count

    assert (added, removed) == ([2, 1], 2)
    with pytest.raises(ApiError, match=f"Image {rows[0]} is not in this batch"):
        remove_images(batch, [rows[2], rows[0]], actor=anna)
    assert batch.batch_images.count() == 1
    assert told(batch) == [
        ("added 2 images", 2),
        ("added 1 image", 1),
        ("removed 2 images from the batch", 2),
    ]
