"""The library in the admin: list, one image, upload, trash, purge."""

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from api.models import AuditEvent
from batches.models import Batch, BatchImage
from images import services
from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_image, make_rows, pictures
from tests.factories.admin import IMAGES, act, audited, client_of, said

pytestmark = pytest.mark.django_db
UPLOAD = "admin:images_image_add"


def listed(client, **parameters) -> set[str]:
    response = client.get(reverse(IMAGES), parameters)
    assert response.status_code == 200
    return {image.original_filename for image in response.context["cl"].result_list}


def page_of(client, image) -> str:
    return client.get(reverse("admin:images_image_change", args=[image.pk])).content.decode()


def send(client, *files: tuple[str, bytes], **fields):
    pictures_sent = [SimpleUploadedFile(name, data) for name, data in files]
    return client.post(reverse(UPLOAD), {"kind": "photo", **fields, "pictures": pictures_sent})


def test_list_leaves_the_trash_out_until_asked(operator):
    kept, trashed, purged = make_rows(3)
    Image.objects.filter(pk=trashed.pk).update(status="trashed")
    Image.objects.filter(pk=purged.pk).update(status="purged")

    assert listed(operator) == {kept.original_filename}
    assert listed(operator, status="trashed") == {trashed.original_filename}
    assert len(listed(operator, status="all")) == 3


def test_list_is_searched_and_filtered(operator):
    first, second = make_rows(2)
    Image.objects.filter(pk=second.pk).update(reference="sku-9", format="png", source="web", kind="product")

    assert listed(operator, q="sku-9") == {second.original_filename}
    assert listed(operator, q=str(first.pk)) == {first.original_filename}
    assert listed(operator, q=first.sha256[:62]) == {first.original_filename, second.original_filename}
    assert listed(operator, format="png") == {second.original_filename}
    assert listed(operator, source__exact="web") == {second.original_filename}
    assert listed(operator, kind__exact="product") == {second.original_filename}


def test_list_has_constant_queries(operator, django_assert_num_queries, django_assert_max_num_queries):
    make_rows(2, uploaded_by=operator.user)
    with django_assert_max_num_queries(15) as few:
        operator.get(reverse(IMAGES))
    make_rows(30, uploaded_by=operator.user)
    with django_assert_num_queries(len(few)):
        operator.get(reverse(IMAGES))


def test_page_of_an_image(operator, django_assert_max_num_queries):
    image = make_image(pictures.camera_jpeg(), name="camera.jpg", reference="sku-7", tags=["red"])
    run_until_idle()

    with django_assert_max_num_queries(25):
        page = page_of(operator, image)

    for text in ("camera.jpg", image.sha256, "sku-7", "Pix One", "size=1024", "GPS"):
        assert text in page


def test_place_is_hidden_from_who_may_not_write(onlooker):
    image = make_image(pictures.camera_jpeg(seed=3))

    page = page_of(onlooker, image)

    assert "Pix One" in page
    assert "GPS" not in page


def test_edit(operator):
    image = make_image()
    url = reverse("admin:images_image_change", args=[image.pk])

    data = {"title": "Dress", "kind": "product", "tags": "red, summer , red", "note": "", "pinned": "on"}
    response = operator.post(url, data)

    image.refresh_from_db()
    assert (response.status_code, said(response)) == (302, ["Saved."])
    assert (image.title, image.kind, image.tags, image.pinned) == (
        "Dress",
        "product",
        ["red", "summer"],
        True,
    )
    assert audited()[-1] == ("image.update", str(image.pk))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reference": "x" * 201}, "201"),
        ({"tags": "t" * 65}, "64"),
        ({"kind": "painting"}, "Select a valid choice. painting"),
        ({"note": "n" * 10_001}, "10,000"),
    ],
)
def test_bad_edit_says_why_and_changes_nothing(operator, fields, sentence):
    image = make_image()
    url = reverse("admin:images_image_change", args=[image.pk])

    response = operator.post(url, {"kind": "photo", **fields})

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert Image.objects.get(pk=image.pk).updated_at == image.updated_at


def test_edit_by_who_may_not(onlooker):
    image = make_image()
    url = reverse("admin:images_image_change", args=[image.pk])

    assert onlooker.post(url, {"title": "Mine", "kind": "photo"}).status_code == 403


def test_upload_of_one_and_many(operator):
    first, second = pictures.jpeg(seed=1), pictures.png(seed=2)

    response = send(operator, ("a.jpg", first), ("b.png", second), tags="new, red", reference="delivery 5")

    assert response.status_code == 302
    assert said(response) == ["2 images stored."]
    stored = Image.objects.order_by("original_filename")
    assert [(i.original_filename, i.format, i.source, i.tags, i.reference) for i in stored] == [
        ("a.jpg", "jpg", "admin", ["new", "red"], "delivery 5"),
        ("b.png", "png", "admin", ["new", "red"], "delivery 5"),
    ]
    assert {image.uploaded_by for image in stored} == {operator.user}
    assert said(send(operator, ("again.jpg", first)))[-1] == "1 image already in the library."


