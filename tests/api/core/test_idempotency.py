"""The same request twice does its work once, also without Redis and from many threads."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from api.access.keys import create_key
from api.core.idempotency import Claim
from api.models import IdempotencyKey
from batches.models import Batch
from images.models import Image
from processing.models import Job
from tests.factories import make_client, make_image, make_user, pictures, upload
from tests.factories.threads import at_once
from tests.images.api.test_uploads import files_on_disk

ADDRESS = "/api/batches/"


@pytest.fixture
def client(db):
    return make_client("process")


def post(client, key, name="Shoes", **headers):
    return client.post(ADDRESS, {"batch_name": name}, HTTP_IDEMPOTENCY_KEY=key, **headers)


def test_the_second_request_gets_the_stored_answer(client):
    first, second = post(client, "k"), post(client, "k")

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["Location"] == first["Location"]
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    assert Batch.objects.count() == 1


def test_the_key_may_be_a_field(client):
    body = {"batch_name": "Shoes", "idempotency_key": "k"}

    first, second = client.post(ADDRESS, body), client.post(ADDRESS, body)

    assert (first.json()["id"], second["Idempotent-Replayed"]) == (second.json()["id"], "true")


def test_another_request_with_the_key_is_refused(client):
    post(client, "k")

    response = post(client, "k", name="Boots")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert Batch.objects.count() == 1


def test_the_key_of_somebody_else_is_another_key(client):
    post(client, "k")

    assert "Idempotent-Replayed" not in post(make_client("process"), "k", name="Boots")


def test_a_refusal_is_not_stored(client):
    refused, accepted = post(client, "k", name=""), post(client, "k")

    assert (refused.status_code, accepted.status_code) == (400, 201)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
def test_a_wrong_key_is_named(client, key):
    response = client.post(ADDRESS, {"batch_name": "Shoes", "idempotency_key": key})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "idempotency_key")
    assert Batch.objects.count() == 0


def test_the_longest_key_works(client):
    assert post(client, "x" * 255).status_code == 201


def test_an_expired_key_is_free_again(client):
    first = post(client, "k")
    IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    second = post(client, "k")

    assert "Idempotent-Replayed" not in second
    assert second.json()["id"] != first.json()["id"]


def test_a_form_is_known_again_although_its_boundary_and_file_name_change(client):
    data = pictures.png(seed=110)

    def send(name, **fields):
        form = {"file": upload(data, name), **fields}
        return client.post("/api/images/", form, format="multipart", HTTP_IDEMPOTENCY_KEY="k")

    first, renamed, changed = send("a.png"), send("b.png"), send("a.png", title="x")

    assert (first.status_code, renamed.status_code, changed.status_code) == (201, 201, 422)
    assert renamed["Idempotent-Replayed"] == "true"


def test_other_bytes_are_another_request(client):
    def send(seed):
        form = {"file": upload(pictures.png(seed=seed))}
        return client.post("/api/images/", form, format="multipart", HTTP_IDEMPOTENCY_KEY="k").status_code

    assert [send(111), send(112)] == [201, 422]
    assert Image.objects.count() == 1


def test_a_failure_in_the_transaction_leaves_no_file(client, monkeypatch):
    """The image and its file are there already when the answer cannot be stored."""
    before = files_on_disk()

    def fail(*args):
        raise RuntimeError("no")

    monkeypatch.setattr("api.core.idempotency._store", fail)
    client.raise_request_exception = False
    form = {"file": upload(pictures.png(seed=113))}

    response = client.post("/api/images/", form, format="multipart", HTTP_IDEMPOTENCY_KEY="k")

    assert response.status_code == 500
    assert (Image.objects.count(), files_on_disk()) == (0, before)


def test_it_works_without_redis(client, settings):
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }

    first, second = post(client, "k"), post(client, "k")

    assert (first.status_code, second["Idempotent-Replayed"]) == (201, "true")


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_not_answered_others_wait():
    user = make_user("process")
    _, text = create_key("test", user=user, scopes=["process"])
    claim = Claim(f"user:{user.pk}", "k", "")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [claim.lock_number])

        def send(_):
            return post(APIClient(HTTP_AUTHORIZATION=f"Api-Key {text}"), "k")

        (response,) = at_once(1, send)

    assert (response.status_code, response.json()["code"]) == (409, "idempotency_in_progress")
    assert response["Retry-After"] == "1"
    assert Batch.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_fifty_threads_with_one_key_make_one_job():
    _, text = create_key("test", user=make_user("process"), scopes=["process"])
    image = make_image(pictures.png(seed=114))
    body = {"image": str(image.pk), "operations": ["webp"]}

    def send(_):
        client = APIClient(HTTP_AUTHORIZATION=f"Api-Key {text}", HTTP_IDEMPOTENCY_KEY="k")
        response = client.post("/api/jobs/", body)
        return response.status_code, response.json().get("id"), "Idempotent-Replayed" in response

    answers = at_once(50, send)

    counts = Counter((status, replayed) for status, _, replayed in answers)
    assert counts[202, False] == 1
    assert set(counts) <= {(202, False), (202, True), (409, False)}
    assert {key for _, key, _ in answers if key} == {str(Job.objects.get(kind="process").pk)}
