"""POST /api/images/actions/: one action on many images."""

import uuid

import pytest

from api.models import AuditEvent
from images.models import Image
from processing.models import Job
from tests.factories import make_client, make_image, make_rows

pytestmark = pytest.mark.django_db
ADDRESS = "/api/images/actions/"


@pytest.fixture
def client():
    return make_client("write")


def ids(rows):
    return [str(row.pk) for row in rows]


def test_trash_and_restore_by_ids(client):
    rows = make_rows(3)
    Image.objects.filter(pk=rows[0].pk).update(status="trashed")

    trashed = client.post(ADDRESS, {"action": "delete", "ids": ids(rows)})
    restored = client.post(ADDRESS, {"action": "restore", "ids": ids(rows[:2])})

    assert trashed.status_code == 200
    counts = [
        {name: answer.json()[name] for name in ("matched", "changed", "unchanged")}
        for answer in (trashed, restored)
    ]
    assert counts == [
        {"matched": 3, "changed": 2, "unchanged": 1},
        {"matched": 2, "changed": 2, "unchanged": 0},
    ]
    assert sorted(trashed.json()["ids"]) == sorted(ids(rows[1:]))
    assert AuditEvent.objects.filter(action="image.trash").count() == 2


def test_by_filter_and_dry(client):
    rows = make_rows(3)
    Image.objects.filter(pk=rows[0].pk).update(reference="r-1")
    body = {"action": "delete", "filter": {"reference": "r-1"}}

    dry = client.post(ADDRESS, {**body, "dry_run": True}).json()
    still_there = Image.objects.filter(status="ready").count()
    wet = client.post(ADDRESS, body).json()

    assert (dry["changed"], still_there, wet["changed"]) == (1, 3, 1)
    assert dry["ids"] == wet["ids"] == ids(rows[:1])


def test_tags(client):
    (row,) = make_rows(1, tags=["old", "kept"])

    body = client.post(
        ADDRESS, {"action": "tag", "ids": ids([row]), "tags": ["new"], "remove_tags": ["old"]}
    ).json()

    row.refresh_from_db()
    assert (body["changed"], row.tags) == (1, ["kept", "new"])


def test_process_answers_with_a_job():
    client = make_client("process")
    images = [make_image(), make_image()]

    response = client.post(
        ADDRESS, {"action": "process", "ids": ids(images), "operations": ["webp"], "priority": "low"}
    )

    job = Job.objects.get(kind="process")
    assert (response.status_code, response["Location"]) == (202, f"/api/jobs/{job.pk}/")
    assert (job.operations_total, job.get_priority_display()) == (2, "low")


def test_process_needs_the_scope_process(client):
    response = client.post(ADDRESS, {"action": "process", "ids": ids(make_rows(1)), "operations": ["webp"]})

    assert response.status_code == 403
    assert "'process'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "explode", "ids": [str(uuid.uuid4())]}, "action"),
        ({"ids": [str(uuid.uuid4())]}, "action"),
        ({"action": "delete", "ids": ["x"]}, "ids.0"),
        ({"action": "delete", "ids": []}, "ids"),
        ({"action": "delete", "ids": [str(uuid.uuid4())]}, "ids"),
        ({"action": "delete"}, "ids"),
        ({"action": "delete", "filter": {"colour": "red"}}, "filter"),
        ({"action": "delete", "filter": {"status": "banana"}}, "status"),
        ({"action": "tag", "all": True}, "tags"),
        ({"action": "delete", "all": True, "extra": 1}, "extra"),
        ({"action": "delete", "filter": {}}, "filter"),
        ({"action": "delete", "filter": {"ordering": "title"}}, "filter"),
        ({"action": "delete", "filter": {"tag": ""}}, "filter.tag"),
        ({"action": "delete", "filter": {"tag": "x"}, "all": True}, "ids"),
        ({"action": "delete", "ids": [str(uuid.uuid4())], "all": True}, "ids"),
        ({"action": "delete", "ids": [str(uuid.uuid4())], "filter": {"tag": "x"}}, "ids"),
        ({"action": "delete", "all": False}, "ids"),
        ({"action": "delete", "all": "yes"}, "all"),
        ({"action": "delete", "all": True, "expected": -1}, "expected"),
    ],
)
def test_a_wrong_request_is_named_and_changes_nothing(client, body, field):
    make_rows(1)

    response = client.post(ADDRESS, body)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
    assert Image.objects.filter(status="ready").count() == 1


