"""What killed processes leave behind goes by itself, once nobody can need it any more."""

import os
import time
from pathlib import Path

import pytest
from django.core.cache import cache

from images.models import Rendition
from processing.engine.registry import CHORES
from processing.models import Artifact
from processing.storage import integrity, leftovers
from tests.factories.rest import client_of, finished, make_image
from tests.factories.waiting import wait_until

HOUR_S = 3600

pytestmark = pytest.mark.usefixtures("own_storage")


@pytest.fixture(autouse=True)
def _due():
    cache.delete("orphans-removed")


def left(path: Path, *, hours: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left")
    return age(path, hours)


def age(path: Path, hours: float) -> Path:
    moment = time.time() - hours * HOUR_S
    os.utime(path, (moment, moment))
    return path


def test_leftovers_of_more_than_a_day_go_and_younger_ones_stay(db, settings):
    media, tmp = Path(settings.MEDIA_ROOT), Path(settings.FILE_UPLOAD_TEMP_DIR)
    old, young = [], []
    for paths, hours in ((old, 25), (young, 23)):
        for folder in ("processed", "thumbnails", "health"):
            paths.append(left(media / folder / "ab" / f"{hours}.png", hours=hours))
        paths.append(left(tmp / f"upload-{hours}", hours=hours))
        work = left(tmp / f"work-{hours}" / "source.png", hours=hours)
        paths += [work, age(work.parent, hours)]
        (tmp / f"work-empty-{hours}").mkdir()
        paths.append(age(tmp / f"work-empty-{hours}", hours))
    in_use = left(tmp / "work-in-use" / "source.png", hours=25)  # its folder has changed since
    original = left(media / "raw" / "ab" / "nobody.png", hours=1000)

    assert leftovers.remove() == 6
    assert [path for path in old if path.exists()] == []
    assert [path for path in (*young, in_use, original) if not path.exists()] == []
    assert leftovers.remove() == 0


def test_files_with_rows_stay_however_old(db, settings, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):  # thumbnails that were replaced go here
        finished(client_of("operator"), make_image(1), "webp")
    for path in Path(settings.MEDIA_ROOT).rglob("*.*"):
        age(path, 1000)

    assert leftovers.remove() == 0
    keys = [row.file for row in (*Artifact.objects.all(), *Rendition.objects.all())]
    assert [key for key in keys if not Path(settings.MEDIA_ROOT, key).exists()] == []


def test_all_files_are_listed_once_a_day_only(db, settings):
    leftovers.remove()
    orphan = left(Path(settings.MEDIA_ROOT, "processed", "ab", "nobody.png"), hours=25)

    assert (leftovers.remove(), orphan.exists()) == (0, True)
    cache.delete("orphans-removed")
    assert (leftovers.remove(), orphan.exists()) == (1, False)


def test_sweeper_removes_them_every_hour_beside_its_sweeps(transactional_db, settings):
    every_s, chore = CHORES["processing.leftovers"]
    path = left(Path(settings.FILE_UPLOAD_TEMP_DIR, "upload-x"), hours=25)

    chore()

    assert every_s == HOUR_S
    assert wait_until(lambda: not path.exists())
    assert wait_until(lambda: not leftovers._is_running.locked())


def test_removal_that_failed_is_tried_again_at_the_next_hour(db, monkeypatch):
    asked = []

    def fails(file_class, *args, **options):
        asked.append(file_class)
        raise OSError("the storage is away")

    monkeypatch.setattr(integrity, "find_orphans", fails)
    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            leftovers.remove()

    assert len(asked) == 2


def test_what_goes_while_it_is_measured_is_no_finding(db, settings, monkeypatch):
    gone = left(Path(settings.FILE_UPLOAD_TEMP_DIR) / "upload-gone", hours=25)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([gone, gone.with_name("never-there")]))
    gone.unlink()

    assert leftovers.remove() == 0
