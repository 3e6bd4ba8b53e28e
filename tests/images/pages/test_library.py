import uuid

import pytest
from django.core.files.storage import default_storage

from images import services
from images.models import Image
from images.pages.library_presenter import PAGE_SIZE
from tests.factories import make_image, make_rows, pictures, upload

pytestmark = pytest.mark.django_db


def names(client, query: str = "") -> list[str]:
    response = client.get(f"/images/?{query}")
    assert response.status_code == 200
    return [image.original_filename for image in response.context["page"].images]


def test_empty_library_says_what_to_do(reviewer, viewer):
    assert "No images yet" in reviewer.get("/images/").content.decode()
    assert "data-gallery-upload" not in viewer.get("/images/").content.decode()


def test_pages_follow_without_repeating(viewer):
    make_rows(PAGE_SIZE * 2 + 5)
    seen: list[str] = []
    query = ""
    for _ in range(3):
        page = viewer.get(f"/images/?{query}").context["page"]
        seen += [image.original_filename for image in page.images]
        query = f"after={page.next_cursor}"

    assert len(seen) == len(set(seen)) == PAGE_SIZE * 2 + 5
    assert page.next_cursor == ""


def test_htmx_asks_for_tiles_only(viewer):
    make_rows(PAGE_SIZE + 1)
    cursor = viewer.get("/images/").context["page"].next_cursor

    text = viewer.get(f"/images/?after={cursor}", headers={"HX-Request": "true"}).content.decode()

    assert text.count("data-tile") == 1
    assert "<html" not in text


def test_filters(reviewer):
    mine = make_image(pictures.png(seed=1), name="cup.png", uploaded_by=reviewer.user, tags=["kitchen"])
    make_image(pictures.jpeg(seed=2), name="tree.jpg", kind="product")
    today = mine.created_at.date().isoformat()

    assert names(reviewer, "format=png") == ["cup.png"]
    assert names(reviewer, "kind=product") == ["tree.jpg"]
    assert names(reviewer, "search=kitchen") == ["cup.png"]
    assert names(reviewer, "uploaded_by=me") == ["cup.png"]
    assert names(reviewer, "status=damaged") == []
    assert len(names(reviewer, f"from={today}&to={today}")) == 2
    assert names(reviewer, "to=2001-01-01") == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday", "“yesterday” is not a valid date"),
        ("format=exe", "format"),
        ("uploaded_by=nobody", "There is no user"),
    ],
)
def test_wrong_filter_is_said(viewer, query, sentence):
    make_rows(1)

    response = viewer.get(f"/images/?{query}")

    assert response.context["page"].images == []
    assert sentence in response.content.decode()


def test_upload_without_scripts(reviewer):
    files = [upload(pictures.png(seed=7), "ok.png"), upload(b"I am text.", "note.jpg")]

    response = reviewer.post("/images/upload/", {"file": files}, follow=True)
    text = response.content.decode()

    assert "1 image added to the library." in text
    assert "note.jpg:" in text
    assert "not an image" in text
    assert names(reviewer) == ["ok.png"]


def test_selected_images_into_the_trash_and_back(reviewer):
    image, other = make_image(name="a.jpg"), make_image(name="b.jpg")

    gone = reviewer.post("/images/actions/", {"image": [image.pk], "action": "delete"}, follow=True)
    in_trash = names(reviewer, "view=trash")
    back = reviewer.post(
        "/images/actions/", {"image": [image.pk], "action": "restore", "next": "/images/?view=trash"}
    )

    assert "1 image moved to the trash." in gone.content.decode()
    assert in_trash == ["a.jpg"]
    assert back.url == "/images/?view=trash"
    assert set(names(reviewer)) == {"a.jpg", other.original_filename}


def test_selected_images_go_to_the_start_page(operator):
    image = make_image()

    response = operator.post("/images/actions/", {"image": [image.pk, "rubbish"], "action": "process"})

    assert response.url == f"/?images={image.pk.hex}"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Select at least one image."),
        ({"action": "explode"}, "Choose what to do with the selected images."),
    ],
)
def test_action_without_sense_is_said(reviewer, fields, sentence):
    image = {"image": make_image().pk} if fields else {}

    response = reviewer.post(
        "/images/actions/", {**fields, **image, "next": "https://elsewhere.example/"}, follow=True
    )

    assert response.redirect_chain == [("/images/", 302)]
    assert sentence in response.content.decode()


@pytest.mark.parametrize("action", ["delete", "process"])
def test_viewer_may_not_act(viewer, action):
    image = make_image()

    assert viewer.post("/images/actions/", {"image": image.pk, "action": action}).status_code == 403
    image.refresh_from_db()
    assert image.status == "ready"


