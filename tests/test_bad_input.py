"""Never a 500 for bad input: hostile values in every parameter and field, the same ones on every run."""

import json
import random

import pytest

from batches.clustering import service as analysis
from batches.groups.operations import create_group
from batches.membership import add_images
from batches.models import Batch
from tests.factories import make_client, make_image, pictures, upload

# Real transactions: a value that the database refuses must not be hidden by the test's own one.
pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NUMBERS = [-1, 0, 2**31, 2**63, 2**70, 1e308, True, None]
STRUCTURES = [
    [],
    {},
    [[]],
    [{}],
    {"a": None},
    [None],
    ["a"],
    ["x"] * 200,
    [UNKNOWN],
    {"status": []},
    {"search": "\0"},
]
MOMENTS = ["2024-13-45", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
TEXTS = [
    "",
    " ",
    "\0",
    "\ud800",
    "x" * 5000,
    "null",
    "[]",
    "{}",
    "../..",
    "%00",
    UNKNOWN,
    "🙂",
    "'",
    "a" * 64,
    "NaN",
]
HOSTILE = [*NUMBERS, *STRUCTURES, *MOMENTS, *TEXTS]
ERROR_KEYS = {"type", "code", "detail", "errors", "request_id"}

LISTS = ("images", "batches", "audit", "api-keys", "jobs", "artifacts")
PARAMETERS = [
    "status",
    "kind",
    "source",
    "format",
    "batch",
    "tag",
    "uploaded_by",
    "reference",
    "sha256",
    "pinned",
    "captured_after",
    "created_before",
    "width_min",
    "deleted",
    "search",
    "ordering",
    "page",
    "page_size",
    "size",
    "redirect",
    "action",
    "actor",
    "after",
    "target_id",
    "owner",
    "image",
    "queue",
    "error_code",
    "priority",
    "job",
    "operation",
    "name",
    "folder",
    "requested_by",
    "since",
    "cursor",
    "run",
    "max_distance",
    "threshold",
    "limit",
    "group",
    "decision",
    "offset",
]
OF_BATCHES = (
    "",
    *(
        f"{name}/"
        for name in ("images", "groups", "changes", "runs", "map", "suggestions", "near-duplicates", "export")
    ),
)
DESCRIBING = ["batch_name", "note", "parameters", "kind", "priority", "assignee", "reviewer"]
WORK = [
    "operations",
    "pipeline",
    "priority",
    "output_folder",
    "filename_prefix",
    "reference",
    "idempotency_key",
    "dry_run",
]


BODIES = 25  # for each route
FIELDS = {
    ("post", "/api/images/actions/"): ["action", "ids", "filter", "tags", "remove_tags", *WORK],
    ("post", "/api/batches/"): [*DESCRIBING, "image_ids", "filter", "idempotency_key"],
    ("post", "{batch}images/"): ["image_ids", "filter", "version", "idempotency_key"],
    ("post", "{batch}groups/"): ["label", "name", "colour", "image_ids", "version"],
    ("put", "{batch}groups/"): ["groups", "assignments", "create", "version"],
    ("patch", "{batch}groups/a/"): ["label", "name", "colour", "cover", "status", "version"],
    ("post", "{batch}groups/merge/"): ["into", "from", "version"],
    ("post", "{batch}groups/split/"): ["label", "image_ids", "auto", "name"],
    ("post", "{batch}groups/move/"): ["image_ids", "to", "version"],
    ("post", "{batch}groups/decide/"): ["image_ids", "decision", "reason"],
    ("post", "{batch}groups/lock/"): ["image_ids", "locked"],
    ("post", "{batch}undo/"): ["skip_conflicts", "version"],
    ("post", "{batch}analyze/"): [
        *analysis.PARAMETERS,
        *("mode", "activate", "sizes", "samples", "dry_run", "version"),
    ],
    ("post", "{batch}process/"): [*WORK, "filter"],
    ("post", "{batch}suggestions/accept/"): ["image_ids", "group_label", "max_distance", "dry_run"],
    ("post", "{batch}near-duplicates/resolve/"): ["decisions", "all", "threshold", "verdict", "dry_run"],
    ("post", "{batch}reject/"): ["reason", "version"],
    ("post", "/api/api-keys/"): ["name", "scopes", "user", "expires_at"],
    ("post", "/api/jobs/"): ["image", "images", "batch", *WORK],
    ("post", "/api/images/{image}/process/"): WORK,
    ("post", "/api/cleanup/"): ["days_old", "classes", "dry_run"],
    ("patch", "/api/images/{image}/"): [
        "title",
        "note",
        "tags",
        "kind",
        "pinned",
        "reference",
        "metadata",
    ],
    ("patch", "{batch}"): [*DESCRIBING, "version"],
    ("patch", "/api/api-keys/{key}/"): ["name", "expires_at"],
    ("patch", "/api/queues/light/"): ["paused", "reason"],
}


def good_values(image) -> dict:
    """A value that each field takes."""
    return {
        "action": "tag",
        "ids": [str(image.pk)],
        "image": str(image.pk),
        "image_ids": [str(image.pk)],
        "operations": ["webp"],
        "batch_name": "b",
        "name": "n",
        "scopes": ["read"],
        "days_old": 5,
        "label": "a",
        "into": "a",
        "to": "a",
        "decision": "accepted",
        "locked": True,
        "groups": {"a": [str(image.pk)]},
        "reason": "r",
        "all": True,
    }


@pytest.fixture
def client():
    client = make_client("admin")
    client.raise_request_exception = False
    return client


REFUSALS = {
    400,
    404,
    405,
    409,
    410,
    413,
    415,
    416,
    422,
}  # what an admin who is signed in can get for bad input


def is_fine(response) -> bool:
    """It is done, or refused with the one error body; no fault of ours, and no sign-in asked for."""
    if response.status_code < 400:
        return True
    return response.status_code in REFUSALS and set(response.json()) >= ERROR_KEYS


def as_text(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode()


def test_hostile_values_in_a_query_string_are_refused_or_taken(client):
    image = make_image()
    parts = ("", "thumbnail/", "file/", "jobs/", "history/")
    batch = Batch.objects.create(batch_name="b")
    addresses = [f"/api/{name}/" for name in LISTS] + [f"/api/images/{image.pk}/{part}" for part in parts]
    addresses += [f"/api/batches/{batch.pk}/{part}" for part in OF_BATCHES]
    choose = random.Random(1)

    for _ in range(300):
        address, name = choose.choice(addresses), choose.choice(PARAMETERS)
        value = as_text(choose.choice(HOSTILE))
        assert is_fine(client.get(address, {name: value})), (address, name, value)


@pytest.mark.parametrize(("method", "address"), list(FIELDS), ids=lambda part: part)
def test_hostile_values_in_the_fields_of_a_body_are_refused_or_taken(client, method, address):
    image, batch = make_image(), Batch.objects.create(batch_name="b")
    add_images(batch, [image.pk], actor=None)
    create_group(batch, label="a", image_ids=[image.pk], actor=None)
    key = client.user.api_keys.get()
    places = {"image": image.pk, "batch": f"/api/batches/{batch.pk}/", "key": key.pk}
    url, fields, good = address.format_map(places), FIELDS[method, address], good_values(image)
    choose = random.Random(f"{method} {address}")

    for _ in range(BODIES):
        body = {name: good[name] for name in fields if name in good}
        body |= {name: choose.choice(HOSTILE) for name in choose.sample(fields, 1 + (choose.random() < 0.3))}
        response = getattr(client, method)(url, json.dumps(body), content_type="application/json")
        assert is_fine(response), (body, response.status_code, response.content[:300])


def test_hostile_values_in_the_form_of_an_upload_are_refused_or_taken(client):
    choose, fields = (
        random.Random(3),
        ["batch", "kind", "title", "tags", "reference", "metadata", "idempotency_key"],
    )

    for _ in range(100):
        form = {name: as_text(choose.choice(HOSTILE)) for name in choose.sample(fields, 2)}
        files = [upload(pictures.png(seed=140)), upload(b"x")][: choose.choice([1, 2])]
        response = client.post("/api/images/", {**form, "file": files}, format="multipart")
        assert is_fine(response), form
