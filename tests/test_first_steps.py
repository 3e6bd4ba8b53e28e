"""What a newcomer does first, on a whole Pix of its own: the smoke test, the demo, every block of the documents."""

import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pixproject.runner.instance import running
from tests.documents import PAGES, ROOT, runnable, title

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def environment(running_pix) -> dict[str, str]:
    """The variables with which commands find the running Pix."""
    return running_pix.environment


def run(
    command: list[str], environment: dict[str, str], cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def manage(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "manage.py", *arguments], environment)


def test_smoke_test_passes_and_leaves_nothing(environment):
    done = manage("smoke", environment=environment)

    assert done.returncode == 0, done.stderr
    steps = re.findall(r"^  (\w+).* +ok ", done.stdout, re.MULTILINE)
    assert steps == ["health", "upload", "convert", "download", "tidy"]
    count = "from images.models import Image; print(Image.objects.exclude(status='purged').count())"
    assert manage("shell", "-v", "0", "-c", count, environment=environment).stdout.strip() == "0"


def test_smoke_test_fails_where_nothing_runs(environment):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    done = manage("smoke", "--url", url, environment=environment)

    assert done.returncode == 1
    assert f"No response from {url}" in done.stderr


def test_demo_prints_links_that_work(environment):
    done = manage("demo", environment=environment)

    assert done.returncode == 0, done.stderr
    instance = running(Path(environment["PIX_DATA_DIR"]))
    links = re.findall(rf"{instance.url}files/\S+", done.stdout)
    assert len(links) == 10
    fetched = run(["curl", "-fsS", "-o", os.devnull, *links[:1]], environment)
    assert fetched.returncode == 0, fetched.stderr


def paste(script: str, environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Blocks are pasted in the project's folder; what they write goes into this one."""
    for linked in ("manage.py", "docs", ".venv"):
        (folder / linked).symlink_to(ROOT / linked)
    whole = "set -e -o pipefail\n" + script.replace(":8000", f":{environment['PORT']}")
    return run(["bash", "-c", whole], environment, cwd=folder)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=title)
def test_page_works_as_pasted(environment, tmp_path, page):
    done = paste(runnable(page), environment, tmp_path)

    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    EXPECTED.get(title(page), lambda lines, folder: None)(done.stdout.splitlines(), tmp_path)


def check_tour(lines: list[str], folder: Path) -> None:
    assert lines[-3] == "completed"
    assert (folder / "result.webp").read_bytes()[8:12] == b"WEBP"


def check_using(lines: list[str], folder: Path) -> None:
    assert "accepted 1 image" in lines
    assert "undid: accepted 1 image" in lines
    assert [line for line in lines if line.startswith("/api/jobs/")] != []
    with zipfile.ZipFile(folder / "tour.zip") as archive:
        assert archive.namelist() == ["manifest.csv", "screens/screenshot.png"]
    assert "screens" in (folder / "tour.csv").read_text()
    with zipfile.ZipFile(folder / "results.zip") as archive:
        assert archive.namelist()[0] == "manifest.csv"
        assert len(archive.namelist()) == 3


# What a page's blocks leave behind, beyond ending without an error.
EXPECTED: dict[str, Callable[[list[str], Path], None]] = {
    "README.md": check_tour,
    "docs/using.md": check_using,
}
