"""Rows against files: what is missing, damaged or orphaned is found, and mended where that is possible."""

import os
import time
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from images.models import Image, Rendition
from processing.engine import jobs, leases
from processing.engine.jobs import NewOperation
from processing.engine.worker import run_until_idle
from processing.models import Artifact, Job
from processing.storage import integrity
from tests.factories.rest import client_of, finished, make_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_storage")]
HOURS_AGO = 7200


@pytest.fixture
def verify(django_capture_on_commit_callbacks):
    def run(**options) -> list[tuple[str, str]]:
        with django_capture_on_commit_callbacks(execute=True):
            report = integrity.verify(**options)
        return sorted((finding.problem, finding.file_class) for finding in report.findings)

    return run


def path_of(key: str) -> Path:
    return Path(settings.MEDIA_ROOT, key)


def age(path: Path) -> Path:
    moment = time.time() - HOURS_AGO
    os.utime(path, (moment, moment))
    return path


def orphan(folder: str, name: str = "nobody.png") -> Path:
    path = path_of(folder) / "ab" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"orphan")
    return age(path)


def change_contents(key: str) -> None:
    """Other bytes of the same length: only the hash tells."""
    content = bytearray(path_of(key).read_bytes())
    content[-1] ^= 255
    path_of(key).write_bytes(content)


def test_everything_in_its_place_is_clean(verify):
    finished(client_of("operator"), make_image(1), "webp")

    assert verify() == []
    report = integrity.verify()
    assert (dict(report.checked), report.is_clean) == ({"processed": 1, "raw": 1, "thumbnails": 4}, True)


def test_damaged_original_is_found_by_its_hash_and_marked(verify):
    image = make_image(1)
    change_contents(image.file)

    assert verify(fast=True) == []
    assert verify() == [("damaged", "raw")]
    assert Image.objects.get(pk=image.pk).status == "ready"
    verify(repair=True)
    assert Image.objects.get(pk=image.pk).status == "damaged"
    assert integrity.verify().is_clean  # known from now on

    change_contents(image.file)  # back to what it was
    assert verify() == [("recovered", "raw")]
    verify(repair=True)
    assert (Image.objects.get(pk=image.pk).status, verify()) == ("ready", [])


def test_missing_result_is_forgotten_and_computed_again(verify):
    client, image = client_of("operator"), make_image(1)
    finished(client, image, "webp")
    path_of(Artifact.objects.get().file).unlink()

    assert verify() == [("missing", "processed")]
    assert Artifact.objects.count() == 1
    verify(repair=True)
    assert (Artifact.objects.count(), verify()) == (0, [])
    assert finished(client, image, "webp")["operations"][0]["cached"] is False


def test_damaged_result_takes_its_file_along(verify):
    finished(client_of("operator"), make_image(1), "webp")
    key = Artifact.objects.get().file
    change_contents(key)

    verify(repair=True)

    assert (Artifact.objects.count(), path_of(key).exists()) == (0, False)


def test_missing_thumbnail_is_made_again(verify, django_capture_on_commit_callbacks):
    make_image(1)
    path_of(Rendition.objects.first().file).unlink()

    with django_capture_on_commit_callbacks(execute=True):  # thumbnails that were replaced go here
        assert verify(repair=True) == [("missing", "thumbnails")]
        run_until_idle()

    assert (verify(), Rendition.objects.count()) == ([], 4)
    assert Job.objects.filter(kind="ingest").count() == 2


def test_damaged_thumbnail_is_found_by_its_hash_and_made_again(verify, django_capture_on_commit_callbacks):
    make_image(1)
    old, changed = Rendition.objects.order_by("pk")[:2]
    Rendition.objects.filter(pk=old.pk).update(sha256="")  # of a version that did not keep it
    change_contents(old.file)
    change_contents(changed.file)

    assert verify(fast=True) == []
    with django_capture_on_commit_callbacks(execute=True):  # thumbnails that were replaced go here
        assert verify(repair=True) == [("damaged", "thumbnails")]
        run_until_idle()
    assert (verify(), Rendition.objects.count()) == ([], 4)
    assert not path_of(changed.file).exists()


def test_orphans_are_found_and_deleted(verify):
    paths = [orphan(folder) for folder in ("raw", "processed", "thumbnails", "health")]
    leftover = Path(settings.FILE_UPLOAD_TEMP_DIR) / "work-x" / "source.png"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"left")
    age(leftover)
    age(leftover.parent)
    expected = [("orphaned", name) for name in ("processed", "raw", "temporary", "temporary", "thumbnails")]

    assert verify() == expected
    assert all(path.exists() for path in paths)
    assert verify(repair=True) == expected
    assert [path.exists() for path in (*paths, leftover, leftover.parent)] == [False] * 6
    assert verify() == []


def test_files_with_rows_are_no_orphans_however_old(verify, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):  # thumbnails that were replaced go here
        finished(client_of("operator"), make_image(1), "webp")
    for path in Path(settings.MEDIA_ROOT).rglob("*.*"):
        age(path)

    assert verify(repair=True) == []


def run(*args: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("verify_storage", *args, stdout=out)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_young_file_without_a_row_is_judged_when_no_work_can_own_it(monkeypatch):
    monkeypatch.setattr(integrity, "SETTLE_S", 0)
    young = orphan("raw", "young.png")
    os.utime(young)
    job = jobs.submit_job(kind="test", operations=[NewOperation("webp")])
    [claim] = leases.claim("default")

    status, text = run("--repair")
    assert (status, young.exists()) == (0, True)
    assert "possibly part of work in progress: 1." in text

    leases.fail(claim, code="time_limit", detail="Too slow.")
    status, text = run()
    assert (status, young.exists(), "1 orphaned" in text) == (1, True, True)
    assert (run("--repair")[0], young.exists()) == (0, False)
    assert job.operations.count() == 1


def test_command_exits_1_until_it_has_repaired():
    image = make_image(1)
    path_of(image.file).unlink()
    orphan("raw")

    status, text = run()
    assert status == 1
    assert "Found: 1 missing, 0 damaged, 1 orphaned, 0 recovered. Repaired: 0." in text
    assert str(image.pk) in text

    status, text = run("--repair")
    assert (status, "Repaired: 2." in text) == (0, True)
    assert Image.objects.get(pk=image.pk).status == "damaged"
