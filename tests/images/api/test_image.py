"""One image over REST: its JSON, bytes, changes, trash, purge."""

import io
import json
import uuid
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from PIL import Image as Pillow
from rest_framework.test import APIClient

from api.models import AuditEvent
from batches.services import create_batch
from images.models import Image, Rendition
from processing.engine.worker import run_until_idle
from processing.models import Artifact, OperationArtifact
from processing.services import parse_work, submit_work
from tests.factories import make_client, make_image, pictures

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("write")


@pytest.fixture
def image():
    return make_image(pictures.camera_jpeg(seed=50), name="holiday.jpg")


def address(image, part=""):
    return f"/api/images/{image.pk}/{part}"


def body_of(response):
    return b"".join(response.streaming_content)


# --- reading ------------------------------------------------------------------------------------------


def test_the_json_links_to_the_parts(client, image):
    body = client.get(address(image)).json()

    assert body["links"]["file"] == address(image, "file/")
    assert body["thumbnail"] == address(image, "thumbnail/?size=256")
    assert client.get(address(image).rstrip("/")).json()["id"] == str(image.pk)


def test_bytes_for_whoever_accepts_pictures(client, image):
    response = client.get(address(image), HTTP_ACCEPT="image/*")

    assert body_of(response) == pictures.camera_jpeg(seed=50)
    assert response["Content-Type"] == "image/jpeg"


def test_the_original_is_only_an_attachment(client, image):
    response = client.get(address(image, "file/"))

    assert body_of(response) == pictures.camera_jpeg(seed=50)
    assert response["Content-Disposition"] == 'attachment; filename="holiday.jpg"'
    assert response["ETag"] == f'"{image.sha256}"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]


def test_the_original_is_not_sent_twice_nor_whole_for_a_part(client, image):
    known = client.get(address(image, "file/"), HTTP_IF_NONE_MATCH=f'"{image.sha256}"')
    part = client.get(address(image, "file/"), HTTP_RANGE="bytes=2-5")
    outside = client.get(address(image, "file/"), HTTP_RANGE="bytes=9999999-")

    assert (known.status_code, known.content) == (304, b"")
    assert (part.status_code, body_of(part)) == (206, pictures.camera_jpeg(seed=50)[2:6])
    assert (outside.status_code, outside.json()["code"]) == (416, "range_not_satisfiable")


def test_redirect_serves_local_files_itself(client, image):
    assert client.get(address(image, "file/?redirect=1")).status_code == 200
    assert client.get(address(image, "file/?redirect=banana")).status_code == 400


def test_a_reader_gets_the_original_without_its_position(client, image):
    stored = pictures.camera_jpeg(seed=50)
    reader = make_client("read")

    whole = client.get(address(image, "file/"))
    first = reader.get(address(image, "file/?redirect=1"))
    by_type = reader.get(address(image), HTTP_ACCEPT="image/*")
    part = reader.get(address(image, "file/"), HTTP_RANGE="bytes=-100")
    limited = make_client("read", user=client.user).get(address(image, "file/"))
    again = reader.get(address(image, "file/"), HTTP_IF_NONE_MATCH=first["ETag"])

    assert (body_of(whole), "X-Pix-Altered" in whole) == (stored, False)
    for response in (first, by_type, limited, part):
        data = body_of(response)
        assert (response["X-Pix-Altered"], len(data)) == ("gps", len(stored))
        with Pillow.open(io.BytesIO(data)) as altered, Pillow.open(io.BytesIO(stored)) as original:
            assert not altered.getexif().get_ifd(0x8825)
            assert altered.tobytes() == original.tobytes()
    assert (part.status_code, again.status_code) == (200, 304)
    assert first["ETag"] != whole["ETag"]
    assert reader.get(address(image)).json()["sha256"] == image.sha256


def test_a_missing_file_is_said(client, image):
    default_storage.delete(image.file)

    response = client.get(address(image, "file/"))

    assert (response.status_code, response.json()["code"]) == (404, "file_missing")
    image.refresh_from_db()
    assert image.status == Image.Status.DAMAGED


def test_metadata(client, image):
    body = client.get(address(image, "metadata/")).json()

    assert body["exif"]["camera"] == "Pix One"
    assert body["raw"]["Model"] == "Pix One"
    assert body["gps"]["longitude"] == pytest.approx(13.25)
    assert "gps" not in str(body["raw"]).lower()


def test_jobs_and_artifacts_of_an_image(client, image):
    job = submit_work(parse_work(operations=["webp"]), [image])
    run_until_idle()

    jobs = client.get(address(image, "jobs/")).json()
    artifacts = client.get(address(image, "artifacts/")).json()

    assert {row["id"] for row in jobs["results"]} >= {str(job.pk)}
    assert [(row["operation"], row["format"]) for row in artifacts["results"]] == [("webp", "webp")]


def test_history_tells_who_did_what(client, image):
    client.patch(address(image), {"title": "Dunes"})
    client.delete(address(image))

    rows = client.get(address(image, "history/")).json()["results"]

    assert [row["action"] for row in rows] == ["image.trash", "image.update", "image.upload"]
    assert rows[1]["detail"] == {"before": {"title": ""}, "after": {"title": "Dunes"}}
    assert rows[0]["actor_name"] == client.user.username


def test_history_tells_readers_nobody_and_only_administrators_keys(client, image):
    client.patch(address(image), {"title": "Dunes"})

    def told(scope: str) -> tuple[str, str, bool]:
        row = make_client(scope).get(address(image, "history/")).json()["results"][0]
        return row["actor_name"], row["api_key_prefix"], bool(row["request_id"])

    name = client.user.username
    assert told("read") == ("", "", False)
    assert told("write") == (name, "", False)
    assert told("admin") == (name, client.user.api_keys.get().prefix, True)


