"""The one error body: for every kind of failure, inside and outside of views."""

import json

import pytest
from django.db import DataError, OperationalError
from django.test import RequestFactory
from rest_framework.test import APIClient

from api.core.errors import STATUS, ApiError, ErrorCode, FieldError, error_body
from api.core.handling import as_api_error, json_error
from images.api.viewset import ImageViewSet
from processing.algorithms import errors as processing_errors
from tests.factories import make_client, make_user

KEYS = {"type", "code", "detail", "errors", "request_id"}


@pytest.fixture
def client(db):
    return make_client("admin")


def test_the_body():
    error = ApiError(
        ErrorCode.TOO_LONG, "Too long.", errors=[FieldError("name", "max_length", "Too long.", row=3)]
    )

    assert error_body(error) == {
        "type": "invalid_request",
        "code": "max_length",
        "detail": "Too long.",
        "errors": [{"field": "name", "row": 3, "code": "max_length", "detail": "Too long."}],
        "request_id": "",
    }


def test_every_code_of_a_processing_error_is_in_the_table():
    classes = processing_errors.ProcessingError.__subclasses__()

    assert {cls.code for cls in classes} <= set(ErrorCode.values)
    assert set(STATUS) <= set(ErrorCode.values)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (processing_errors.ImageTooLarge("x"), 413),
        (processing_errors.NotAnImage("x"), 415),
        (processing_errors.UnsupportedFormat("x"), 415),
        (processing_errors.DamagedImage("x"), 400),
        (processing_errors.InvalidParameter("x", field="width"), 400),
        (DataError("integer out of range"), 400),
        (OperationalError("the connection is closed"), 503),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), 400),
    ],
)
def test_errors_of_lower_layers_have_a_status(error, status):
    assert as_api_error(error).status == status


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("get", "/api/nothing/here/", 404, "not_found"),
        ("post", "/api/nothing", 404, "not_found"),
        ("get", "/api/images/not-a-uuid/", 404, "not_found"),
        ("put", "/api/images/", 405, "method_not_allowed"),
    ],
)
def test_unknown_addresses_and_methods(client, method, address, status, code):
    response = getattr(client, method)(address)

    body = response.json()
    assert (response.status_code, body["code"], set(body)) == (status, code, KEYS)
    assert body["request_id"] == response["X-Request-ID"]


def test_the_callers_request_id_comes_back(client):
    response = client.get("/api/nothing/", HTTP_X_REQUEST_ID="my-request-1")

    assert response.json()["request_id"] == "my-request-1"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{not json", "application/json", 400, "malformed"),
        ('{"a": NaN}', "application/json", 400, "malformed"),
        ("[" * 100_000, "application/json", 400, "malformed"),
        ("[]", "application/json", 400, "malformed"),
        ("1" * 5_000, "application/json", 400, "malformed"),
        ("\xff\xfe", "application/json", 400, "malformed"),
        ("x", "text/plain", 415, "unsupported_media_type"),
        ("x", "multipart/form-data", 400, "malformed"),
        ("x", "multipart/form-data; boundary=é", 400, "malformed"),
    ],
)
def test_a_body_that_cannot_be_read(client, body, content_type, status, code):
    response = client.post("/api/batches/", body.encode("latin-1"), content_type=content_type)

    assert (response.status_code, response.json()["code"]) == (status, code)


def test_a_json_body_above_the_limit(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    body = b'{"batch_name": "' + b"x" * 2000
    response = client.post("/api/batches/", body, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (413, "request_too_large")
    assert "The limit, not counting files, is 1.0 kB." in response.json()["detail"]


def test_too_many_fields(client, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 10

    response = client.post("/api/batches/", {f"f{number}": "1" for number in range(20)}, format="multipart")

    assert (response.status_code, response.json()["code"]) == (400, "malformed")


def test_a_defect_is_a_500_that_tells_nothing(client, monkeypatch, caplog):
    def fail(*args):
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(ImageViewSet, "get_queryset", fail)
    client.raise_request_exception = False

    response = client.get("/api/images/")

    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "hunter2" not in response.content.decode()
    assert "hunter2" in caplog.text


def test_a_form_without_its_token_is_said(db):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make_user("write"))

    response = client.post("/api/batches/", {"batch_name": "x"})

    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "malformed"), (403, "permission_denied"), (404, "not_found"), (500, "internal_error")],
)
def test_djangos_own_failures(status, code):
    response = json_error(RequestFactory().get("/api/x"), status)

    body = json.loads(response.content)
    assert (response.status_code, body["code"], set(body)) == (status, code, KEYS)


def test_the_table_is_published(client):
    rows = {row["code"]: row["status"] for row in client.get("/api/errors/").json()}

    assert set(rows) == set(ErrorCode.values)
    assert (rows["image_too_large"], rows["invalid"]) == (413, 400)


def test_a_browser_gets_json_too(client):
    response = client.get("/api/images/", HTTP_ACCEPT="text/html")

    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
