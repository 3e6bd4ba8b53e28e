"""The pages of batches without scripts: every form is a plain post, every refusal a sentence."""

import uuid

import pytest
from django.urls import reverse

from batches import services, stages
from batches.groups import operations as grouping
from batches.models import Batch
from images.models import Image
from tests.factories import make_image, make_rows, pictures, upload
from tests.factories.markup import text_of

pytestmark = pytest.mark.django_db


def make_batch(owner, *, images: int = 4, name: str = "Shoes", **described) -> Batch:
    keys = [image.pk for image in make_rows(images)]
    return services.create_batch(name, owner=owner, image_ids=keys, **described)


def ids(batch: Batch) -> list[uuid.UUID]:
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def address(name: str, batch: Batch, **more) -> str:
    return reverse(name, kwargs={"batch_id": batch.pk, **more})


def test_empty_list_says_what_to_do(reviewer, viewer):
    assert "Drop a folder of photographs" in text_of(reviewer.get("/batches/"))
    seen = text_of(viewer.get("/batches/"))
    assert "No batches have been created yet." in seen
    assert "New batch" not in seen


def names(client, query: str = "") -> list[str]:
    return [line.batch.batch_name for line in client.get(f"/batches/?{query}").context["lines"]]


def test_list_filters(reviewer, operator):
    make_batch(operator.user, name="Boots", note="for winter")
    make_batch(operator.user, name="Hats", assignee=reviewer.user)
    services.archive(make_batch(operator.user, name="Old"), actor=operator.user)
    services.delete_batch(make_batch(operator.user, name="Gone"), actor=operator.user)

    assert names(reviewer) == ["Hats", "Boots"]
    assert names(reviewer, "search=winter") == ["Boots"]
    assert names(reviewer, "whose=mine") == ["Hats"]
    assert names(reviewer, f"assignee={reviewer.user.username}") == ["Hats"]
    assert names(reviewer, "stage=approved") == []
    assert names(reviewer, "status=draft") == ["Hats", "Boots"]
    assert names(reviewer, "view=archived") == ["Old"]
    assert names(reviewer, "view=deleted") == ["Gone"]
    assert names(reviewer, "search=%00") == []


def test_list_has_a_constant_number_of_queries(viewer, operator, django_assert_max_num_queries):
    for number in range(8):
        make_batch(operator.user, name=f"Batch {number}")

    with django_assert_max_num_queries(12):
        viewer.get("/batches/")


def test_new_batch_with_files_without_scripts(reviewer):
    form = {
        "batch_name": "Autumn",
        "priority": "high",
        "assignee": reviewer.user.username,
        "note": "wet",
        "file": [upload(pictures.png(seed=61), "a.png"), upload(b"no picture", "b.jpg")],
    }

    page = text_of(reviewer.post("/batches/new/", form, follow=True))

    batch = Batch.objects.get()
    assert (batch.batch_name, batch.priority, batch.assignee, batch.note) == (
        "Autumn",
        1,
        reviewer.user,
        "wet",
    )
    assert "The batch was created with 1 image." in page
    assert "b.jpg:" in page


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"batch_name": " "}, "The name must have 1 to 200 characters; this one has 0."),
        ({"batch_name": "A", "priority": "soon"}, "is not a valid choice. Choose one of: urgent"),
        ({"batch_name": "A", "assignee": "nobody"}, "does not exist"),
        ({"batch_name": "A", "image": [str(uuid.UUID(int=7))]}, "does not exist or has been deleted"),
        ({"batch_name": "A", "query": "uploaded_by=nobody"}, "There is no user"),
    ],
)
def test_wrong_new_batch_is_said_and_nothing_is_made(reviewer, form, sentence):
    assert sentence in text_of(reviewer.post("/batches/new/", form), 400).replace("&#x27;", "'")
    assert not Batch.objects.exists()


def test_batch_of_what_is_selected_in_the_library(reviewer):
    image, other = make_image(name="a.jpg"), make_image(name="b.jpg")

    form = text_of(reviewer.post("/batches/from-selection/", {"image": [image.pk, other.pk, "rubbish"]}))
    reviewer.post("/batches/new/", {"batch_name": "Two", "image": [image.pk, other.pk]})

    assert "Of 2 images that you selected" in form
    assert set(ids(Batch.objects.get())) == {image.pk, other.pk}


