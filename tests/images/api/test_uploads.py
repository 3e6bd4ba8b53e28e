"""POST /api/images/: what comes in, what is refused, and that a refusal leaves nothing."""

import hashlib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from api.core.disk import scratch_root
from images.models import Image, Rendition
from images.services import purge, trash
from processing.models import Job
from tests.factories import make_client, make_image, pictures, upload

pytestmark = pytest.mark.django_db


def files_on_disk() -> set[Path]:
    folders = (settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR)
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def client():
    return make_client("write")


def send(client, *parts, **fields):
    named = [upload(data, name) for data, name in parts]
    return client.post("/api/images/", {"file": named, **fields}, format="multipart")


def test_one_file_is_answered_with_its_image(client):
    data = pictures.camera_jpeg(80, 60, seed=1)

    response = send(client, (data, "holiday.jpg"))

    body = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"/api/images/{body['id']}/"
    expected = {
        "duplicate": False,
        "filename": "holiday.jpg",
        "image_hash": hashlib.sha256(data).hexdigest(),
        "byte_size": len(data),
        "format": "jpg",
        "mime_type": "image/jpeg",
        "width": 80,
        "height": 60,
        "status": "ready",
        "captured_at": "2024-05-06T07:08:09Z",
        "uploaded_by": client.user.username,
    }
    assert {name: body[name] for name in expected} == expected
    assert body["gps"]["latitude"] == pytest.approx(52.5)
    with default_storage.open(body["file_path"]) as stored:
        assert stored.read() == data
    assert Rendition.objects.filter(image_id=body["id"]).count() == 1
    assert Job.objects.get(image_id=body["id"]).kind == "ingest"


def test_the_key_has_the_hash_and_is_new_each_time(client):
    data = pictures.png(seed=2)
    first = send(client, (data, "a.png")).json()
    purge(Image.objects.get(pk=first["id"]), actor=None)

    second = send(client, (data, "a.png")).json()

    sha256 = hashlib.sha256(data).hexdigest()
    assert first["file_path"].startswith(f"{settings.UPLOAD_DIR}/{sha256[:2]}/{sha256[2:4]}/{sha256}-")
    assert second["file_path"] != first["file_path"]
    assert (second["duplicate"], second["id"] == first["id"]) == (False, False)


def test_known_bytes_are_answered_with_the_known_image(client):
    data = pictures.png(seed=3)
    first = send(client, (data, "first.png"))

    second = send(client, (data, "second.png"), reference="other")

    assert (first.status_code, second.status_code) == (201, 200)
    body = second.json()
    assert (body["id"], body["duplicate"], body["filename"], body["reference"]) == (
        first.json()["id"],
        True,
        "first.png",
        "",
    )


def test_everything_said_is_kept(client):
    fields = {
        "kind": "product",
        "title": "Shoe",
        "tags": '["red", "leather"]',
        "reference": "sku-1",
        "metadata": '{"shelf": [1, 2]}',
    }

    body = send(client, (pictures.webp(seed=4), "shoe.webp"), **fields).json()

    said = {"kind", "title", "tags", "reference", "metadata"}
    assert {name: body[name] for name in said} == {
        "kind": "product",
        "title": "Shoe",
        "tags": ["red", "leather"],
        "reference": "sku-1",
        "metadata": {"shelf": [1, 2]},
    }


@pytest.mark.parametrize(
    ("make", "format"),
    [
        (pictures.jpeg, "jpg"),
        (pictures.png, "png"),
        (pictures.webp, "webp"),
        (pictures.avif, "avif"),
        (pictures.tiff, "tiff"),
        (pictures.bmp, "bmp"),
        (pictures.gif, "gif"),
        (pictures.heic, "heic"),
        (pictures.animated_gif, "gif"),
        (pictures.png_16_bit, "png"),
        (pictures.cmyk_jpeg, "jpg"),
        (pictures.palette_png, "png"),
        (pictures.transparent_png, "png"),
        (pictures.one_bit_png, "png"),
    ],
)
def test_every_format_comes_in_under_its_own_extension(client, make, format):
    body = send(client, (make(), "picture.xyz")).json()

    assert (body["format"], body["filename"], body["width"]) == (format, f"picture.{format}", 64)
    assert body["file_path"].endswith(f".{format}")


