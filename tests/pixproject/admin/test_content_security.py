"""What each kind of page may load."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse

from pixproject.web.middleware import ContentSecurityPolicyMiddleware

pytestmark = pytest.mark.django_db


def policy(path: str, **headers: str) -> dict[str, str]:
    middleware = ContentSecurityPolicyMiddleware(lambda request: HttpResponse(headers=headers))
    header = middleware(RequestFactory().get(path)).headers["Content-Security-Policy"]
    return dict(part.split(" ", 1) for part in header.split("; ") if " " in part)


@pytest.mark.parametrize("path", ["/", "/images/", "/api/jobs/", "/administration/"])
def test_pages_and_api_run_own_scripts_only(path):
    found = policy(path)

    assert (found["script-src"], found["style-src"]) == ("'self'", "'self'")
    assert (found["object-src"], found["frame-ancestors"]) == ("'none'", "'none'")


def test_admin_may_evaluate_expressions_but_run_no_inline_script():
    found = policy("/admin/processing/job/")

    assert found["script-src"] == "'self' 'unsafe-eval'"
    assert found["style-src"] == "'self' 'unsafe-inline'"


def test_api_documentation_sets_styles_only():
    assert policy("/api/docs/")["script-src"] == "'self'"


def test_header_of_a_view_wins():
    assert policy("/", **{"Content-Security-Policy": "sandbox now"}) == {"sandbox": "now"}


def test_pictures_come_from_here_with_local_storage():
    assert policy("/")["img-src"] == "'self' data: blob:"


@pytest.mark.parametrize(
    ("endpoint", "origins"),
    [
        ("https://minio.example:9000", "https://minio.example:9000 https://pictures.minio.example:9000"),
        (
            None,
            "https://s3.amazonaws.com https://pictures.s3.amazonaws.com "
            "https://s3.eu-west-1.amazonaws.com https://pictures.s3.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_pictures_come_from_the_bucket_with_s3(settings, endpoint, origins):
    settings.STORAGE_BACKEND = "s3"
    settings.AWS_S3_BUCKET, settings.AWS_REGION, settings.AWS_ENDPOINT_URL = "pictures", "eu-west-1", endpoint

    assert policy("/")["img-src"] == f"'self' data: blob: {origins}"


def test_admin_pages_hold_no_inline_script(administrator):
    for page in ("index", "processing_job_changelist", "images_image_add", "queues", "api_apikey_add"):
        content = administrator.get(reverse(f"admin:{page}")).content.decode()
        assert "<script>" not in content
        assert " onclick=" not in content
