"""ingest_folder and reprocess."""

import io

import pytest
from django.core.management import CommandError, call_command

from batches.models import Batch
from images.models import Image, Rendition
from processing.models import Job
from processing.worker import run_until_idle
from tests import pictures
from tests.factories import make_image, make_user

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

    assert lines[-1] == "2 new, 1 known already, 1 refused."
    assert lines[0].startswith(f"refused {folder}/notes.txt: The content is not a picture")
    names = Image.objects.order_by("original_filename").values_list(
        "original_filename", "source", "uploaded_by"
    )
    assert list(names) == [("a.jpg", "command", user.pk), ("b.png", "command", user.pk)]
    assert Batch.objects.get(batch_name="Dunes").images.count() == 2
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_second_run_adds_nothing(folder):
    run("ingest_folder", folder, "--batch", "Dunes")

    assert run("ingest_folder", folder, "--batch", "Dunes")[-1] == "0 new, 4 known already, 1 refused."
    assert (Image.objects.count(), Batch.objects.get().images.count()) == (3, 3)


def test_a_dry_run_stores_nothing(folder):
    lines = run("ingest_folder", folder, "--dry-run", "--batch", "Dunes")

    assert lines[-1] == "3 new, 1 known already, 1 would be refused."
    assert (Image.objects.count(), Batch.objects.count(), Job.objects.count()) == (0, 0, 0)


def test_wrong_arguments_are_said(tmp_path):
    for arguments in (
        (tmp_path / "nothing",),
        (tmp_path, "--user", "nobody"),
        (tmp_path, "--batch", "x" * 201),
    ):
        with pytest.raises(CommandError):
            run("ingest_folder", *arguments)


def test_missing_thumbnails_are_made():
    complete, partial = make_image(), make_image()
    run_until_idle()
    partial.renditions.all().delete()

    assert run("reprocess", "--dry-run") == ["thumbnails: 1 images would be queued."]
    assert run("reprocess", "--missing") == ["thumbnails: 1 images queued in 1 jobs."]
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
