"""Bodies are JSON, or a form where files are sent: whatever else somebody sends is refused, never read by halves."""

import json

import pytest
from rest_framework.test import APIClient

from images.models import Image
from images.quality import profiles
from processing.models import Job
from tests.api.core.test_same_mistakes import addresses, client  # noqa: F401  fixtures
from tests.factories import make_client, make_image, make_rows, make_user, pictures, upload

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
CHANGING = ("post", "put", "patch")
EXAMPLES = {"label": "a", "name": "default", "number": "1", "sequence": "1", "id": "1", "kind": "photo"}
NO_FILTER = {"action": "delete", "filter": '{"tag": "nosuchtag"}'}


def json_routes(document):  # noqa: F811
    for path, methods in document["paths"].items():
        for method in CHANGING:
            content = methods.get(method, {}).get("requestBody", {}).get("content", {})
            if set(content) == {"application/json"}:
                yield method, path


def session_client(scope: str) -> APIClient:
    """As the pages ask the API: Django then reads a form itself, for its CSRF token."""
    client = APIClient(enforce_csrf_checks=True)  # noqa: F811
    client.force_login(make_user(scope))
    client.cookies["csrftoken"] = token = "a" * 32
    client.credentials(HTTP_X_CSRFTOKEN=token)
    return client


def test_no_route_without_files_reads_a_form(client, document, addresses):  # noqa: F811
    found, routes = {}, list(json_routes(document))
    for method, path in routes:
        for sent in (
            {"content_type": FORM, "data": "banana=1"},
            {"format": "multipart", "data": {"banana": "1"}},
        ):
            known = {**EXAMPLES, **addresses.get(path.split("/")[2], {})}
            url = path.format(**known)
            answer = getattr(client, method)(url, **sent)
            found[method, path, sent.get("format", FORM)] = (answer.status_code, answer.json()["code"])

    assert len(routes) >= 40
    expected = (415, "unsupported_media_type")
    assert {where: one for where, one in found.items() if one != expected} == {}


@pytest.mark.parametrize("format", ["multipart", "urlencoded"])
@pytest.mark.parametrize("make", [make_client, session_client])
def test_a_filter_in_a_form_does_not_become_everything(settings, make, format):
    settings.CSRF_COOKIE_NAME = "csrftoken"
    make_rows(2)
    client = make("process")  # noqa: F811
    batch = make_client("write").post("/api/batches/", {"batch_name": "b"}).json()["id"]
    before = profiles.profile_of("photo").version
    asked = [
        ("post", "/api/images/actions/", NO_FILTER),
        ("post", "/api/images/actions/", {"action": "delete", "filter[tag]": "nosuchtag"}),
        ("post", f"/api/batches/{batch}/images/", {"filter": '{"tag": "nosuchtag"}'}),
        ("post", "/api/batches/", {"batch_name": "x", "filter": '{"tag": "nosuchtag"}'}),
        ("put", "/api/quality-profiles/photo/", {"thresholds": '{"sharpness": 0.5}'}),
    ]

    for method, path, form in asked:
        if format == "multipart":
            answer = getattr(client, method)(path, form, format="multipart")
        else:
            body = "&".join(f"{name}={value}" for name, value in form.items())
            answer = getattr(client, method)(path, body, content_type=FORM)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), path

    assert Image.objects.filter(status="ready").count() == 2
    assert make_client("read").get(f"/api/batches/{batch}/").json()["image_count"] == 0
    assert profiles.profile_of("photo").version == before


def test_a_body_without_a_content_type_is_not_ignored(client):  # noqa: F811
    (row,) = make_rows(1)
    body = json.dumps({"action": "delete", "ids": [str(row.pk)], "dry_run": True}).encode()

    for path in ("/api/images/actions/", f"/api/images/{row.pk}/embed/", f"/api/images/{row.pk}/restore/"):
        answer = client.generic("POST", path, body, content_type="")
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), path


def test_a_form_without_files_is_no_job_and_no_batch(client):  # noqa: F811
    image = make_image()

    for path, form in (
        ("/api/jobs/", {"image": str(image.pk), "operations": '["webp"]'}),
        ("/api/jobs/estimate/", {"image": str(image.pk), "operations": '["webp"]'}),
        ("/api/batches/", {"batch_name": "Shoes"}),
    ):
        answer = client.post(path, form, format="multipart")
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type"), path

    assert not Job.objects.filter(kind="process").exists()


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("operations", "webp", "malformed"),
        ("operations", '{"name": "webp"}', "invalid"),
        ("operations", '"webp"', "invalid"),
        ("operations", ['["webp"]', '["avif"]'], "invalid"),
        ("operations[0]", "webp", "unknown_field"),
        ("images", "00000000-0000-4000-8000-000000000000", "malformed"),
        ("images", "{}", "not_a_list"),
        ("dry_run", ["true", "false"], "invalid"),
    ],
)
def test_a_list_in_a_form_is_one_json_text(client, field, value, code):  # noqa: F811
    form = {"file": upload(pictures.png(seed=3)), "operations": '["webp"]', field: value}

    answer = client.post("/api/jobs/", form, format="multipart")

    error = answer.json()["errors"][0]
    assert (answer.status_code, error["field"]) == (400, field)
    assert error["code"] == ("invalid" if code == "not_a_list" else code)
    assert Image.objects.count() == Job.objects.count() == 0


@pytest.mark.parametrize("field", ["metadata[a]", "metadata.a", "metadata"])
@pytest.mark.parametrize("path", ["/api/images/", "/api/batches/"])
def test_an_object_in_a_form_is_one_json_text(client, path, field):  # noqa: F811
    name = {"batch_name": "Shoes"} if path == "/api/batches/" else {}

    answer = client.post(path, {"file": upload(pictures.png(seed=4)), field: "1", **name}, format="multipart")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    assert Image.objects.count() == 0


def test_a_parameter_of_the_address_is_sent_once_and_not_empty(client):  # noqa: F811
    (row,) = make_rows(1)
    wrong = [
        ("/api/images/?tag=a&tag=b", "tag"),
        ("/api/images/?created_before=", "created_before"),
        ("/api/jobs/?image=", "image"),
        (f"/api/images/{row.pk}/?model=%C2%86", "model"),
        (f"/api/images/{row.pk}/similar/?limit=1&limit=2", "limit"),
    ]

    answers = [(client.get(url), field) for url, field in wrong]

    assert [(answer.status_code, answer.json()["errors"][0]["field"]) for answer, _ in answers] == [
        (400, field) for _, field in answers
    ]
