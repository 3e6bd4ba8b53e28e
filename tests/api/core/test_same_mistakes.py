"""One mistake has one code at every POST route, and the API's document says what a mistake is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from api.models import ApiKey
from batches.models import ClusterRun
from images.models import DuplicatePair, Image
from processing.models import Job
from tests.factories import make_client, make_rows, pictures, upload
from tests.factories.shoes import shoes

pytestmark = pytest.mark.django_db
JSON = "application/json"
NOT_READ_AS_FIELD = {"idempotency_key"}  # `idempotent` reads it before the body
TAKE_FILES = (
    "/api/images/",
    "/api/batches/",
    "/api/batches/{id}/images/",
    "/api/jobs/",
    "/api/jobs/estimate/",
    "/api/process/",
)
ROUTES_WITH_BODIES = 35  # at least: fewer means that the document lost some
Schema = dict[str, Any]


@pytest.fixture
def client() -> APIClient:
    return make_client("admin")


@pytest.fixture
def addresses(client) -> dict[str, dict[str, str]]:
    """What stands in the addresses, by the first part of a path."""
    rows = make_rows(6)
    batch = shoes(rows)
    run = ClusterRun.objects.create(batch=batch, number=1, status="completed")
    job = Job.objects.create(kind="process", status="failed", finished_at=timezone.now())
    first, second = sorted(rows[:2], key=lambda row: row.pk)
    pair = DuplicatePair.objects.create(a=first, b=second, kind="near", distance=0.05)
    return {
        "batches": {"id": str(batch.pk), "number": str(run.number), "sequence": "1"},
        "images": {"id": str(rows[0].pk)},
        "jobs": {"id": str(job.pk)},
        "duplicates": {"id": str(pair.pk)},
        "api-keys": {"id": str(ApiKey.objects.get(user=client.user).pk)},
        "quality-profiles": {"kind": "photo"},
    }


def resolved(document: Schema, schema: Schema) -> Schema:
    """A schema without references; of several parts the one that says what a value is."""
    if "$ref" in schema:
        return resolved(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    parts = schema.get("allOf") or schema.get("oneOf")
    if parts and "type" not in schema:
        return {
            **resolved(document, parts[0]),
            **{key: schema[key] for key in ("nullable",) if key in schema},
        }
    return schema


def posts(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    """Every POST route that reads a body: path, content type, schema."""
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if content:
            content_type = JSON if JSON in content else "multipart/form-data"
            yield path, content_type, resolved(document, content[content_type]["schema"])


def test_the_routes_are_found(document):
    assert len(list(posts(document))) >= ROUTES_WITH_BODIES


@pytest.mark.parametrize(
    ("content", "content_type", "expected"),
    [
        ("[]", JSON, (400, "malformed")),
        ('"text"', JSON, (400, "malformed")),
        ("null", JSON, (400, "malformed")),
        ("{", JSON, (400, "malformed")),
        ('{"a": NaN}', JSON, (400, "malformed")),
        ("[" * 100_000, JSON, (400, "malformed")),
        ("x", "multipart/form-data", (415, "unsupported_media_type")),
        ("x", "text/plain", (415, "unsupported_media_type")),
    ],
)
def test_a_body_that_cannot_be_read(client, document, addresses, content, content_type, expected):
    found = {}
    for path, _, _ in posts(document):
        answer = client.post(address(path, addresses), content, content_type=content_type)
        found[path] = (answer.status_code, answer.json()["code"])

    if content_type == "multipart/form-data":
        assert {found.pop(path) for path in TAKE_FILES} == {(400, "malformed")}
    assert {path: one for path, one in found.items() if one != expected} == {}


def wrong_type(field: Schema) -> Any:
    """A value of another type, as it is said in JSON; None for choices and files."""
    if "enum" in field or field.get("items", {}).get("format") == "binary":
        return None
    by_type = {
        "string": {"a": 1},
        "array": {"a": 1},
        "integer": "seven",
        "number": "seven",
        "boolean": "maybe",
    }
    return by_type.get(field.get("type"), "seven" if field.get("type") == "object" else None)


MISTAKES: dict[str, tuple[str, Any]] = {
    "wrong type": ("invalid", wrong_type),
    "null": ("null", lambda field: None if field.get("nullable") or "oneOf" in field else NULL),
    "too long": (
        "max_length",
        lambda field: "x" * (field["maxLength"] + 1) if "maxLength" in field else None,
    ),
    "NUL character": (
        "invalid",
        lambda field: "a\0b" if "maxLength" in field else None,
    ),
    "half a surrogate pair": (
        "invalid",
        lambda field: "a\ud800" if "maxLength" in field else None,
    ),
    "unknown choice": ("invalid_choice", lambda field: "banana" if "enum" in field else None),
    "not a UUID": ("invalid", lambda field: "no-uuid" if field.get("format") == "uuid" else None),
    "too low": ("min_value", lambda field: field["minimum"] - 1 if "minimum" in field else None),
    "too high": ("max_value", lambda field: field["maximum"] + 1 if "maximum" in field else None),
}
NULL = object()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_value(client, document, addresses, mistake):
    code, make = MISTAKES[mistake]
    found, count = {}, 0
    for path, content_type, schema in posts(document):
        is_form = content_type != JSON
        for name, part in schema["properties"].items():
            value = make(resolved(document, part))
            kind = "file" if "binary" in str(part) else resolved(document, part).get("type")
            if is_form and value is not None and kind in ("array", "object"):  # one JSON text
                value = json.dumps(None if value is NULL else value)
            if value is None or name in NOT_READ_AS_FIELD or (is_form and not is_sent_by_forms(value)):
                continue
            count += 1
            body = {name: None if value is NULL else value}
            answer = send(client, address(path, addresses), body, is_form=is_form)
            found[path, name] = codes(answer, name) or (answer.status_code, answer.content[:200])

    assert count
    assert {where: one for where, one in found.items() if one != {code}} == {}


def test_an_unknown_field(client, document, addresses):
    found = {}
    for path, content_type, _ in posts(document):
        answer = send(client, address(path, addresses), {"banana": "1"}, is_form=content_type != JSON)
        found[path] = codes(answer, "banana")

    assert {path: one for path, one in found.items() if one != {"unknown_field"}} == {}


def test_a_missing_field(client, document, addresses):
    found, count = {}, 0
    for path, content_type, schema in posts(document):
        for name in schema.get("required", ()):
            count += 1
            found[path, name] = codes(
                send(client, address(path, addresses), {}, is_form=content_type != JSON), name
            )

    assert count
    assert {where: one for where, one in found.items() if one != {"required"}} == {}


def is_sent_by_forms(value: Any) -> bool:
    return isinstance(value, str) and "\ud800" not in value


def send(client: APIClient, path: str, body: dict[str, Any], *, is_form: bool) -> Any:
    if not is_form:
        return client.post(path, json.dumps(body), content_type=JSON)
    return client.post(path, {"file": upload(pictures.png(seed=1)), **body}, format="multipart")


def address(path: str, addresses: dict[str, dict[str, str]]) -> str:
    return path.format(**addresses.get(path.split("/")[2], {}))


def codes(answer: Any, name: str) -> set[str]:
    """The codes of the errors that name the field or a part of it."""
    errors = answer.json().get("errors", [])
    return {error["code"] for error in errors if error["field"].partition(".")[0] == name}


def test_nothing_of_it_was_stored(client, document, addresses):
    before = (Image.objects.count(), Job.objects.count(), ApiKey.objects.count())

    for path, content_type, _ in posts(document):
        send(client, address(path, addresses), {"banana": "1"}, is_form=content_type != JSON)

    assert (Image.objects.count(), Job.objects.count(), ApiKey.objects.count()) == before
