"""Batches over REST."""

import uuid

import pytest
from rest_framework.test import APIClient

from batches.models import Batch
from images.models import Image
from images.services import trash
from processing.services import parse_work, submit_work
from tests.factories import make_client, make_image, make_rows, pictures, upload

pytestmark = pytest.mark.django_db
ADDRESS = "/api/batches/"


@pytest.fixture
def client():
    return make_client("process")


def ids(rows):
    return [str(row.pk) for row in rows]


def make(client, name="Shoes", **fields):
    return client.post(ADDRESS, {"batch_name": name, **fields}).json()


def test_create_with_images(client):
    rows = make_rows(2)

    response = client.post(ADDRESS, {"batch_name": " Shoes ", "note": "n", "image_ids": ids(rows)})

    body = response.json()
    expected = {"batch_name": "Shoes", "status": "draft", "note": "n", "image_count": 2, "parameters": {}}
    assert response.status_code == 201
    assert {name: body[name] for name in expected} == expected
    assert response["Location"] == f"{ADDRESS}{body['id']}/"
    assert body["owner"] == client.user.username


def test_a_wrong_image_makes_no_batch(client):
    response = client.post(ADDRESS, {"batch_name": "Shoes", "image_ids": [str(uuid.uuid4())]})

    assert (response.status_code, response.json()["code"]) == (400, "does_not_exist")
    assert Batch.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "batch_name"),
        ({"batch_name": ""}, "batch_name"),
        ({"batch_name": "x" * 201}, "batch_name"),
        ({"batch_name": "a\0b"}, "batch_name"),
        ({"batch_name": "a", "status": "complete"}, "status"),
        ({"batch_name": "a", "image_ids": "x"}, "image_ids"),
        ({"batch_name": "a", "parameters": []}, "parameters"),
        ({"batch_name": "a", "parameters": {"analysis": 5}}, "parameters.analysis"),
        (
            {"batch_name": "a", "parameters": {"analysis": {"min_cluster_size": -1}}},
            "parameters.analysis.min_cluster_size",
        ),
        ({"batch_name": "a", "parameters": {"analysis": {"modell": "clip"}}}, "parameters.analysis.modell"),
        ({"batch_name": "a", "parameters": {"metric": "manhattan"}}, "parameters.metric"),
    ],
)
def test_a_wrong_batch_is_named(client, body, field):
    response = client.post(ADDRESS, body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert Batch.objects.count() == 0


def test_list_and_filters(client, django_assert_num_queries):
    make(client, "Shoes"), make(client, "Hats", image_ids=ids(make_rows(2)))

    with django_assert_num_queries(5):
        rows = client.get(ADDRESS).json()["results"]

    assert [(row["batch_name"], row["image_count"]) for row in rows] == [("Hats", 2), ("Shoes", 0)]
    assert client.get(ADDRESS, {"search": "hat"}).json()["count"] == 1
    assert client.get(ADDRESS, {"status": "banana"}).status_code == 400


def test_change_and_delete(client):
    batch = make(client, image_ids=ids(make_rows(1)))
    address = f"{ADDRESS}{batch['id']}/"

    changed = client.patch(address, {"batch_name": "Boots", "parameters": {"a": 1}})
    deleted = client.delete(address)

    assert (changed.json()["batch_name"], changed.json()["parameters"]) == ("Boots", {"a": 1})
    assert (deleted.status_code, client.delete(address).status_code) == (204, 404)
    assert Image.objects.count() == 1


def test_images_keep_their_order_and_come_once(client):
    rows = make_rows(3)
    address = f"{ADDRESS}{make(client)['id']}/images/"

    first = client.post(address, {"image_ids": ids([rows[2], rows[0]])}).json()
    second = client.post(address, {"image_ids": ids([rows[0], rows[1]])}).json()

    listed = client.get(address).json()["results"]
    assert (first["added"], second["added"], second["image_count"]) == (2, 1, 3)
    assert [row["id"] for row in listed] == ids([rows[2], rows[0], rows[1]])


def test_files_are_taken_in_with_the_batch(client):
    batch = make(client)
    known = make_image(pictures.png(seed=90), name="known.png")
    files = [upload(pictures.png(seed=90), "known.png"), upload(pictures.png(seed=91), "new.png")]

    response = client.post(f"{ADDRESS}{batch['id']}/images/", {"file": files}, format="multipart")

    assert response.status_code == 201
    assert client.get(f"{ADDRESS}{batch['id']}/").json()["image_count"] == 2
    assert known.batch_images.count() == 1


def test_a_form_with_files_describes_the_batch(client):
    told = {"priority": "high", "note": "n", "parameters": '{"min_cluster_size": 3}'}
    form = {"batch_name": "Shoes", "file": [upload(pictures.png(seed=92), "new.png")]}

    made = client.post(ADDRESS, {**form, **told, "assignee": client.user.username}, format="multipart")
    wrong = [
        client.post(ADDRESS, {**form, name: value}, format="multipart").json()
        for name, value in (("priority", "soon"), ("parameters", "{"), ("status", "complete"))
    ]

    body = made.json()
    assert made.status_code == 201
    assert (body["priority"], body["note"], body["parameters"]) == ("high", "n", {"min_cluster_size": 3})
    assert (body["assignee"], body["image_count"]) == (client.user.username, 1)
    assert [error["errors"][0]["field"] for error in wrong] == ["priority", "parameters", "status"]
    assert Batch.objects.count() == 1


@pytest.mark.parametrize("address", ["?archived=maybe", "?deleted=2", "{id}/images/?locked=ja"])
def test_a_filter_that_is_neither_true_nor_false_is_refused(client, address):
    response = client.get(f"{ADDRESS}{address.format(id=make(client)['id'])}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_images_leave_but_stay_in_the_library(client):
    rows = make_rows(3)
    address = f"{ADDRESS}{make(client, image_ids=ids(rows))['id']}/images/"

    many = client.post(f"{address}remove/", {"image_ids": ids(rows[:2])})
    one, again = client.delete(f"{address}{rows[2].pk}/"), client.delete(f"{address}{rows[2].pk}/")

    body = many.json()
    assert (body["removed"], body["image_count"], body["change"]["summary"]) == (
        2,
        1,
        "removed 2 images from the batch",
    )
    assert (one.status_code, again.status_code) == (204, 404)
    assert Image.objects.count() == 3


def test_a_deleted_image_cannot_enter(client):
    image = make_image()
    trash(image, actor=None)

    response = client.post(f"{ADDRESS}{make(client)['id']}/images/", {"image_ids": ids([image])})

    assert (response.status_code, response.json()["code"]) == (400, "does_not_exist")


def test_a_batch_with_a_live_job_is_not_deleted(client):
    batch = make(client)
    submit_work(parse_work(operations=["webp"]), [make_image()], batch_id=batch["id"])

    response = client.delete(f"{ADDRESS}{batch['id']}/")

    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_an_archived_batch_takes_no_changes(client):
    batch = make(client)
    Batch.objects.update(status="archived")

    answers = [
        client.patch(f"{ADDRESS}{batch['id']}/", {"note": "x"}),
        client.post(f"{ADDRESS}{batch['id']}/images/", {"image_ids": ids(make_rows(1))}),
        client.post(
            "/api/images/", {"file": upload(pictures.png()), "batch": batch["id"]}, format="multipart"
        ),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]


def test_scopes():
    batch = Batch.objects.create(batch_name="Shoes")
    reader, address = make_client("read"), f"{ADDRESS}{batch.pk}/"

    assert (APIClient().get(ADDRESS).status_code, reader.get(address).status_code) == (401, 200)
    assert [reader.post(ADDRESS, {"batch_name": "x"}).status_code, reader.delete(address).status_code] == [
        403,
        403,
    ]