@pytest.mark.parametrize("query", ["", "?after="])
def test_images_are_ticked_only_by_who_may_act(viewer, reviewer, query):
    make_rows(PAGE_SIZE + 1)
    if query:
        query += viewer.get("/images/").context["page"].next_cursor

    headers = {"HX-Request": "true"} if query else {}
    assert "tile-check" in reviewer.get(f"/images/{query}", headers=headers).content.decode()
    assert "tile-check" not in viewer.get(f"/images/{query}", headers=headers).content.decode()


def test_image_page_shows_facts_and_hides_the_place(viewer, reviewer):
    image = make_image(name="place.jpg")
    Image.objects.filter(pk=image.pk).update(
        exif={"camera": "Leica M6", "iso": 400}, gps={"latitude": 52.52, "longitude": 13.405}
    )

    seen, hidden = (client.get(f"/images/{image.pk}/").content.decode() for client in (reviewer, viewer))

    assert "Leica M6" in seen
    assert "<dt>ISO</dt>" in seen
    assert "52.52" in seen
    assert "52.52" not in hidden
    assert "You need the scope “write” to see it" in hidden
    assert 'name="title"' not in hidden


def test_edit(reviewer):
    image = make_image()
    form = {"title": "Morning", "tags": "a, b,, a", "kind": "product", "note": "warm"}

    response = reviewer.post(f"/images/{image.pk}/edit/", form)
    wrong = reviewer.post(f"/images/{image.pk}/edit/", {"kind": "planet"})

    image.refresh_from_db()
    assert response.status_code == 302
    assert (image.title, image.tags, image.kind, image.note) == ("Morning", ["a", "b"], "product", "warm")
    assert wrong.status_code == 400
    assert "planet" in wrong.content.decode()


def test_trash_restore_and_pin_of_one_image(reviewer):
    image = make_image()

    reviewer.post(f"/images/{image.pk}/trash/")
    trashed = reviewer.get(f"/images/{image.pk}/").content.decode()
    reviewer.post(f"/images/{image.pk}/restore/")
    reviewer.post(f"/images/{image.pk}/pin/", {"pinned": "1"})

    image.refresh_from_db()
    assert "In the trash" in trashed
    assert (image.status, image.pinned) == ("ready", True)


@pytest.mark.parametrize("action", ["edit", "trash", "restore", "pin"])
def test_changes_need_the_scope_write(viewer, action):
    image = make_image()

    response = viewer.post(f"/images/{image.pk}/{action}/", {"title": "x"})

    assert response.status_code == 403
    assert "Ask an administrator for the scope “write”" in response.content.decode()


def test_unknown_and_purged_images_are_not_found(viewer):
    image = make_image()
    services.purge(image, actor=None)

    assert viewer.get(f"/images/{uuid.uuid4()}/").status_code == 404
    assert viewer.get(f"/images/{image.pk}/").status_code == 404


def test_library_has_a_constant_number_of_queries(viewer, django_assert_max_num_queries):
    make_rows(PAGE_SIZE)

    with django_assert_max_num_queries(12):
        viewer.get("/images/")


def test_image_without_its_original_says_so_and_is_listed_as_damaged(reviewer):
    image = make_image(pictures.png(seed=91))
    default_storage.delete(image.file)

    text = reviewer.get(f"/images/{image.pk}/").content.decode()

    assert "The original file is missing from storage." in text
    assert "verify_storage --repair" in text
    assert f"/api/images/{image.pk}/file/" not in text
    assert names(reviewer, "status=damaged") == [image.original_filename]


def test_pattern_lies_behind_transparent_pictures_only(reviewer):
    opaque = make_image(pictures.png(seed=92))
    transparent = make_image(pictures.png(seed=93))
    Image.objects.filter(pk=transparent.pk).update(mode="RGBA")

    pages = [reviewer.get(f"/images/{image.pk}/").content.decode() for image in (opaque, transparent)]

    assert ["see-through" in page for page in pages] == [False, True]


@pytest.mark.parametrize(
    ("count", "expected"), [(101, {}), (101, {"expected": "100"}), (2, {"expected": "3"})]
)
def test_an_action_is_for_as_many_images_as_the_page_counted(reviewer, count, expected):
    rows = make_rows(count)
    form = {"action": "delete", "image": [str(row.pk) for row in rows]}

    refused = reviewer.post("/images/actions/", {**form, **expected}, follow=True)
    still_there = Image.objects.filter(status="ready").count()
    reviewer.post("/images/actions/", {**form, "expected": str(count)})

    assert f" for {count}" in " ".join(str(one) for one in refused.context["messages"])
    assert (still_there, Image.objects.filter(status="ready").count()) == (count, 0)
