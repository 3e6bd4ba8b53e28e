"""Images with their files in S3."""

import urllib.request

import pytest

from images.models import Image
from processing.engine.worker import run_until_idle
from tests.factories import make_client, pictures, upload
from tests.processing.storage.test_s3 import bucket, commits, endpoint, keys  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db


def send(client, data, name="ünï.jpg"):
    return client.post("/api/images/", {"file": upload(data, name)}, format="multipart").json()


def test_the_whole_way_of_an_original(bucket, commits):  # noqa: F811
    client, data = make_client("admin"), pictures.camera_jpeg(300, 200, seed=130)
    body = send(client, data)
    run_until_idle()
    address = f"/api/images/{body['id']}/"

    redirected = client.get(f"{address}file/?redirect=1")
    small = client.get(f"{address}thumbnail/?size=64&format=png")

    assert redirected.status_code == 302
    with urllib.request.urlopen(redirected["Location"]) as answer:
        assert answer.read() == data
        assert "%C3%BCn%C3%AF.jpg" in answer.headers["Content-Disposition"]
    assert b"".join(client.get(f"{address}file/").streaming_content) == data
    assert b"".join(small.streaming_content).startswith(b"\x89PNG")
    assert len(keys(bucket)) == 1 + 4 + 1
    with commits():
        assert client.delete(f"{address}?purge=true").status_code == 204
    assert keys(bucket) == []


def test_a_lost_original_is_stored_again(bucket):  # noqa: F811
    client, data = make_client("write"), pictures.jpeg(seed=131)
    first = send(client, data)
    bucket.Object(first["file_path"]).delete()

    second = send(client, data)

    assert (second["id"], second["duplicate"]) == (first["id"], True)
    assert second["file_path"] in keys(bucket)


def test_a_failure_leaves_nothing(bucket, monkeypatch):  # noqa: F811
    def fail(*args, **kwargs):
        raise RuntimeError("the engine is broken")

    monkeypatch.setattr("images.ingest.service.jobs.submit_job", fail)
    client = make_client("write")
    client.raise_request_exception = False

    response = client.post("/api/images/", {"file": upload(pictures.jpeg(seed=132))}, format="multipart")

    assert response.status_code == 500
    assert (keys(bucket), Image.objects.count()) == ([], 0)
