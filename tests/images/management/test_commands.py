"""ingest_folder and reprocess."""

import io
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from batches.models import Batch, ClusterRun
from images.models import Embedding, Image, QualityScore, Rendition
from images.quality.service import submit_quality
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from processing.states import OPERATION_OPEN
from tests.factories import make_image, make_user, pictures
from tests.factories.vectors import install, random_file

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue().splitlines()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.jpg").write_bytes(pictures.jpeg(seed=120))
    (tmp_path / "b.jpg").write_bytes(pictures.png(seed=121))
    (tmp_path / "again.jpg").write_bytes(pictures.jpeg(seed=120))
    (tmp_path / "notes.txt").write_bytes(pictures.TEXT)
    (tmp_path / ".hidden.jpg").write_bytes(pictures.jpeg(seed=122))
    (tmp_path / "inner" / "c.webp").write_bytes(pictures.webp(seed=123))
    return tmp_path


def test_a_folder_is_taken_in_and_left_as_it_was(folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    user = make_user()

    lines = run("ingest_folder", folder, "--no-recursive", "--batch", "Dunes", "--user", user.username)

    batch = Batch.objects.get(batch_name="Dunes")
    assert lines[-3:-1] == [
        "2 new, 1 already known, 1 refused.",
        f"Batch “Dunes”: 2 images, /batches/{batch.pk}/",
    ]
    assert lines[0].startswith(f"refused {folder}/notes.txt: The file is not an image")
    names = Image.objects.order_by("original_filename").values_list(
        "original_filename", "source", "uploaded_by"
    )
    assert list(names) == [("a.jpg", "command", user.pk), ("b.png", "command", user.pk)]
    assert batch.images.count() == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_second_run_adds_nothing(folder):
    run("ingest_folder", folder, "--batch", "Dunes")

    assert run("ingest_folder", folder, "--batch", "Dunes")[-3] == "0 new, 4 already known, 1 refused."
    assert (Image.objects.count(), Batch.objects.get().images.count()) == (3, 3)


def test_a_dry_run_stores_nothing(folder):
    lines = run("ingest_folder", folder, "--dry-run", "--batch", "Dunes")

    assert lines[-1] == "3 new, 1 already known, 1 would be refused."
    assert (Image.objects.count(), Batch.objects.count(), Job.objects.count()) == (0, 0, 0)


def test_wrong_arguments_are_said(tmp_path):
    for arguments in (
        (tmp_path / "nothing",),
        (tmp_path, "--user", "nobody"),
        (tmp_path, "--batch", "x" * 201),
        (tmp_path, "--batch", "Dunes", "--priority", "soon"),
        (tmp_path, "--priority", "high"),
        (tmp_path, "--analyze"),
    ):
        with pytest.raises(CommandError):
            run("ingest_folder", *arguments)


def test_a_batch_that_takes_no_images_is_not_used_again(folder):
    for closed in ({"status": "archived"}, {"review_stage": "approved"}, {"deleted_at": timezone.now()}):
        Batch.objects.create(batch_name="Dunes", **closed)

    run("ingest_folder", folder, "--batch", "Dunes", "--priority", "high")
    run("ingest_folder", folder, "--batch", "Dunes", "--priority", "low")

    assert list(Batch.objects.filter(images__isnull=False).distinct().values_list("priority", flat=True)) == [
        3
    ]
    assert Batch.objects.count() == 4


def test_a_folder_is_grouped_where_that_is_asked_for(folder, monkeypatch, settings, tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    install(monkeypatch, settings, models, random_file("pix_small", models))

    lines = run("ingest_folder", folder, "--batch", "Dunes", "--analyze")
    run_until_idle()

    found = ClusterRun.objects.get()
    assert lines[-1] == f"Run 1 is queued to group them (job {found.job_id})."
    assert (found.status, found.n_images) == ("completed", 3)


def test_grouping_without_a_model_is_refused_before_anything_is_stored(
    folder, monkeypatch, settings, tmp_path
):
    install(monkeypatch, settings, tmp_path)

    with pytest.raises(CommandError, match="models fetch"):
        run("ingest_folder", folder, "--batch", "Dunes", "--analyze")

    assert (Image.objects.count(), Batch.objects.count()) == (0, 0)


def test_missing_thumbnails_are_made():
    complete, partial = make_image(), make_image()
    run_until_idle()
    partial.renditions.all().delete()

    assert run("reprocess", "--dry-run") == ["thumbnails: 1 image would be queued."]
    assert run("reprocess", "--missing") == ["thumbnails: 1 image queued in 1 job."]
    run_until_idle()

    assert (
        Rendition.objects.filter(image=partial).count()
        == Rendition.objects.filter(image=complete).count()
        == 4
    )
    assert run("reprocess", "--dry-run") == ["thumbnails: 0 images would be queued."]


def test_metadata_is_read_again():
    image = make_image(pictures.camera_jpeg(seed=124))
    Image.objects.update(exif={}, exif_raw={}, gps=None, captured_at=None, phash=None)

    run("reprocess", "--what", "metadata", "--all")
    run_until_idle()

    again = Image.objects.get()
    assert (again.exif, again.gps, again.phash, again.captured_at) == (
        image.exif,
        image.gps,
        image.phash,
        image.captured_at,
    )


def test_reprocess_says_what_is_wrong():
    for arguments in (("--what", "dreams"), ("--what", ""), ("--batch", "nothing"), ("--all", "--missing")):
        with pytest.raises(CommandError):
            run("reprocess", *arguments)


def test_missing_quality_is_measured_and_then_is_not_missing(monkeypatch, settings):
    settings.QUALITY_METRICS = []  # the causes alone need no network
    measured, unmeasured = make_image(), make_image()
    submit_quality([measured])
    run_until_idle()

    assert run("reprocess", "--what", "quality", "--dry-run") == ["quality: 1 image would be queued."]
    assert run("reprocess", "--what", "quality", "--missing") == ["quality: 1 image queued in 1 job."]
    run_until_idle()

    unmeasured.refresh_from_db()
    assert unmeasured.quality_grade is not None
    assert run("reprocess", "--what", "quality", "--dry-run") == ["quality: 0 images would be queued."]


def test_stale_quality_is_what_another_version_measured(settings):
    settings.QUALITY_METRICS = []
    fresh, old = make_image(), make_image()
    submit_quality([fresh, old])
    run_until_idle()
    QualityScore.objects.filter(image=old).update(metric_version="0")

    assert run("reprocess", "--what", "quality", "--stale", "--dry-run") == [
        "quality: 1 image would be queued."
    ]
    run("reprocess", "--what", "quality", "--stale")
    run_until_idle()

    assert run("reprocess", "--what", "quality", "--stale", "--dry-run") == [
        "quality: 0 images would be queued."
    ]


def test_metadata_of_an_older_version_is_stale():
    image = make_image()
    Image.objects.update(pixel_sha256="")

    assert run("reprocess", "--what", "metadata", "--stale") == ["metadata: 1 image queued in 1 job."]
    run_until_idle()

    assert Image.objects.get().pixel_sha256 == image.pixel_sha256 != ""


def test_embeddings_are_made_where_they_are_missing_or_stale(monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    first, second = make_image(), make_image()
    batch = Batch.objects.create(batch_name="Dunes")
    batch.batch_images.create(image=first)

    one = ["embeddings: 1 image queued in 1 job."]
    assert run("reprocess", "--what", "embeddings", "--batch", "Dunes") == one
    run_until_idle()
    assert run("reprocess", "--what", "embeddings", "--missing", "--no-wait") == one
    run_until_idle()
    Embedding.objects.filter(image=second).update(weights_sha256="0" * 64)
    assert run("reprocess", "--what", "embeddings", "--stale") == one
    run_until_idle()

    assert Embedding.objects.values("image", "weights_sha256").distinct().count() == 2
    assert run("reprocess", "--what", "embeddings", "--stale") == ["embeddings: 0 images queued in 0 jobs."]


def test_an_embedder_that_is_not_installed_is_said_with_its_command():
    make_image()
    with pytest.raises(CommandError, match="models fetch dinov2"):
        run("reprocess", "--what", "embeddings", "--model", "dinov2")


@pytest.mark.django_db(transaction=True)
def test_waiting_shows_what_failed():
    image = make_image()
    run_until_idle()
    Image.objects.filter(pk=image.pk).update(file="raw/nowhere.jpg", phash=None)
    worker = threading.Thread(target=work_until, args=("metadata",))
    worker.start()
    with pytest.raises(CommandError, match="1 operation failed"):
        run("reprocess", "--what", "metadata", "--wait")
    worker.join()


def work_until(name):
    """Work as a worker beside the command would, until an operation of this name has ended."""
    ended = Operation.objects.filter(name=name).exclude(status__in=OPERATION_OPEN)
    while not ended.exists():
        run_until_idle()
    connection.close()
