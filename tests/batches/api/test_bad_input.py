"""Bad input at the routes of batches: a clear error, nothing changed."""

import uuid

import pytest
from rest_framework.test import APIClient

from batches.models import Batch
from tests.factories import make_client, make_rows
from tests.factories.shoes import at, placed, shoes

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


@pytest.fixture
def batch():
    return shoes(make_rows(6))


STRANGER = str(uuid.UUID(int=7))
WRITES = [
    ("post", "groups/", {"label": "a"}, 400, "unique"),
    ("post", "groups/", {"label": "noise"}, 400, "invalid"),
    ("post", "groups/", {"label": "x/y"}, 400, "invalid"),
    ("post", "groups/", {"label": "merge"}, 400, "invalid"),
    ("post", "groups/", {"label": "x" * 65}, 400, "max_length"),
    ("post", "groups/", {"colour": "red"}, 400, "invalid"),
    ("post", "groups/", {"image_ids": [STRANGER]}, 400, "does_not_exist"),
    ("post", "groups/", {"image_ids": ["x"]}, 400, "invalid"),
    ("post", "groups/", {"banana": 1}, 400, "unknown_field"),
    ("post", "groups/", [], 400, "malformed"),
    ("patch", "groups/zzz/", {"name": "x"}, 404, "not_found"),
    ("patch", "groups/a/", {}, 400, "required"),
    ("patch", "groups/a/", {"label": "b"}, 400, "unique"),
    ("patch", "groups/a/", {"status": "banana"}, 400, "invalid_choice"),
    ("patch", "groups/a/", {"cover": STRANGER}, 400, "does_not_exist"),
    ("patch", "groups/a/", {"name": "x" * 201}, 400, "max_length"),
    ("delete", "groups/zzz/", None, 404, "not_found"),
    ("post", "groups/merge/", {"into": "a", "from": ["a"]}, 400, "invalid"),
    ("post", "groups/merge/", {"into": "a", "from": []}, 400, "blank"),
    ("post", "groups/merge/", {"into": "a", "from": ["zzz"]}, 400, "does_not_exist"),
    ("post", "groups/merge/", {"into": "zzz", "from": ["a"]}, 400, "does_not_exist"),
    ("post", "groups/split/", {"label": "zzz", "image_ids": [STRANGER]}, 400, "does_not_exist"),
    ("post", "groups/split/", {"label": "a", "image_ids": [STRANGER]}, 400, "does_not_exist"),
    ("post", "groups/split/", {"label": "a"}, 400, "required"),
    ("post", "groups/move/", {"image_ids": [STRANGER], "to": "a"}, 400, "does_not_exist"),
    ("post", "groups/move/", {"image_ids": [STRANGER]}, 400, "required"),
    ("post", "groups/move/", {"image_ids": [], "to": None}, 400, "blank"),
    ("post", "groups/decide/", {"image_ids": [STRANGER], "decision": "banana"}, 400, "invalid_choice"),
    ("post", "groups/decide/", {"image_ids": [STRANGER], "decision": "accepted"}, 400, "does_not_exist"),
    ("post", "groups/lock/", {"image_ids": [STRANGER], "locked": True}, 400, "does_not_exist"),
    ("put", "groups/", {"groups": {"a": [STRANGER]}}, 400, "does_not_exist"),
    ("put", "groups/", {"groups": {"a": "x"}}, 400, "invalid"),
    ("put", "groups/", {"groups": {}}, 400, "required"),
    ("put", "groups/", {}, 400, "invalid"),
    ("put", "groups/", {"assignments": [{"image_id": STRANGER}]}, 400, "required"),
    ("post", "undo/", {"skip_conflicts": "banana"}, 400, "invalid"),
    ("post", "redo/", {}, 409, "conflict"),
    ("post", "changes/99/undo/", {}, 404, "not_found"),
    ("post", "submit/", {"reason": "x"}, 400, "unknown_field"),
    ("post", "reject/", {"reason": "x"}, 409, "conflict"),
    ("post", "reopen/", {}, 409, "conflict"),
    ("post", "unarchive/", {}, 409, "conflict"),
    ("post", "images/", {}, 400, "required"),
    ("post", "images/", {"filter": {"banana": "1"}}, 400, "unknown_field"),
    ("post", "images/", {"filter": {"min_quality": "x"}}, 400, "invalid"),
    ("post", "images/", {"filter": {"tag": "x"}, "image_ids": [STRANGER]}, 400, "invalid"),
    ("patch", "", {"priority": "banana"}, 400, "invalid_choice"),
    ("patch", "", {"assignee": "nobody at all"}, 400, "does_not_exist"),
    ("patch", "", {"image_ids": []}, 400, "unknown_field"),
    ("post", "process/", {}, 400, None),
    ("post", "process/", {"operations": ["banana"]}, 400, "unknown_operation"),
    ("post", "process/", {"operations": ["webp"], "filter": {"group": "zzz"}}, 400, "does_not_exist"),
    (
        "post",
        "process/",
        {"operations": ["webp"], "filter": {"image_ids": [STRANGER]}},
        400,
        "does_not_exist",
    ),
    ("post", "process/", {"operations": ["webp"], "filter": {"banana": 1}}, 400, "unknown_field"),
    ("post", "suggestions/accept/", {}, 400, "required"),
    ("post", "suggestions/accept/", {"group_label": "zzz"}, 400, "does_not_exist"),
    ("post", "suggestions/accept/", {"max_distance": 3}, 400, "max_value"),
    ("post", "suggestions/accept/", {"image_ids": [STRANGER]}, 400, "does_not_exist"),
    ("post", "analyze/", {"mode": "banana"}, 400, "invalid_choice"),
    ("post", "analyze/", {"min_cluster_size": "x"}, 400, "invalid"),
    ("post", "analyze/", {"sizes": [3]}, 400, "invalid"),
    ("post", "runs/1/activate/", {}, 404, "not_found"),
    ("post", "near-duplicates/resolve/", {}, 400, "required"),
    ("post", "near-duplicates/resolve/", {"all": True, "threshold": 2}, 400, "max_value"),
    ("post", "near-duplicates/resolve/", {"all": True, "verdict": "banana"}, 400, "invalid_choice"),
    ("post", "near-duplicates/resolve/", {"decisions": [{"keep": STRANGER}]}, 400, "required"),
    (
        "post",
        "near-duplicates/resolve/",
        {"decisions": [{"keep": STRANGER, "others": [str(uuid.UUID(int=8))]}]},
        400,
        "does_not_exist",
    ),
]