def test_batch_of_a_filter_of_the_library(reviewer):
    make_image(pictures.png(seed=3), name="cup.png")
    make_image(pictures.jpeg(seed=4), name="tree.jpg")

    form = text_of(reviewer.get("/batches/new/?filter=1&format=png"))
    reviewer.post("/batches/new/", {"batch_name": "Cups", "query": "format=png"})

    assert "Of 1 image that your filter finds" in form
    assert ids(Batch.objects.get()) == [Image.objects.get(format="png").pk]


def test_selected_pictures_into_a_batch_that_is_there(reviewer):
    batch, image = make_batch(reviewer.user, images=1), make_image()

    page = text_of(
        reviewer.post("/batches/add/", {"batch": batch.pk, "image": [image.pk, *ids(batch)]}, follow=True)
    )
    wrong = text_of(reviewer.post("/batches/add/", {"batch": "x", "image": [image.pk]}, follow=True))

    assert "1 image added. 1 was already in the batch." in page
    assert "does not exist" in wrong


def test_overview_shows_groups_history_and_pictures(viewer, reviewer):
    batch = make_batch(reviewer.user, images=5)
    keys = ids(batch)
    grouping.create_group(batch, actor=reviewer.user, name="Red shoes", image_ids=keys[:3])

    page = text_of(viewer.get(address("batch", batch)))

    assert "5 images · 1 group, 0 done · 2 unassigned" in page
    assert "created the group Red shoes with 3 images" in page
    assert page.count("data-tile") == 5
    for refused in ("batch-undo", 'name="move"', "Add images", "start-run", "Archive"):
        assert refused not in page


def test_overview_draws_grades_and_group_sizes(viewer, reviewer):
    graded = [row for grade in (5, 95, 100) for row in make_rows(2, quality_grade=grade)]
    keys = [row.pk for row in [*graded, *make_rows(1)]]
    batch = services.create_batch("Graded", owner=reviewer.user, image_ids=keys)
    for count in (3, 1):
        grouping.create_group(batch, actor=reviewer.user, image_ids=keys[:count])

    response = viewer.get(address("batch", batch))

    assert [bar.count for bar in response.context["quality_bars"]] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 4]
    assert response.context["unmeasured"] == 1
    assert [(bar.count, bar.length) for bar in response.context["group_bars"]] == [(2, 100), (1, 50)]
    assert "Images by grade: 0 to 10: 2, 90 to 100: 4" in text_of(response)


def test_overview_of_a_batch_without_pictures(reviewer):
    batch = services.create_batch("Empty", owner=reviewer.user)

    assert "Add images" in text_of(reviewer.get(address("batch", batch)))


def test_overview_has_a_constant_number_of_queries(reviewer, django_assert_max_num_queries):
    batch = make_batch(reviewer.user, images=60)
    for number in range(5):
        grouping.create_group(batch, actor=reviewer.user, image_ids=ids(batch)[number * 5 : number * 5 + 5])

    with django_assert_max_num_queries(35):
        reviewer.get(address("batch", batch))


def test_edit(reviewer):
    batch = make_batch(reviewer.user)
    form = {
        "batch_name": "Boots",
        "note": "n",
        "priority": "low",
        "assignee": reviewer.user.username,
        "reviewer": "",
    }

    reviewer.post(address("batch-edit", batch), form)
    refused = text_of(reviewer.post(address("batch-edit", batch), {"batch_name": ""}, follow=True))

    batch.refresh_from_db()
    assert (batch.batch_name, batch.priority, batch.assignee) == ("Boots", 3, reviewer.user)
    assert "0 characters" in refused


