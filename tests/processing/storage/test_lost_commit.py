"""The answer to a COMMIT is lost: the rows may be there, so their files must stay.

A proxy between Pix and PostgreSQL passes the COMMIT on, at once or late, and cuts Pix off before the answer.
"""

import pytest
from django.db import connection, connections

from batches.models import Batch
from images.models import Image, Rendition
from processing.engine.worker import run_until_idle
from processing.models import Artifact, Job, Operation
from processing.storage import integrity
from tests.factories import make_client, make_image, pictures, upload
from tests.factories.lossy_proxy import lossy_proxy

pytestmark = [pytest.mark.check, pytest.mark.timeout(600)]
ROUNDS = 20
LATE_S = 0.3  # the COMMIT arrives when Pix has seen the cut already
IMAGE = b'INSERT INTO "images_image"'
JOB = b'INSERT INTO "processing_job"'
BATCH = b'INSERT INTO "batches_batch"'
ARTIFACT = b'INSERT INTO "processing_artifact"'
RENDITION = b'INSERT INTO "images_rendition"'


@pytest.fixture
def proxy(transactional_db, own_storage):
    """All of this process's connections go through it."""
    place = connection.settings_dict
    kept = {name: place[name] for name in ("HOST", "PORT")}
    host, port = kept["HOST"], int(kept["PORT"] or 5432)
    server = f"{host}/.s.PGSQL.{port}" if str(host).startswith("/") else (host, port)
    with lossy_proxy(server) as proxy:
        connections.close_all()
        place.update(HOST="127.0.0.1", PORT=str(proxy.port))
        yield proxy
        connections.close_all()
        place.update(kept)


@pytest.fixture(params=[0, LATE_S], ids=["committed", "committed late"])
def delay_s(request):
    return request.param


def rounds(proxy, delay_s, *, after):
    """The number of each round, whose COMMIT with `after` in its transaction loses its answer."""
    for number in range(ROUNDS):
        proxy.lose_answer(after=after, delay_s=delay_s)
        yield number
        proxy.wait_for_commit()
    assert proxy.cuts == ROUNDS


def check_books():
    """No file is missing, damaged or without a row."""
    report = integrity.verify(grace=integrity.timedelta(0))
    assert (report.findings, report.young) == ([], 0)


def post_file(client, number, **headers):
    return client.post(
        "/api/images/", {"file": upload(pictures.jpeg(seed=number))}, format="multipart", **headers
    )


def content_of(client, image):
    response = client.get(f"/api/images/{image}/file/")
    return response.status_code, b"".join(
        response.streaming_content
    ) if response.streaming else response.json()


def test_upload_keeps_its_file(proxy, delay_s):
    client = make_client("write")
    for number in rounds(proxy, delay_s, after=IMAGE):
        assert post_file(client, number).status_code == 503

    assert (Image.objects.count(), Rendition.objects.count()) == (ROUNDS, ROUNDS)
    check_books()
    for number in range(ROUNDS):
        again = post_file(client, number)
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
        assert content_of(client, again.json()["id"]) == (200, pictures.jpeg(seed=number))


def test_upload_with_a_key_keeps_its_file_for_the_repeated_answer(proxy, delay_s):
    client = make_client("write")
    for number in rounds(proxy, delay_s, after=IMAGE):
        assert post_file(client, number, HTTP_IDEMPOTENCY_KEY=f"k{number}").status_code == 503

    check_books()
    for number in range(ROUNDS):
        again = post_file(client, number, HTTP_IDEMPOTENCY_KEY=f"k{number}")
        assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
        assert content_of(client, again.json()["id"]) == (200, pictures.jpeg(seed=number))
    assert Image.objects.count() == ROUNDS


def test_submission_keeps_its_files(proxy, delay_s):
    client = make_client("process")
    for number in rounds(proxy, delay_s, after=JOB):
        files = [upload(pictures.jpeg(seed=2 * number + i), f"{i}.jpg") for i in range(2)]
        body = {"file": files, "operations": '[{"name": "webp"}]'}
        assert client.post("/api/jobs/", body, format="multipart").status_code == 503

    assert (Image.objects.count(), Operation.objects.filter(name="webp").count()) == (2 * ROUNDS, 2 * ROUNDS)
    check_books()
    run_until_idle()
    assert set(Job.objects.values_list("status", flat=True)) == {"completed"}
    check_books()


def test_batch_with_files_keeps_them(proxy, delay_s):
    client = make_client("write")
    for number in rounds(proxy, delay_s, after=BATCH):
        body = {"file": upload(pictures.jpeg(seed=number)), "batch_name": f"Batch {number}"}
        assert client.post("/api/batches/", body, format="multipart").status_code == 503

    assert (Image.objects.count(), Batch.objects.count()) == (ROUNDS, ROUNDS)
    check_books()


def test_worker_keeps_a_result_and_sees_that_its_first_try_won(proxy, delay_s, caplog):
    client = make_client("process")
    images = [make_image() for _ in range(ROUNDS)]
    run_until_idle()
    for number in rounds(proxy, delay_s, after=ARTIFACT):
        body = {"image": str(images[number].pk), "operations": [{"name": "webp"}]}
        job = client.post("/api/jobs/", body).json()
        run_until_idle()
        [operation] = client.get(f"/api/jobs/{job['id']}/").json()["operations"]
        assert (operation["status"], operation["attempts"], operation["error"]) == ("completed", 0, None)

    assert Artifact.objects.count() == ROUNDS
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    check_books()


def test_worker_keeps_thumbnails(proxy, delay_s):
    images = [make_image() for _ in range(ROUNDS)]
    for _ in rounds(proxy, delay_s, after=RENDITION):
        run_until_idle()  # goes on to the next image's after the cut
        make_image()

    run_until_idle()
    assert Rendition.objects.filter(image__in=images).count() == 4 * ROUNDS
    assert set(Job.objects.values_list("status", flat=True)) == {"completed"}
    check_books()


def test_thumbnail_made_on_request_keeps_its_file(proxy, delay_s):
    client = make_client("read")
    images = [make_image() for _ in range(ROUNDS)]
    for number in rounds(proxy, delay_s, after=RENDITION):
        address = f"/api/images/{images[number].pk}/thumbnail/?size=64&format=png"
        assert client.get(address).status_code == 503

    check_books()
    made = Rendition.objects.filter(size=64)
    keys = set(made.values_list("file", flat=True))
    for image in images:
        assert client.get(f"/api/images/{image.pk}/thumbnail/?size=64&format=png").status_code == 200
    assert (len(keys), set(made.values_list("file", flat=True))) == (ROUNDS, keys)


def test_repeated_answer_brings_back_a_file_that_was_lost(db, own_storage, settings):
    """A file lost before: the client was told to try again, and its bytes have just come."""
    client = make_client("write")
    first = post_file(client, 1, HTTP_IDEMPOTENCY_KEY="k").json()
    (settings.MEDIA_ROOT / Image.objects.get().file).unlink()

    again = post_file(client, 1, HTTP_IDEMPOTENCY_KEY="k")

    assert (again.status_code, again["Idempotent-Replayed"], again.json()) == (201, "true", first)
    assert content_of(client, first["id"]) == (200, pictures.jpeg(seed=1))