def test_a_turned_picture_has_the_size_that_is_shown(client):
    body = send(client, (pictures.camera_jpeg(80, 60, seed=5, orientation=6), "turned.jpg")).json()

    assert (body["width"], body["height"], body["orientation"]) == (60, 80, 6)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 400, "empty_file"),
        (pictures.TEXT, 415, "not_an_image"),
        (pictures.SVG, 415, "unsupported_format"),
        (pictures.truncated(pictures.jpeg(200, 150)), 400, "damaged_image"),
        (pictures.truncated(pictures.png(200, 150)), 400, "damaged_image"),
        (pictures.bomb_png(), 413, "image_too_large"),
        (pictures.bomb_png(10_000), 413, "image_too_large"),
    ],
)
def test_a_refused_file_is_an_error_body_and_leaves_nothing(client, data, status, code):
    before = files_on_disk()

    response = send(client, (data, "holiday.jpg"))

    body = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert set(body) == {"type", "code", "detail", "errors", "request_id"}
    assert body["request_id"] == response["X-Request-ID"]
    assert files_on_disk() == before
    assert (Image.objects.count(), Job.objects.count()) == (0, 0)


def test_a_file_above_the_limit_names_limit_and_size_and_is_not_kept(client, settings):
    settings.MAX_UPLOAD_BYTES = 10_000
    before = files_on_disk()

    response = send(client, (b"\xff" * 70_000, "large.jpg"))

    assert response.status_code == 413
    body = response.json()
    assert body["detail"] == "This file is too large (70 kB). The limit is 10 kB."
    assert (body["limit"], body["value"]) == (10_000, 70_000)
    assert files_on_disk() == before


def test_a_request_that_can_only_be_too_large_is_refused_unread(client, settings):
    settings.MAX_UPLOAD_BYTES, settings.MAX_FILES_PER_REQUEST = 100, 1
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = send(client, (b"\xff" * 5_000, "large.jpg"))

    assert (response.status_code, response.json()["code"]) == (413, "request_too_large")


def test_a_format_that_is_switched_off_is_refused(client, settings):
    settings.ALLOWED_EXTENSIONS = ["jpg"]

    response = send(client, (pictures.png(seed=6), "holiday.jpg"))

    assert (response.status_code, response.json()["code"]) == (415, "unsupported_format")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"reference": "x" * 201}, "reference"),
        ({"title": "x" * 201}, "title"),
        ({"kind": "banana"}, "kind"),
        ({"metadata": "[1]"}, "metadata"),
        ({"metadata": "{not json"}, "metadata"),
        ({"metadata": '{"a": NaN}'}, "metadata.a"),
        ({"metadata": '{"a": "' + "x" * 17_000 + '"}'}, "metadata"),
        ({"metadata": "[" * 5_000}, "metadata"),
        ({"metadata": '{"a": "\\u0000"}'}, "metadata"),
        ({"reference": "a\0b"}, "reference"),
        ({"tags": '["' + "x" * 65 + '"]'}, "tags"),
        ({"tags": "red, leather"}, "tags"),
        ({"tags": ["red", "leather"]}, "tags"),
        ({"tags": '["red", 2]'}, "tags.1"),
        ({"batch": "no-uuid"}, "batch"),
        ({"batch": "00000000-0000-4000-8000-000000000000"}, "batch"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(client, fields, field):
    before = files_on_disk()

    response = send(client, (pictures.png(seed=7), "a.png"), **fields)

    body = response.json()
    assert (response.status_code, [error["field"] for error in body["errors"]]) == (400, [field])
    assert (Image.objects.count(), files_on_disk()) == (0, before)


def test_no_file_is_said(client):
    for response in (client.post("/api/images/", {}), client.post("/api/images/", {}, format="multipart")):
        assert (response.status_code, response.json()["code"]) == (400, "no_file")


def test_a_file_in_another_part_is_said(client):
    response = client.post("/api/images/", {"picture": upload(pictures.png())}, format="multipart")

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "picture")


