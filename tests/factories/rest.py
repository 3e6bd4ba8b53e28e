"""What the tests of the API of work share: people, pictures, jobs that are done."""

import io
import uuid
from typing import Any

import numpy as np
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Pillow
from rest_framework.test import APIClient

from images import services as image_services
from images.models import Image
from processing.engine.worker import run_until_idle


def picture(seed: int = 0, *, size: tuple[int, int] = (64, 48), format: str = "PNG") -> bytes:
    """A small picture whose bytes depend on the seed: smooth, with some noise."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, 3))
    pixels = (np.stack([x, y, (x + y) / 2], axis=2) + noise).astype(np.uint8)
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, format)
    return stream.getvalue()


def upload(seed: int = 0, *, name: str = "photo.png", **options: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture(seed, **options))


def make_image(seed: int = 0, *, name: str = "photo.png", by: User | None = None, **options: Any) -> Image:
    """An image that came in through the real door, with its thumbnails made."""
    content = io.BytesIO(picture(seed, **options))
    file = SimpleUploadedFile(name, content.getvalue())
    image = image_services.ingest(file, filename=name, uploaded_by=by, source="api").image
    run_until_idle()
    return image


def person(role: str) -> User:
    user, is_new = User.objects.get_or_create(username=f"{role}-{uuid.uuid4().hex[:6]}")
    if is_new:
        # A test that empties the tables has lost the migration's groups.
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def client_of(role: str) -> APIClient:
    client = APIClient()
    client.force_login(person(role))
    return client


def submit(client: APIClient, image: Image, *operations: Any, **fields: Any) -> dict[str, Any]:
    """A submitted job's JSON."""
    response = client.post("/api/jobs/", {"image": str(image.pk), "operations": list(operations), **fields})
    assert response.status_code == 202, response.json()
    return response.json()


def finished(client: APIClient, image: Image, *operations: Any, **fields: Any) -> dict[str, Any]:
    """The JSON of a job that is done."""
    job = submit(client, image, *operations, **fields)
    run_until_idle()
    return client.get(f"/api/jobs/{job['id']}/").json()
