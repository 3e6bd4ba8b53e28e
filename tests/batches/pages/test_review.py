import math
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.groups import operations as grouping
from batches.history import changes
from batches.models import Batch, BatchImage, Group
from batches.pages.review_presenter import GROUPS_PER_PAGE, STRIP
from batches.services import add_images, archive, create_batch
from images.models import Embedding
from images.vectors import embeddings
from tests.factories import make_rows

pytestmark = pytest.mark.django_db


def make_batch(groups: dict[str, int], *, loose: int = 0) -> Batch:
    """A batch with named groups of so many images, and some images in none."""
    batch = create_batch("Shoes", owner=None)
    rows = make_rows(sum(groups.values()) + loose)
    add_images(batch, [row.pk for row in rows], actor=None)
    at = 0
    for name, count in groups.items():
        keys = [row.pk for row in rows[at : at + count]]
        grouping.create_group(batch, name=name, image_ids=keys, actor=None)
        at += count
    return batch


def images_of(batch: Batch, name: str | None) -> list[uuid.UUID]:
    found = batch.batch_images.filter(group__name=name) if name else batch.batch_images.filter(group=None)
    return list(found.order_by("position").values_list("image", flat=True))


def label_of(batch: Batch, name: str) -> str:
    return batch.groups.get(name=name).label


def titles(client, batch: Batch, query: str = "") -> list[str]:
    response = client.get(f"/batches/{batch.pk}/review/?{query}")
    assert response.status_code == 200
    return [row.group.title for row in response.context["page"].rows]


def embed(image_id: uuid.UUID, angle: float) -> None:
    """A vector in a plane."""
    vector = [math.cos(angle), math.sin(angle), *[0.0] * 382]
    spec, sha256 = embeddings.usable()
    Embedding.objects.create(
        image_id=image_id, model=spec.name, weights_sha256=sha256, dim=384, vector=vector
    )


def act(client, batch: Batch, do: str, **fields):
    return client.post(f"/batches/{batch.pk}/review/act/", {"do": do, **fields}, follow=True)


@pytest.fixture
def batch() -> Batch:
    return make_batch({"boots": 14, "red shoes": 3, "hats": 5}, loose=2)


def test_groups_are_strips_with_their_first_pictures(viewer, batch):
    boots = batch.groups.get(name="boots")
    cover = images_of(batch, "boots")[-1]
    grouping.edit_group(batch, boots.label, actor=None, values={"cover": cover})
    response = viewer.get(f"/batches/{batch.pk}/review/")
    row = response.context["page"].rows[0]

    assert [row.group.title for row in response.context["page"].rows] == ["boots", "hats", "red shoes"]
    assert (row.count, len(row.members), row.members[0].image_id) == (14, STRIP, cover)
    assert "0 of 3 groups done" in response.content.decode()


def test_orders_and_filters(viewer, batch):
    grouping.edit_group(batch, label_of(batch, "boots"), actor=None, values={"status": "confirmed"})

    assert titles(viewer, batch, "order=open") == ["hats", "red shoes", "boots"]
    assert titles(viewer, batch, "status=confirmed") == ["boots"]
    assert titles(viewer, batch, "status=open") == ["hats", "red shoes"]
    assert titles(viewer, batch, "search=SHOE") == ["red shoes"]
    assert titles(viewer, batch, "search=nothing") == []
    assert titles(viewer, batch, "order=rubbish&status=x&after=y") == ["boots", "hats", "red shoes"]


def test_the_least_alike_come_first(viewer, batch):
    for name, spread in (("boots", 0.1), ("hats", 1.2), ("red shoes", 0.5)):
        for number, key in enumerate(images_of(batch, name)):
            angle = spread * number / 5
            embed(key, angle)

    response = viewer.get(f"/batches/{batch.pk}/review/?order=worst")
    rows = response.context["page"].rows

    assert [row.group.name for row in rows] == ["hats", "red shoes", "boots"]
    assert all(0 < row.cohesion <= 1 for row in rows)


