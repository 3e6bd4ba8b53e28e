"""Rows for tests, by the real services where they do more than insert."""

import itertools
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from api.access.keys import create_key
from images.models import Image
from images.services import ingest
from tests.factories import pictures

_numbers = itertools.count(1)
GROUPS = {"read": "viewer", "write": "reviewer", "process": "operator", "admin": "admin"}


def make_user(scope: str = "read", **fields: Any) -> User:
    """A user whose group gives this scope (and those before it)."""
    username = fields.pop("username", f"user{next(_numbers)}")
    user = User.objects.create_user(username, password=fields.pop("password", None), **fields)
    group, _ = Group.objects.get_or_create(
        name=GROUPS[scope]
    )  # a flushed test database has lost the migration's
    user.groups.add(group)
    return user


def make_client(scope: str = "read", *, user: User | None = None) -> APIClient:
    """A client that sends the API key of a user with this scope; the user is its attribute `user`."""
    user = user or make_user(scope)
    _, text = create_key("test", user=user, scopes=[scope])
    client = APIClient(HTTP_AUTHORIZATION=f"Api-Key {text}")
    client.user = user
    return client


def upload(data: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    """A file for a form."""
    return SimpleUploadedFile(name, data, content_type="application/octet-stream")


def make_image(data: bytes | None = None, *, name: str = "photo.jpg", **facts: Any) -> Image:
    """An image that came in through the real door; another picture on every call unless `data` is given."""
    data = pictures.jpeg(seed=1000 + next(_numbers)) if data is None else data
    facts = {"uploaded_by": None, "source": Image.Source.API, **facts}
    return ingest(upload(data, name), filename=name, **facts).image


def make_rows(count: int, **fields: Any) -> list[Image]:
    """Images without files, for lists."""
    start = next(_numbers) * 1_000_000
    rows = [
        Image(
            sha256=f"{start + number:064x}",
            file=f"raw/{start + number}.jpg",
            original_filename=f"picture-{number:05}.jpg",
            format="jpg",
            byte_size=1000 + number,
            width=640,
            height=480,
            mode="RGB",
            **fields,
        )
        for number in range(count)
    ]
    return Image.objects.bulk_create(rows, batch_size=1000)
