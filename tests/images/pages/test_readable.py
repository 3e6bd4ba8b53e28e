"""One row that cannot be read, or whose values make no sense, takes no page down and can be put into the trash."""

import pytest
from django.db import connection
from django.test import Client

from images.models import Image
from tests.factories import make_image, make_user, pictures

pytestmark = pytest.mark.django_db
DEEP = "[" * 3000 + "]" * 3000  # PostgreSQL stores it, Python's JSON reader gives up on it


@pytest.fixture
def client() -> Client:
    browser = Client()
    browser.force_login(make_user("admin", is_superuser=True, is_staff=True))
    return browser


def spoiled(name: str, column: str, value: str) -> Image:
    image = make_image(pictures.jpeg(seed=len(name)), name=name)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE images_image SET {column} = %s WHERE id = %s", [value, image.pk])
    return image


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("issues", DEEP, "Data unreadable"),
        ("issues", '{"blurred": 1}', "Data unreadable"),
        ("exif", DEEP, None),
        ("exif", "[1, 2]", None),
        ("metadata", DEEP, None),
        ("gps", "[]", None),
    ],
)
def test_a_spoiled_row_takes_no_page_down(client, column, value, told):
    good, bad = make_image(pictures.jpeg(seed=40), name="good.jpg"), spoiled("bad.jpg", column, value)
    if value == '{"blurred": 1}':
        Image.objects.filter(pk=bad.pk).update(quality_grade=50)

    library = client.get("/images/")
    pages = (f"/images/{bad.pk}/", f"/images/{good.pk}/", "/images/?search=jpg", "/admin/images/image/")
    assert (library.status_code, [client.get(page).status_code for page in pages]) == (200, [200] * 4)
    text = library.content.decode()
    assert [part for part in ("good.jpg", "bad.jpg", f'value="{bad.pk}"') if part not in text] == []
    if told:
        assert text.count(told) == 1
    else:
        assert "unreadable" not in text

    assert "cannot be read" in client.get(f"/images/{bad.pk}/").content.decode()

    answer = client.post("/images/actions/", {"image": [str(bad.pk)], "action": "delete"})
    assert (answer.status_code, Image.objects.only("status").get(pk=bad.pk).status) == (302, "trashed")
    assert client.get("/images/?view=trash").status_code == 200


def test_a_spoiled_image_is_put_into_the_trash_on_its_own_page(client):
    bad = spoiled("bad.jpg", "exif", DEEP)
    page = client.get(f"/images/{bad.pk}/").content.decode()
    assert "Some stored data of this image cannot be read" in page
    assert client.post(f"/images/{bad.pk}/trash/").status_code == 302
    assert Image.objects.only("status").get(pk=bad.pk).status == "trashed"