# --- changing -----------------------------------------------------------------------------------------


def test_what_people_say_can_be_changed(client, image):
    changes = {
        "title": "Dunes",
        "note": "At noon",
        "tags": ["sea", " sea ", "sand"],
        "kind": "other",
        "pinned": True,
        "reference": "r-1",
        "metadata": {"a": [1]},
    }

    response = client.patch(address(image), changes)

    assert response.status_code == 200
    assert {name: response.json()[name] for name in changes} == {**changes, "tags": ["sea", "sand"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "x" * 201},
        {"kind": "banana"},
        {"tags": "red"},
        {"tags": ["x" * 65]},
        {"pinned": "perhaps"},
        {"metadata": []},
        {"note": "a\0b"},
        {"metadata": {"a": {"b": "\ud800"}}},
        {"sha256": "0" * 64},
        {"status": "purged"},
        {"kind": "\ud800"},
        {"\ud800": 1},
    ],
)
def test_a_wrong_change_is_named_and_changes_nothing(client, image, changes):
    body = json.dumps({**changes, "reference": "changed"})  # escapes what UTF-8 cannot hold

    response = client.patch(address(image), body, content_type="application/json")

    (field,) = changes
    assert response.status_code == 400
    named = [error["field"].split(".")[0] for error in response.json()["errors"]]
    assert named == [field.encode("utf-8", "backslashreplace").decode()]
    image.refresh_from_db()
    assert image.reference == ""


# --- trash --------------------------------------------------------------------------------------------


def test_delete_is_a_trash_with_a_way_back(client, image):
    first, second = client.delete(address(image)), client.delete(address(image))
    trashed = client.get(address(image)).json()
    restored = client.post(address(image, "restore/"))
    again = client.post(address(image, "restore/"))

    assert (first.status_code, second.status_code) == (204, 204)
    assert (trashed["status"], trashed["deleted_at"] is None) == ("trashed", False)
    assert (restored.status_code, restored.json()["status"], restored.json()["deleted_at"]) == (
        200,
        "ready",
        None,
    )
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert AuditEvent.objects.filter(action="image.trash").count() == 1


def test_purge_removes_the_files_and_keeps_a_tombstone(image, django_capture_on_commit_callbacks):
    admin = make_client("admin")
    submit_work(parse_work(operations=["webp"]), [image])
    run_until_idle()
    keys = [
        image.file,
        *Rendition.objects.values_list("file", flat=True),
        *Artifact.objects.values_list("file", flat=True),
    ]

    with django_capture_on_commit_callbacks(execute=True):
        response = admin.delete(address(image, "?purge=true"))

    tombstone = admin.get(address(image)).json()
    assert response.status_code == 204
    assert [key for key in keys if default_storage.exists(key)] == []
    assert (Rendition.objects.count(), Artifact.objects.count(), OperationArtifact.objects.count()) == (
        0,
        0,
        0,
    )
    said = {"status": "purged", "sha256": image.sha256, "exif": {}, "gps": None, "file_path": ""}
    assert {name: tombstone[name] for name in said} == said


def test_a_purged_image_is_gone_for_good(image, django_capture_on_commit_callbacks):
    admin = make_client("admin")
    run_until_idle()
    with django_capture_on_commit_callbacks(execute=True):
        admin.delete(address(image, "?purge=1"))

    answers = [
        admin.get(address(image, "file/")),
        admin.get(address(image, "thumbnail/")),
        admin.patch(address(image), {"title": "x"}),
        admin.delete(address(image)),
        admin.delete(address(image, "?purge=1")),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(410, "gone")] * 5
    assert admin.post(address(image, "restore/")).status_code == 409


def test_an_image_in_use_is_not_purged(image):
    admin = make_client("admin")
    batch = create_batch("Shoes", owner=admin.user, image_ids=[image.pk])

    in_batch = admin.delete(address(image, "?purge=true"))
    admin.post(f"/api/batches/{batch.pk}/images/remove/", {"image_ids": [str(image.pk)]})
    job = submit_work(parse_work(operations=["webp"]), [image])
    in_job = admin.delete(address(image, "?purge=true"))

    assert [answer.status_code for answer in (in_batch, in_job)] == [409, 409]
    assert "Shoes" in in_batch.json()["detail"]
    assert str(job.pk) in in_job.json()["detail"]
    assert Path(default_storage.path(image.file)).exists()


def test_purging_needs_the_scope_admin(client, image):
    response = client.delete(address(image, "?purge=true"))

    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert "'admin'" in response.json()["detail"]


# --- the usual refusals -------------------------------------------------------------------------------

PARTS = ["", "file/", "thumbnail/", "metadata/", "artifacts/", "jobs/", "history/"]


@pytest.mark.parametrize("part", PARTS)
def test_reading_needs_a_key_and_an_image(client, image, part):
    unknown = f"/api/images/{uuid.uuid4()}/{part}"

    assert APIClient().get(address(image, part)).status_code == 401
    assert (client.get(unknown).status_code, client.get(unknown).json()["code"]) == (404, "not_found")
    assert client.get(f"/api/images/no-uuid/{part}").status_code == 404


@pytest.mark.parametrize(
    ("method", "part"), [("patch", ""), ("delete", ""), ("post", "restore/"), ("post", "process/")]
)
def test_changing_needs_more_than_reading(image, method, part):
    reader = make_client("read")

    forbidden = getattr(reader, method)(address(image, part))
    anonymous = getattr(APIClient(), method)(address(image, part))
    missing = getattr(make_client("admin"), method)(f"/api/images/{uuid.uuid4()}/{part}")

    assert [answer.status_code for answer in (forbidden, anonymous, missing)] == [403, 401, 404]
    image.refresh_from_db()
    assert image.status == Image.Status.READY