def test_too_many_files_name_the_limit(client, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = settings.MAX_FILES_PER_REQUEST = 3
    before = files_on_disk()

    response = send(client, *[(pictures.png(seed=seed), f"{seed}.png") for seed in range(4)])

    assert (response.status_code, response.json()["code"]) == (400, "too_many_files")
    assert "3" in response.json()["detail"]
    assert (Image.objects.count(), files_on_disk()) == (0, before)


def test_a_huge_field_is_refused(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2_000

    response = send(client, (pictures.png(seed=8), "a.png"), title="x" * 5_000)

    assert (response.status_code, response.json()["code"]) == (413, "request_too_large")


def test_several_files_have_a_result_each_in_their_order(client):
    known = pictures.png(seed=9)
    make_image(known, name="known.png")
    new = pictures.png(seed=10)

    response = send(
        client, (pictures.TEXT, "text.jpg"), (new, "new.png"), (known, "known.png"), (new, "again.png")
    )

    results = response.json()["results"]
    assert response.status_code == 201
    assert sorted(result["status"] for result in results[1::2]) == ["created", "duplicate"]
    assert [results[0]["status"], results[2]["status"]] == ["rejected", "duplicate"]
    assert results[0]["code"] == "not_an_image"
    assert results[0]["filename"] == "text.jpg"
    assert results[1]["image"]["id"] == results[3]["image"]["id"]


def test_several_files_status_says_whether_anything_is_new(client):
    one, two = pictures.png(seed=11), pictures.png(seed=12)
    make_image(one), make_image(two)

    known = send(client, (one, "1.png"), (two, "2.png"))
    refused = send(client, (pictures.TEXT, "1.png"), (pictures.SVG, "2.png"))

    assert (known.status_code, refused.status_code) == (200, 400)
    assert (refused.json()["code"], len(refused.json()["results"])) == ("all_rejected", 2)


@pytest.mark.parametrize("harm", ["missing", "short", "changed"])
def test_a_known_image_with_a_broken_file_gets_it_again(client, harm):
    data = pictures.png(seed=13)
    image = make_image(data, name="a.png")
    path = Path(default_storage.path(image.file))
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-5] if harm == "short" else data[:-1] + b"?")

    body = send(client, (data, "a.png")).json()

    assert (body["id"], body["duplicate"], body["status"]) == (str(image.pk), True, "ready")
    with default_storage.open(body["file_path"]) as stored:
        assert stored.read() == data


def test_a_trashed_image_comes_back(client):
    data = pictures.png(seed=14)
    image = make_image(data, name="a.png")
    trash(image, actor=None)

    body = send(client, (data, "a.png")).json()

    assert (body["id"], body["status"], body["deleted_at"], body["duplicate"]) == (
        str(image.pk),
        "ready",
        None,
        True,
    )


def test_a_full_disk_is_507_before_anything_is_written(client, settings):
    settings.MIN_FREE_DISK_BYTES = 2**60
    before = files_on_disk()

    response = send(client, (pictures.png(seed=15), "a.png"))

    assert (response.status_code, response.json()["code"]) == (507, "disk_full")
    assert files_on_disk() == before


def test_a_failure_after_the_file_was_stored_leaves_nothing(client, monkeypatch):
    before = files_on_disk()

    def fail(*args, **kwargs):
        raise RuntimeError("the engine is broken")

    monkeypatch.setattr("images.ingest.service.jobs.submit_job", fail)
    client.raise_request_exception = False

    response = send(client, (pictures.png(seed=16), "a.png"))

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "broken" not in response.content.decode()
    assert (Image.objects.count(), Rendition.objects.count(), files_on_disk()) == (0, 0, before)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\photos\\holiday.jpg", "holiday.png"),
        ("no extension", "no extension.png"),
        ("v1.2", "v1.2.png"),
        ("UPPER.PNG", "UPPER.PNG"),
        ("line\nbreak\u202e.png", "linebreak.png"),
        (".png", "png.png"),
        ("👩\u200d👧.png", "👩\u200d👧.png"),
        ("ünïcode 写真.jpeg", "ünïcode 写真.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
    ],
)
def test_names_are_made_safe(sent, kept):
    from images.ingest.filenames import safe_filename

    assert safe_filename(sent, format="png") == kept


def test_local_storage_and_temporary_files_share_a_disk():
    """Uploads are moved into storage: a rename, not a copy."""
    assert scratch_root().stat().st_dev == Path(settings.DATA_DIR).stat().st_dev


@pytest.mark.parametrize(("scope", "status"), [("read", 403), (None, 401)])
def test_uploading_needs_the_scope_write(client, scope, status):
    from rest_framework.test import APIClient

    someone = make_client(scope) if scope else APIClient()

    response = send(someone, (pictures.png(seed=17), "a.png"))

    assert response.status_code == status
    assert Image.objects.count() == 0


def test_refused_single_upload_names_the_part_it_came_in():
    answer = make_client("write").post(
        "/api/images/", {"file": upload(pictures.TEXT, "text.jpg")}, format="multipart"
    )

    assert answer.status_code == 415
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("file", "not_an_image")
    ]