def test_reading_does_not_suffice():
    assert make_client("read").post(ADDRESS, {"action": "delete", "all": True}).status_code == 403


def test_add_to_batch_takes_what_is_new_and_present(client):
    rows = make_rows(4)
    Image.objects.filter(pk=rows[3].pk).update(status="trashed")
    batch = client.post("/api/batches/", {"batch_name": "Shoes", "image_ids": ids(rows[:1])}).json()["id"]
    asked = {"action": "add_to_batch", "ids": ids(rows), "batch": batch}

    counted = client.post(ADDRESS, {**asked, "dry_run": True}).json()
    added = client.post(ADDRESS, asked).json()

    assert [(answer["changed"], answer["unchanged"]) for answer in (counted, added)] == [(2, 2), (2, 2)]
    assert client.get(f"/api/batches/{batch}/").json()["image_count"] == 3
    assert client.post(f"/api/batches/{batch}/undo/").status_code == 200
    assert client.get(f"/api/batches/{batch}/").json()["image_count"] == 1


@pytest.mark.parametrize("batch", [None, "00000000-0000-4000-8000-000000000000", "x"])
def test_add_to_batch_needs_a_batch_that_is_there(client, batch):
    asked = {"action": "add_to_batch", "ids": ids(make_rows(1)), **({"batch": batch} if batch else {})}

    response = client.post(ADDRESS, asked)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "batch")


@pytest.mark.parametrize("chosen", ["ids", "filter", "all"])
def test_many_images_need_their_number(client, chosen):
    rows = make_rows(101, tags=["many"])
    way = {"ids": ids(rows), "filter": {"tag": "many"}, "all": True}[chosen]
    asked = {"action": "delete", chosen: way}

    refused = [client.post(ADDRESS, {**asked, **more}) for more in ({}, {"expected": 100})]
    still_there = Image.objects.filter(status="ready").count()
    counted = client.post(ADDRESS, {**asked, "dry_run": True})
    done = client.post(ADDRESS, {**asked, "expected": counted.json()["matched"]})

    assert [(answer.status_code, answer.json()["code"], answer.json()["matched"]) for answer in refused] == [
        (409, "expected_required", 101),
        (409, "count_changed", 101),
    ]
    assert (still_there, counted.status_code, done.status_code) == (101, 200, 200)
    assert Image.objects.filter(status="trashed").count() == 101


def test_few_images_need_no_number_and_keep_to_one_that_is_sent(client):
    make_rows(100)

    wrong = client.post(ADDRESS, {"action": "delete", "all": True, "expected": 99})
    done = client.post(ADDRESS, {"action": "delete", "all": True})

    assert (wrong.status_code, wrong.json()["code"]) == (409, "count_changed")
    assert (done.status_code, done.json()["changed"]) == (200, 100)


def test_a_batch_is_filled_with_as_many_images_as_were_expected(client):
    make_rows(101)
    batch = client.post("/api/batches/", {"batch_name": "b"}).json()["id"]

    refused = [
        client.post("/api/batches/", {"batch_name": "c", "all": True}),
        client.post(f"/api/batches/{batch}/images/", {"all": True}),
        client.post(f"/api/batches/{batch}/images/", {"all": True, "expected": 7}),
    ]
    added = client.post(f"/api/batches/{batch}/images/", {"all": True, "expected": 101})

    assert [(answer.status_code, answer.json()["matched"]) for answer in refused] == [(409, 101)] * 3
    assert added.json()["added"] == 101
    assert client.post(f"/api/batches/{batch}/images/", {"filter": {}}).status_code == 400
    assert client.post(f"/api/batches/{batch}/images/", {"all": False}).status_code == 400
