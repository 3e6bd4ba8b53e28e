"""A date that Python cannot hold: it does not come in, and where it came in before, nothing falls."""

from importlib import import_module

import pytest
from django.db import connection
from PIL import ExifTags
from PIL import Image as Pillow

from images.models import Image
from tests.factories import make_client, make_image, make_user, pictures

pytestmark = pytest.mark.django_db
UNREADABLE = ("0001-12-31 22:00:00+00 BC", "10000-01-01 04:59:59+00")


def dated(text: str, offset: str) -> bytes:
    exif = Pillow.Exif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal], details[ExifTags.Base.OffsetTimeOriginal] = text, offset
    return pictures.jpeg(exif=exif)


@pytest.fixture
def unreadable() -> list[Image]:
    """Rows as an older version stored them."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE images_image DROP CONSTRAINT image_captured_at_readable")
    images = [make_image() for _ in UNREADABLE]
    with connection.cursor() as cursor:
        for image, moment in zip(images, UNREADABLE, strict=True):
            cursor.execute("UPDATE images_image SET captured_at = %s WHERE id = %s", [moment, image.pk])
    return images


@pytest.mark.parametrize(
    ("text", "offset"), [("0001:01:01 00:00:00", "+02:00"), ("9999:12:31 23:59:59", "-05:00")]
)
def test_an_impossible_date_comes_in_as_none(text: str, offset: str) -> None:
    image = make_image(dated(text, offset))
    image.refresh_from_db()
    assert (image.captured_at, image.status) == (None, "ready")
    body = make_client("read").get("/api/images/").json()
    assert [row["captured_at"] for row in body["results"]] == [None]


def test_an_unreadable_row_takes_no_list_down(unreadable: list[Image], client) -> None:
    caller = make_client("admin")
    listed = caller.get("/api/images/?ordering=captured_at").json()["results"]
    assert {row["id"]: row["captured_at"] for row in listed} == {str(image.pk): None for image in unreadable}
    client.force_login(make_user("admin", is_superuser=True, is_staff=True))
    pages = ["/images/", f"/images/{unreadable[0].pk}/", "/admin/images/image/"]
    pages += [f"/admin/images/image/{image.pk}/change/" for image in unreadable]
    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
    assert caller.delete(f"/api/images/{unreadable[0].pk}/").status_code == 204


def test_the_migration_brings_unreadable_rows_back(unreadable: list[Image]) -> None:
    good = make_image(dated("2024:05:06 07:08:09", "Z"))
    with connection.cursor() as cursor:
        cursor.execute(import_module("images.migrations.0004_readable_dates").FORGET)
        cursor.execute("SELECT id FROM images_image WHERE captured_at IS NOT NULL")
        assert [row[0] for row in cursor.fetchall()] == [good.pk]


def test_metadata_nested_too_deeply_are_refused() -> None:
    """How deep Python's JSON reader goes depends on how many calls are open: a page has more of them than an upload."""
    image = make_image()
    deep: dict = {}
    for _ in range(50):
        deep = {"inner": deep}
    answer = make_client("write").patch(f"/api/images/{image.pk}/", {"metadata": deep}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "metadata")
    answer = make_client("write").patch(
        f"/api/images/{image.pk}/", {"metadata": deep["inner"]}, format="json"
    )
    assert answer.status_code == 200
