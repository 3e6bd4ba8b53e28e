"""What a newcomer does first, on a whole Pix of its own: the smoke test, the demo, the README's tour."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixproject.runner.instance import running

ROOT = Path(__file__).resolve().parent.parent
START_WAIT_S = 180


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The variables of a whole Pix that runs on a free port with a data folder of its own."""
    folder = tempfile.mkdtemp(prefix="pix-first-")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = {**os.environ, "PIX_DATA_DIR": folder, "PORT": str(port), "PIX_IGNORE_ENV_FILE": "1"}
    with open(Path(folder) / "output.txt", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pixproject.runner", "run"],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until_up(process, Path(folder))
        yield variables
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_up(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_WAIT_S
    output = folder / "output.txt"
    while "Pix runs at" not in (said := output.read_text(errors="replace")):
        assert process.poll() is None, said[-3000:]
        assert time.monotonic() < deadline, said[-3000:]
        time.sleep(0.1)


def run(
    command: list[str], environment: dict[str, str], cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=180, check=False
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
    assert f"No answer from {url}" in done.stderr


def test_demo_prints_links_that_work(environment):
    done = manage("demo", environment=environment)

    assert done.returncode == 0, done.stderr
    instance = running(Path(environment["PIX_DATA_DIR"]))
    links = re.findall(rf"{instance.url}files/\S+", done.stdout)
    assert len(links) == 10
    fetched = run(["curl", "-fsS", "-o", os.devnull, *links[:1]], environment)
    assert fetched.returncode == 0, fetched.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_tour_of_the_readme_works_as_pasted(environment, tmp_path):
    tour = (ROOT / "README.md").read_text().split("## A tour with curl", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```bash\n(.*?)```", tour, re.DOTALL)
    script = "set -e -o pipefail\n" + "".join(blocks).replace(":8000", f":{environment['PORT']}")
    for name in ("manage.py", "docs"):  # the tour is pasted in the project's folder; its result goes here
        (tmp_path / name).symlink_to(ROOT / name)

    done = run(["bash", "-c", script], environment, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3] == "completed"
    assert (tmp_path / "result.webp").read_bytes()[8:12] == b"WEBP"
