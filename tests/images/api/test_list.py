"""GET /api/images/: filters, search, order, pages, at a constant price."""

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from batches.services import create_batch
from images.models import Image
from tests.factories import make_client, make_rows, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("read")


def listed(client, **parameters):
    response = client.get("/api/images/", parameters)
    assert response.status_code == 200, response.json()
    return [row["filename"] for row in response.json()["results"]]


def change(image, **fields):
    Image.objects.filter(pk=image.pk).update(**fields)
    return image


def test_newest_first_without_the_trash(client):
    older, newer, trashed, purged = make_rows(4)
    change(older, created_at=timezone.now() - timedelta(days=1))
    change(trashed, status="trashed"), change(purged, status="purged")

    assert listed(client) == [newer.original_filename, older.original_filename]


def test_the_trash_is_shown_to_whoever_asks(client):
    present, trashed, purged = make_rows(3)
    change(trashed, status="trashed"), change(purged, status="purged")

    assert listed(client, deleted="true") == [trashed.original_filename]
    assert listed(client, deleted="false") == [present.original_filename]
    assert listed(client, status="purged") == [purged.original_filename]


def test_each_filter_finds_its_images(client):
    wanted, other = make_rows(2)
    user = make_user()
    moment = datetime(2024, 5, 6, tzinfo=UTC)
    batch = create_batch("Shoes", owner=user, image_ids=[wanted.pk])
    change(
        wanted,
        kind="product",
        source="web",
        format="png",
        tags=["red", "big"],
        reference="sku-1",
        uploaded_by=user,
        captured_at=moment,
        created_at=moment,
        width=2000,
        height=1000,
        pinned=True,
        status="damaged",
        title="Left shoe",
    )
    filters = {
        "status": "damaged",
        "kind": "product",
        "source": "web",
        "format": "png",
        "batch": str(batch.pk),
        "tag": "red",
        "uploaded_by": user.username,
        "reference": "sku-1",
        "sha256": wanted.sha256.upper(),
        "pinned": "true",
        "captured_after": "2024-05-06T00:00:00Z",
        "captured_before": "2024-05-07",
        "created_before": "2024-05-07T00:00:00+02:00",
        "width_min": "2000",
        "height_min": "1000",
        "search": "shoe LEFT",
    }

    found = {name: listed(client, **{name: value}) for name, value in filters.items()}

    assert found == dict.fromkeys(filters, [wanted.original_filename])
    assert listed(client, **filters) == [wanted.original_filename]
    assert listed(client, width_max="1999") == [other.original_filename]
    assert listed(client, created_after="2024-05-07", height_max="999") == [other.original_filename]


def test_search_looks_at_name_title_reference_and_tags(client):
    name, title, reference, tag, none = make_rows(5)
    change(name, original_filename="a-heron.jpg")
    change(title, title="The heron"), change(reference, reference="heron-7"), change(tag, tags=["heron"])

    found = listed(client, search="heron")

    assert len(found) == 4
    assert none.original_filename not in found
    assert listed(client, search="100%_") == []


def test_order_is_steady_over_pages(client):
    rows = make_rows(7)  # all of one width
    first = listed(client, ordering="-width", page_size="4")
    second = listed(client, ordering="-width", page_size="4", page="2")

    assert sorted(first + second) == sorted(row.original_filename for row in rows)


def test_mine(client):
    mine, _ = make_rows(2)
    change(mine, uploaded_by=client.user)

    assert listed(client, uploaded_by="me") == [mine.original_filename]


@pytest.mark.parametrize(
    ("parameter", "value", "code"),
    [
        ("status", "banana", "invalid_choice"),
        ("kind", "x", "invalid_choice"),
        ("format", "exe", "invalid_choice"),
        ("batch", "x", "invalid"),
        ("uploaded_by", "nobody", "does_not_exist"),
        ("sha256", "abc", "invalid"),
        ("captured_after", "yesterday", "invalid"),
        ("width_min", "-1", "min_value"),
        ("width_min", "3000000000", "max_value"),
        ("height_max", "NaN", "invalid"),
        ("ordering", "sha256", "invalid_choice"),
        ("page_size", "201", "max_value"),
        ("page_size", "0", "min_value"),
        ("page", "x", "invalid"),
        ("search", "x" * 201, "max_length"),
        ("search", "a\0b", "invalid"),
        ("colour", "red", "unknown_field"),
    ],
)
def test_a_wrong_filter_is_named(client, parameter, value, code):
    response = client.get("/api/images/", {parameter: value})

    body = response.json()
    assert response.status_code == 400
    assert [(error["field"], error["code"]) for error in body["errors"]] == [(parameter, code)]


def test_a_page_behind_the_last_is_not_found(client):
    make_rows(1)

    assert client.get("/api/images/", {"page": "2"}).status_code == 404


def test_the_number_of_queries_does_not_grow(client, django_assert_num_queries):
    make_rows(60, uploaded_by=client.user)
    listed(client, page_size="1")  # the key's time of use is written once a minute

    for size in ("2", "50"):
        with django_assert_num_queries(5):  # key, groups, count, rows, their scores
            assert len(listed(client, page_size=size)) == int(size)


def test_gps_needs_the_scope_write(client):
    (image,) = make_rows(1)
    change(image, gps={"latitude": 52.5})
    writer = make_client("write")

    seen = [one.get("/api/images/").json()["results"][0]["gps"] for one in (client, writer)]
    details = [one.get(f"/api/images/{image.pk}/metadata/").json()["gps"] for one in (client, writer)]

    assert seen == details == [None, {"latitude": 52.5}]


def test_not_signed_in():
    from rest_framework.test import APIClient

    response = APIClient().get("/api/images/")

    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Api-Key"


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_search_finds_names_in_either_unicode_form(stored, typed):
    make_rows(1, title=unicodedata.normalize(stored, "Café 한글"))
    asked = unicodedata.normalize(typed, "café 한글")
    answer = make_client("read").get("/api/images/", {"search": asked}).json()
    assert len(answer["results"]) == 1