def test_pages_follow_without_repeating(viewer):
    batch = make_batch({f"g{number}": 1 + number % 3 for number in range(GROUPS_PER_PAGE + 5)})
    first = viewer.get(f"/batches/{batch.pk}/review/").context["page"]
    gone = first.rows[-1].group
    grouping.delete_group(batch, gone.label, actor=None)  # the cursor holds all the same
    answer = viewer.get(
        f"/batches/{batch.pk}/review/", {"after": first.next_cursor}, headers={"HX-Request": "true"}
    )

    shown = [row.group.pk for row in first.rows] + [row.group.pk for row in answer.context["page"].rows]
    assert len(shown) == len(set(shown)) == GROUPS_PER_PAGE + 5
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize("place", ["", "groups/{label}/", "unassigned/", "sync/?since=0", "images/{image}/"])
def test_number_of_queries_does_not_grow(viewer, place):
    counts = []
    for times in (1, 4):
        batch = make_batch({f"g{number}": 5 * times for number in range(5 * times)}, loose=4 * times)
        label, image = batch.groups.first().label, images_of(batch, None)[0]
        path = f"/batches/{batch.pk}/review/{place.format(label=label, image=image)}"
        viewer.get(path)  # what is cached is cached
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert viewer.get(path).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] < 30


def test_viewer_sees_no_controls(viewer, reviewer, batch):
    label = label_of(batch, "boots")
    for place in ("", f"groups/{label}/", "unassigned/"):
        path = f"/batches/{batch.pk}/review/{place}"
        assert 'data-act="move"' not in viewer.get(path).content.decode()
        assert 'name="image"' not in viewer.get(path).content.decode()
        assert 'name="image"' in reviewer.get(path).content.decode()
    assert act(viewer, batch, f"confirm:{label}").status_code == 403
    assert not Group.objects.filter(status="confirmed").exists()


def test_closed_batch_is_read_only(reviewer, batch):
    archive(batch, actor=None)
    text = reviewer.get(f"/batches/{batch.pk}/review/").content.decode()

    assert "This batch is archived" in text
    assert 'name="image"' not in text
    assert (
        "Unarchive it to make changes"
        in act(reviewer, batch, f"confirm:{label_of(batch, 'boots')}").content.decode()
    )


def test_plain_forms_do_everything_that_matters(reviewer, batch):
    boots, hats = label_of(batch, "boots"), label_of(batch, "hats")
    chosen = images_of(batch, "boots")[:3]

    moved = act(reviewer, batch, "move", image=chosen, to=hats)
    act(reviewer, batch, "reject", image=chosen[:1], reason="blurred")
    act(reviewer, batch, "accept", image=chosen[1:2])
    act(reviewer, batch, f"rename:{hats}", name="headwear")
    act(reviewer, batch, f"confirm:{hats}")
    act(reviewer, batch, "new", image=chosen[2:], name="gloves")
    act(reviewer, batch, f"merge:{boots}", to=hats)

    assert "Moved 3 images from boots to hats." in moved.content.decode()
    first = BatchImage.objects.get(batch=batch, image=chosen[0])
    assert (first.group.name, first.decision, first.reject_reason) == ("headwear", "rejected", "blurred")
    assert BatchImage.objects.get(batch=batch, image=chosen[1]).decision == "accepted"
    assert images_of(batch, "gloves") == chosen[2:]
    assert batch.groups.get(label=hats).is_confirmed
    assert not batch.groups.filter(label=boots).exists()


@pytest.mark.parametrize(
    ("do", "fields", "sentence"),
    [
        ("move", {"to": "1"}, "Select at least one image"),
        ("move", {"image": "rubbish", "to": "1"}, "Select at least one image"),
        ("rename:99", {"name": "x"}, "This batch has no group"),
        ("merge:1", {"to": "1"}, "cannot be merged into itself"),
        ("confirm:1", {"version": "1"}, "Reload it and try again."),
        ("explode", {}, "Choose an action."),
    ],
)
def test_refusal_is_a_sentence_and_changes_nothing(reviewer, batch, do, fields, sentence):
    before = batch.changes.count()

    response = act(reviewer, batch, do, **fields)

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert batch.changes.count() == before


def test_image_of_another_batch_is_refused(reviewer, batch):
    stranger = make_rows(1)[0]

    response = act(reviewer, batch, "reject", image=stranger.pk)

    assert "is not in this batch" in response.content.decode()
    assert reviewer.get(f"/batches/{batch.pk}/review/images/{stranger.pk}/").status_code == 404