def test_upload_refuses_each_bad_file_with_its_sentence(operator):
    whole = pictures.jpeg(seed=4)

    response = send(operator, ("good.jpg", whole), ("text.jpg", pictures.TEXT), ("empty.png", b""))

    messages = said(response)
    assert messages[0] == "1 image stored."
    assert any(message.startswith("text.jpg: ") for message in messages)
    assert any(message.startswith("empty.png: ") and "0 bytes" in message for message in messages)
    assert Image.objects.get().original_filename == "good.jpg"


def test_upload_of_nothing_but_bad_files_stays_on_the_form(operator):
    half = pictures.truncated(pictures.jpeg(800, 600, seed=5))

    response = send(operator, ("half.jpg", half))

    assert response.status_code == 200
    assert "half.jpg: " in response.content.decode()
    assert not Image.objects.exists()


@pytest.mark.parametrize(
    ("files", "fields", "sentence"),
    [
        ([], {}, "This field is required."),
        ([("a.jpg", b"x")], {"kind": "painting"}, "Select a valid choice. painting"),
        ([("a.jpg", pictures.jpeg(seed=6))], {"reference": "x" * 201}, "201"),
    ],
)
def test_upload_with_bad_fields(operator, files, fields, sentence):
    response = send(operator, *files, **fields)

    assert response.status_code == 200
    assert sentence in response.content.decode()
    assert not Image.objects.exists()


def test_upload_over_the_limit(operator, settings):
    settings.MAX_UPLOAD_BYTES = 1000

    page = send(operator, ("big.jpg", pictures.jpeg(200, 200, seed=8))).content.decode()

    assert "big.jpg: This file is too large" in page
    assert "The limit is 1.0 kB." in page


def test_thumbnails_are_made_again(operator):
    image = make_image()
    run_until_idle()
    image.renditions.all().delete()

    response = act(operator, IMAGES, "remake_thumbnails", image)

    assert said(response) == ["1 image queued for new thumbnails."]
    run_until_idle()
    assert image.renditions.count() == 4
    assert audited()[-1][0] == "image.thumbnails"


def test_trash_and_restore(operator):
    image = make_image()

    act(operator, IMAGES, "trash", image)
    assert Image.objects.get().status == "trashed"
    again = act(operator, IMAGES, "trash", image, query="?status=all")
    restored = act(operator, IMAGES, "restore", image, query="?status=all")

    assert Image.objects.get().status == "ready"
    assert said(again)[-1] == "1 image skipped: already in the trash or purged."
    assert said(restored)[-1] == "1 image restored."
    assert [action for action, _ in audited() if action != "image.upload"] == ["image.trash", "image.restore"]


def test_purge_asks_first(administrator):
    image = make_image()
    run_until_idle()

    page = act(administrator, IMAGES, "purge", image).content.decode()

    assert "Purge 1 image for good?" in page
    assert Image.objects.get().status == "ready"
    assert default_storage.exists(image.file)


def test_purge(administrator, django_capture_on_commit_callbacks):
    image, other = make_image(), make_image()
    batch = Batch.objects.create(batch_name="Spring")
    BatchImage.objects.create(batch=batch, image=other)
    run_until_idle()

    with django_capture_on_commit_callbacks(execute=True):
        response = act(administrator, IMAGES, "purge", image, other, confirmed="yes")

    assert {i.pk: i.status for i in Image.objects.all()} == {image.pk: "purged", other.pk: "ready"}
    assert (default_storage.exists(image.file), default_storage.exists(other.file)) == (False, True)
    assert said(response)[0] == "1 of 2 images purged."
    assert "It belongs to the batch “Spring”" in said(response)[-1]
    assert ("image.purge", str(image.pk)) in audited()
    assert AuditEvent.objects.get(action="image.purge").actor == administrator.user


def test_purge_across_all_pages_counts_them(administrator):
    rows = make_rows(70)

    shown = administrator.get(reverse(IMAGES)).context["action_form"]["expected"].value()
    all_of_them = {"select_across": "1", "expected": shown}
    page = act(administrator, IMAGES, "purge", rows[0], **all_of_them).content.decode()

    assert "Purge 70 images for good?" in page


@pytest.mark.parametrize("expected", [{}, {"expected": "69"}, {"expected": "x"}])
def test_all_pages_are_not_acted_on_when_their_number_changed(administrator, expected):
    rows = make_rows(70)

    response = act(administrator, IMAGES, "trash", rows[0], select_across="1", **expected)

    assert said(response) == ["The list has changed: it now has 70 images. Nothing was changed."]
    assert Image.objects.filter(status="ready").count() == 70


def test_page_of_a_purged_image(administrator):
    image = make_image()
    services.purge(image, actor=administrator.user)

    assert "The files were purged." in page_of(administrator, image)


def test_reviewer_with_staff_may_upload_and_trash_but_not_process():
    reviewer = client_of("write", is_staff=True)
    assert send(reviewer, ("a.jpg", pictures.jpeg(seed=11))).status_code == 302
    image = Image.objects.get()

    act(reviewer, IMAGES, "process", image)
    act(reviewer, IMAGES, "trash", image)

    assert Image.objects.get().status == "trashed"
    assert not Job.objects.filter(kind="process").exists()


def test_file_over_the_number_allowed(operator, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 2
    files = [(f"{number}.jpg", b"x") for number in range(3)]

    assert send(operator, *files).status_code == 400
