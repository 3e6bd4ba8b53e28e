"""POST /api/images/: what comes in, what is refused, and that a refusal leaves nothing."""

import hashlib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from images.models import Image, Rendition
from processing.models import Job
from tests import pictures
from tests.factories import make_client, upload

pytestmark = pytest.mark.django_db


def files_on_disk() -> list[Path]:
    folders = (settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR)
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def test_one_file_is_answered_with_its_image():
    client, data = make_client("write"), pictures.camera_jpeg(80, 60, seed=1)

    response = client.post("/api/images/", {"file": upload(data, "holiday.jpg")}, format="multipart")

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
    assert default_storage.open(body["file_path"]).read() == data
    assert Rendition.objects.filter(image_id=body["id"]).count() == 1
    assert Job.objects.get(image_id=body["id"]).kind == "ingest"
