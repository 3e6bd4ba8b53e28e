"""A group opened on the review page: the order of its pictures, and the panel with those that look the same."""

import uuid

import pytest

from batches.groups import operations as grouping
from batches.models import Batch, BatchImage
from batches.pages import review_group
from images.models import Image
from tests.batches.pages.test_review import images_of, label_of, make_batch
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db
COUNT = 5


@pytest.fixture
def batch() -> Batch:
    """Boots placed by the machine, of which the later ones are less sure."""
    batch = make_batch({"boots": COUNT, "hats": 2})
    for number, key in enumerate(images_of(batch, "boots")):
        row = BatchImage.objects.filter(batch=batch, image=key)
        row.update(assigned_by="auto", probability=0.9 - number / 10)
    return batch


def shown(client, batch: Batch, query: str = "") -> list[uuid.UUID]:
    response = client.get(f"/batches/{batch.pk}/review/groups/{label_of(batch, 'boots')}/?{query}")
    assert response.status_code == 200
    return [member.image_id for member in response.context["members"]]


def test_least_sure_pictures_come_first_and_decided_ones_last(reviewer, batch):
    keys = images_of(batch, "boots")
    assert shown(reviewer, batch) == keys
    assert shown(reviewer, batch, "pictures=unsure") == keys[::-1]

    grouping.decide(batch, keys[4:], decision="rejected", actor=None)
    grouping.decide(batch, keys[3:4], decision="accepted", actor=None)
    grouping.lock(batch, keys[2:3], locked=True, actor=None)
    assert shown(reviewer, batch) == [keys[1], keys[0], keys[2], keys[3], keys[4]]  # the order is remembered
    assert shown(reviewer, batch, "pictures=place") == keys
    assert shown(reviewer, batch, "pictures=nonsense") == keys


@pytest.mark.parametrize("order", review_group.ORDERS)
def test_every_picture_is_in_one_screenful(batch, monkeypatch, order):
    monkeypatch.setattr(review_group, "IMAGES_PER_PAGE", 2)
    BatchImage.objects.filter(batch=batch).update(probability=1 / 3)
    boots, seen, after = batch.groups.get(name="boots"), [], ""
    for _ in range(COUNT):
        rows, after = review_group.pictures(batch, boots, order=order, after=after)
        seen += [row.image_id for row in rows]
        if not after:
            break
    assert seen == images_of(batch, "boots")


@pytest.mark.parametrize(
    "cursor", ["", "x", "nan_1", "inf_1", "1_x", "0.5_99999999999999999999", "_", "7", "1e999_1"]
)
def test_cursor_that_is_none_begins_at_the_beginning(reviewer, batch, cursor):
    assert shown(reviewer, batch, f"pictures=unsure&after={cursor}") == images_of(batch, "boots")[::-1]


def test_sync_says_how_sure_a_picture_is_and_where_to_go_on(reviewer, batch):
    shown(reviewer, batch, "pictures=unsure")
    label, before, keys = label_of(batch, "boots"), batch.version, images_of(batch, "boots")
    grouping.decide(batch, keys[:1], decision="accepted", actor=None)
    grouping.edit_group(batch, label_of(batch, "hats"), actor=None, values={"status": "confirmed"})

    asked = {"since": before, "group": label, "order": "worst"}
    told = reviewer.get(f"/batches/{batch.pk}/review/sync/", asked).json()

    assert 'data-sureness="2"' in told["images"][str(keys[0])]
    assert told["next_open"] == f"/batches/{batch.pk}/review/groups/{label}/?order=worst"


def panel(client, batch: Batch, image_id: uuid.UUID, query: str = "") -> str:
    response = client.get(f"/batches/{batch.pk}/review/images/{image_id}/?{query}")
    assert response.status_code == 200
    return squeezed(response.content.decode())


def test_panel_says_how_surely_an_image_is_there(viewer, batch):
    image = Image.objects.get(pk=images_of(batch, "boots")[0])
    image.issues = [{"code": "blurred", "explanation": "It is blurred."}]
    image.quality_grade = 31
    image.save()
    BatchImage.objects.filter(batch=batch, image=image).update(assigned_by="auto", probability=0.3)

    text = viewer.get(f"/batches/{batch.pk}/review/images/{image.pk}/").content.decode()

    assert "Possibly in this group." in text
    assert "It is blurred." in text
    assert image.original_filename in text


def test_panel_compares_pictures_that_look_the_same(reviewer, viewer, batch):
    one, two, three = images_of(batch, "boots")[:3]
    for key, phash, side in ((one, 0, 640), (two, 1, 1280), (three, 0x0F0F_3333_5555_0FF0, 640)):
        Image.objects.filter(pk=key).update(phash=phash, width=side)

    assert f'data-with="{two}"' in panel(reviewer, batch, one)
    assert "Near-duplicates" not in panel(reviewer, batch, three)
    compared = panel(reviewer, batch, one, f"with={two}")
    assert compared.count("<figure") == 2
    assert "1 of 64 bits differ" in compared
    assert f'class="button small primary" type="button" data-act="keep" data-keep="{two}"' in compared
    assert "data-keep" not in panel(viewer, batch, one, f"with={two}")
    for other in (three, one, uuid.uuid4(), "%00", "x" * 500):
        assert "<figure" not in panel(reviewer, batch, one, f"with={other}")
