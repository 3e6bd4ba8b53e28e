"""What a row points to is on the disk before the row is: seen in the order of the system calls."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from images.models import Image
from processing.models import Artifact

ROOT = Path(__file__).resolve().parents[3]
CALLS = "rename,renameat,renameat2,fsync,fdatasync,sendto,write"
MOVED = re.compile(r'rename\w*\(.*"(?P<path>[^"]+)"(, 0)?\) = 0')
SYNCED = re.compile(r"f(?:data)?sync\(\d+<(?P<path>[^>]+)>\) += 0")

pytestmark = [
    pytest.mark.check,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


@pytest.fixture
def traced(transactional_db, tmp_path) -> list[str]:
    """The system calls of a process that uploads a picture and converts it."""
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
    program = [sys.executable, "-m", "tests.processing.storage.take_in_and_convert"]
    environment = {
        **os.environ,
        "PIX_TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }
    done = subprocess.run([*strace, *program], cwd=ROOT, env=environment, capture_output=True, text=True)
    if "ptrace" in done.stderr and not trace.exists():
        pytest.skip("processes may not be traced here")
    assert done.returncode == 0, done.stderr
    return trace.read_text().splitlines()


def synced_before_commit(calls: list[str], path: Path) -> set[Path]:
    """What is synced between the move of a file to its place and the next COMMIT."""
    moves = [match and match["path"] for match in map(MOVED.search, calls)]
    after = calls[moves.index(str(path)) + 1 :]
    commit = next(number for number, call in enumerate(after) if "COMMIT" in call)
    return {Path(match["path"]) for match in map(SYNCED.search, after[:commit]) if match}


def test_original_and_result_are_on_the_disk_before_their_rows(traced, settings):
    media = Path(settings.MEDIA_ROOT).resolve()
    keys = [Image.objects.get().file, Artifact.objects.get().file]

    for key in keys:
        path = media / key
        on_the_way = set(path.parents) - set(media.parent.parents)
        assert {path} | on_the_way <= synced_before_commit(traced, path)


def test_thumbnails_do_not_wait_for_the_disk(traced, settings):
    """They are made again where they are missing."""
    media = Path(settings.MEDIA_ROOT).resolve()
    synced = {match["path"] for match in map(SYNCED.search, traced) if match}

    for key in Image.objects.get().renditions.values_list("file", flat=True):
        assert str(media / key) not in synced