@pytest.mark.parametrize(("method", "part", "body", "status", "code"), WRITES)
def test_a_wrong_write_changes_nothing(client, batch, method, part, body, status, code):
    before = placed(batch), batch.changes.count(), Batch.objects.values().get(pk=batch.pk)

    response = getattr(client, method)(at(batch, part), body)

    answer = response.json()
    assert response.status_code == status, answer
    assert answer["detail"]
    assert code in (None, answer["code"], *(error["code"] for error in answer["errors"]))
    assert (placed(batch), batch.changes.count(), Batch.objects.values().get(pk=batch.pk)) == before


READS = [
    ("groups/", {"ordering": "banana"}, 400),
    ("groups/", {"banana": "1"}, 400),
    ("groups/zzz/", {}, 404),
    ("images/", {"group": "zzz"}, 400),
    ("images/", {"decision": "banana"}, 400),
    ("images/", {"banana": "1"}, 400),
    ("changes/", {"since": "x"}, 400),
    ("changes/", {"cursor": "x"}, 400),
    ("runs/1/", {}, 404),
    ("runs/1/diff/", {}, 404),
    ("map/", {"run": "1"}, 404),
    ("map/", {"run": "x"}, 400),
    ("map/", {"format": "banana"}, 400),
    ("suggestions/", {"max_distance": "nan"}, 400),
    ("suggestions/", {"max_distance": "3"}, 400),
    ("suggestions/", {"group": "zzz"}, 400),
    ("suggestions/", {"limit": "0"}, 400),
    ("near-duplicates/", {"threshold": "x"}, 400),
    ("export/", {"format": "banana"}, 400),
    ("statistics/", {"banana": "1"}, 400),
]


@pytest.mark.parametrize(("part", "query", "status"), READS)
def test_a_wrong_read(client, batch, part, query, status):
    response = client.get(at(batch, part), query)

    assert response.status_code == status, response.json()
    assert response.json()["detail"]


ROUTES = sorted({(row[0], row[1]) for row in WRITES})
OPERATORS = ("analyze/", "process/", "archive/", "unarchive/", "restore/", "reopen/", "runs/1/activate/")


def test_who_may_write(batch):
    before, (nobody, reader, reviewer) = (
        batch.changes.count(),
        (APIClient(), make_client("read"), make_client("write")),
    )

    for method, part in ROUTES:
        answers = [getattr(who, method)(at(batch, part), {}).status_code for who in (nobody, reader)]
        assert answers == [401, 403], part
    assert batch.changes.count() == before
    for part in OPERATORS:
        assert reviewer.post(at(batch, part), {}).status_code == 403, part


def test_malformed_json(client, batch):
    for method, part in ROUTES:
        response = getattr(client, method)(at(batch, part), "{", content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (400, "malformed"), part


def test_an_unknown_batch(client):
    addresses = [(method, part) for method, part in ROUTES] + [("get", row[0]) for row in READS]

    for method, part in addresses:
        response = getattr(client, method)(f"/api/batches/{uuid.uuid4()}/{part}", {})
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), (method, part)
