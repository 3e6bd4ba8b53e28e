"""The same work with the files in S3: a real server of its protocol, in this process."""

import io
import urllib.request
import zipfile
from datetime import timedelta

import boto3
import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from images.models import Image
from pixproject import health
from processing.models import Artifact
from processing.storage import integrity, retention
from tests.factories.rest import client_of, finished, make_image

pytestmark = pytest.mark.django_db
BUCKET = "pix-test"
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint, settings):
    s3 = boto3.resource("s3", endpoint_url=endpoint, **CREDENTIALS)
    bucket = s3.create_bucket(Bucket=BUCKET)
    options = {
        **settings._S3_STORAGE["OPTIONS"],
        "bucket_name": BUCKET,
        "access_key": "test",
        "secret_key": "test",
        "endpoint_url": endpoint,
    }
    settings.STORAGES = {**settings.STORAGES, "default": {**settings._S3_STORAGE, "OPTIONS": options}}
    settings.STORAGE_BACKEND = "s3"
    yield bucket
    bucket.objects.delete()
    bucket.delete()


@pytest.fixture
def commits(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


def keys(bucket) -> list[str]:
    return sorted(item.key for item in bucket.objects.all())


def test_whole_way_of_a_picture(bucket, commits):
    with commits():
        image = make_image(1)
    client = client_of("admin")
    job = finished(client, image, "webp", "blur")

    assert job["status"] == "completed"
    webp = job["artifacts"][0]
    assert webp["url"].startswith(bucket.meta.client.meta.endpoint_url)
    with urllib.request.urlopen(webp["url"]) as answer:
        assert len(answer.read()) == webp["byte_size"]
        assert "photo_webp.webp" in answer.headers["Content-Disposition"]
    part = client.get(webp["links"]["file"], headers={"Range": "bytes=0-3"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, b"RIFF")
    archive = b"".join(client.get(job["links"]["download"]).streaming_content)
    assert len(zipfile.ZipFile(io.BytesIO(archive)).namelist()) == 3
    assert client.get(webp["links"]["compare"]).json()["psnr_db"] > 20
    assert health.check_storage()[0] == "ok"


def test_cleanup_leaves_nothing(bucket, commits):
    with commits():
        image = make_image(1)
        finished(client_of("operator"), image, "webp")
    assert keys(bucket) != []

    with commits():
        retention.clean(retention.cutoffs(["raw", "processed", "thumbnails"], days_old=0))

    assert (keys(bucket), Image.objects.get().status) == ([], "purged")


def test_integrity_finds_and_mends(bucket, commits):
    with commits():
        finished(client_of("operator"), make_image(1), "webp")
    artifact = Artifact.objects.get()
    bucket.Object(artifact.file).put(Body=b"x" * artifact.byte_size)
    bucket.Object(f"{artifact.file}.orphan").put(Body=b"orphan")

    def verify(*, repair: bool) -> list[tuple[str, str]]:
        with commits():
            report = integrity.verify(repair=repair, grace=timedelta(seconds=-5))
        return sorted((finding.problem, finding.file_class) for finding in report.findings)

    assert verify(repair=False) == [("damaged", "processed"), ("orphaned", "processed")]
    verify(repair=True)
    assert (verify(repair=False), Artifact.objects.count()) == ([], 0)
    assert not default_storage.exists(f"{artifact.file}.orphan")
