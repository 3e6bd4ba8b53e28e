"""Images and jobs say where they came from: the pages (session) or a program (API key)."""

import pytest
from rest_framework.test import APIClient

from images.models import Image
from processing.models import Job
from tests.factories import make_client, make_user, pictures, upload

pytestmark = pytest.mark.django_db


def session() -> APIClient:
    client = APIClient()
    client.force_login(make_user("process"))
    return client


def submit_everywhere(client: APIClient, seed: int) -> None:
    """Upload alone, upload with a job, an image's own process action, the process action of the list."""
    part = {"file": upload(pictures.png(40, 30, seed=seed))}
    image = client.post("/api/images/", part, format="multipart").json()["id"]
    both = {"file": upload(pictures.png(40, 30, seed=seed + 1)), "operations": '["webp"]'}
    submitted = [
        client.post("/api/jobs/", both, format="multipart"),
        client.post("/api/jobs/", {"image": image, "operations": ["grayscale"]}),
        client.post("/api/images/actions/", {"action": "process", "ids": [image], "operations": ["sepia"]}),
    ]
    assert [answer.status_code for answer in submitted] == [202, 202, 202]


@pytest.mark.parametrize(
    ("client", "source"), [(session, "web"), (lambda: make_client("process"), "api")], ids=["web", "api"]
)
def test_source_is_the_door(client, source):
    submit_everywhere(client(), seed=300)

    assert set(Image.objects.values_list("source", flat=True)) == {source}
    jobs = Job.objects.filter(kind="process")
    assert list(jobs.values_list("source", flat=True)) == [source] * 3