def test_stages_with_their_sentences(reviewer, operator):
    batch = make_batch(reviewer.user)
    at = address("batch-stage", batch)

    assert "waits for validation" in text_of(reviewer.post(at, {"move": "submit"}, follow=True))
    assert "Give a reason for sending the batch back." in text_of(
        reviewer.post(at, {"move": "reject"}, follow=True)
    )
    assert "Its reviewer or an operator can validate it" in text_of(reviewer.get(address("batch", batch)))
    assert reviewer.post(at, {"move": "approve"}).status_code == 403
    unfinished = text_of(operator.post(at, {"move": "approve"}, follow=True))
    assert "This batch is not finished: " in unfinished
    assert "images unassigned" in unfinished
    for _ in range(2):
        operator.post(at, {"move": "approve", "confirm": "yes", "reason": "good enough"})
    batch.refresh_from_db()
    assert batch.review_stage == "approved"
    assert "is approved" in text_of(reviewer.get(address("batch", batch)))
    operator.post(at, {"move": "reopen"})
    batch.refresh_from_db()
    assert batch.review_stage == "work"
    assert "Choose an action." in text_of(operator.post(at, {"move": "dance"}, follow=True))


def test_take_pictures_out_and_upload_others(reviewer):
    batch = make_batch(reviewer.user)

    out = text_of(
        reviewer.post(address("batch-images-remove", batch), {"image": ids(batch)[:2]}, follow=True)
    )
    none = text_of(reviewer.post(address("batch-images-remove", batch), follow=True))
    form = {"file": [upload(pictures.png(seed=62), "in.png")]}
    added = text_of(reviewer.post(address("batch-upload", batch), form, follow=True))

    assert "2 images removed from the batch." in out
    assert "Select at least one image." in none
    assert "1 image added." in added
    assert batch.batch_images.count() == 3


def test_archive_delete_and_restore(operator):
    batch = make_batch(operator.user)

    assert "was archived" in text_of(operator.post(address("batch-archive", batch), follow=True))
    assert "You can view it, but not change it" in text_of(operator.get(address("batch", batch)))
    operator.post(address("batch-unarchive", batch))
    operator.post(address("batch-delete", batch))
    assert operator.get(address("batch", batch)).status_code == 404
    assert "Restore" in text_of(operator.get("/batches/?view=deleted"))
    operator.post(address("batch-restore", batch))
    batch.refresh_from_db()
    assert (batch.status, batch.deleted_at) == ("draft", None)


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("batch-edit", "write"),
        ("batch-undo", "write"),
        ("batch-redo", "write"),
        ("batch-upload", "write"),
        ("batch-images-remove", "write"),
        ("batch-archive", "process"),
        ("batch-delete", "process"),
        ("batch-analyze", "process"),
        ("batch-process", "process"),
    ],
)
def test_what_a_viewer_may_not_do(viewer, reviewer, name, scope):
    batch = make_batch(reviewer.user)
    response = viewer.post(address(name, batch))
    assert response.status_code == 403
    assert f"the scope “{scope}”" in response.content.decode()


@pytest.mark.parametrize("name", ["batch", "batch-card", "batch-history", "batch-steps", "batch-analysis"])
def test_unknown_batch_is_not_found(viewer, name):
    assert viewer.get(reverse(name, args=[uuid.uuid4()])).status_code == 404


def test_move_open_only_at_its_stage(operator):
    batch = make_batch(operator.user)
    stages.move(batch, "submit", actor=operator.user)

    page = text_of(operator.post(address("batch-stage", batch), {"move": "submit"}, follow=True))

    assert "Allowed stages: work" in page


def test_a_batch_takes_as_many_images_as_the_page_counted(reviewer):
    make_rows(2, tags=["cups"])
    page = text_of(reviewer.get("/batches/new/?filter=1&tag=cups"))
    make_rows(1, tags=["cups"])
    form = {"batch_name": "Cups", "query": "tag=cups", "expected": "2"}

    refused = reviewer.post("/batches/new/", form)
    none = Batch.objects.count()
    reviewer.post("/batches/new/", {**form, "expected": "3"})

    assert 'name="expected" value="2"' in page
    assert refused.status_code == 409
    assert 'name="expected" value="3"' in refused.content.decode()
    assert (none, Batch.objects.get().batch_images.count()) == (0, 3)