def test_unknown_batch_and_group(viewer, batch):
    assert viewer.get(f"/batches/{uuid.uuid4()}/review/").status_code == 404
    assert viewer.get(f"/batches/{batch.pk}/review/groups/none-such/").status_code == 404
    assert viewer.get(f"/batches/{batch.pk}/review/groups/a%00b/").status_code == 404
    assert viewer.get(f"/batches/{batch.pk}/review/groups/unassigned/").status_code == 200


@pytest.mark.parametrize("do", ["move", "confirm", "rename", "merge", "delete", "new", "reject", "\0"])
@pytest.mark.parametrize("text", ["\0", "a\0b", "x" * 5000])
def test_texts_that_no_group_can_have_change_nothing(reviewer, batch, do, text):
    before = batch.version
    fields = {
        "to": text,
        "label": text,
        "name": text,
        "reason": text,
        "image": [images_of(batch, "hats")[0], text],
    }
    response = act(reviewer, batch, do, **fields)
    assert response.status_code == 200
    batch.refresh_from_db()
    assert batch.version == before


def test_group_page_knows_its_neighbours(viewer, batch):
    grouping.edit_group(batch, label_of(batch, "hats"), actor=None, values={"status": "confirmed"})

    context = viewer.get(f"/batches/{batch.pk}/review/groups/{label_of(batch, 'boots')}/").context

    assert context["before"] is None
    assert context["after"].group.name == "hats"
    assert context["next_open"].group.name == "red shoes"


def test_sync_tells_what_changed(viewer, batch):
    before, boots, hats = batch.version, label_of(batch, "boots"), label_of(batch, "hats")
    moved, red = images_of(batch, "boots")[:2], batch.groups.get(name="red shoes")
    grouping.move(batch, moved, to=hats, actor=None)
    grouping.delete_group(batch, red.label, actor=None)
    path = f"/batches/{batch.pk}/review/sync/"

    told = viewer.get(path, {"since": before}).json()
    opened = viewer.get(path, {"since": before, "group": boots}).json()
    gone = viewer.get(path, {"since": before, "group": red.label}).json()

    assert told["version"] == batch.version
    assert {key for key, html in told["strips"].items() if html is None} == {str(red.pk)}
    assert [(row["title"], row["count"]) for row in told["groups"]] == [("boots", 12), ("hats", 7)]
    assert told["unassigned"] == 5
    assert {opened["images"][str(key)] for key in moved} == {None}
    assert gone["is_gone"] is True
    assert viewer.get(path, {"since": batch.version}).json()["strips"] == {}


def test_sync_names_the_strips_of_decided_and_locked_images(viewer, batch):
    before, boots = batch.version, batch.groups.get(name="boots")
    grouping.decide(batch, images_of(batch, "boots")[:1], decision="rejected", actor=None)

    told = viewer.get(f"/batches/{batch.pk}/review/sync/", {"since": before}).json()

    assert set(told["strips"]) == {str(boots.pk)}
    assert "1 rejected" in told["strips"][str(boots.pk)]


def test_sync_after_undo_brings_the_group_back(viewer, batch):
    hats = batch.groups.get(name="hats")
    grouping.delete_group(batch, hats.label, actor=None)
    before = batch.version
    changes.undo(batch, actor=None)

    told = viewer.get(f"/batches/{batch.pk}/review/sync/", {"since": before}).json()

    assert "hats" in told["strips"][str(hats.pk)]


def test_suggestions_stand_beside_the_groups(reviewer, batch):
    for name, angle in (("boots", 0.0), ("hats", 1.5)):
        for number, key in enumerate(images_of(batch, name)):
            embed(key, angle + number / 50)
    near = images_of(batch, None)[0]
    embed(near, 0.01)

    context = reviewer.get(f"/batches/{batch.pk}/review/").context

    ((member, suggestion),) = context["suggested"]
    assert member.image_id == near
    assert suggestion.choices[0].group.name == "boots"
    assert context["by_group"] == [("boots", label_of(batch, "boots"), 1)]
    assert context["steps"][-1][1] == 1
