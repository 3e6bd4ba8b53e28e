"""One real `make run` for the whole file (its Python entry: .venv is there already)."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from pixproject.embedded.postgres import Postgres
from pixproject.embedded.valkey import Valkey
from pixproject.runner.instance import CannotRun, only_instance, open_listener
from tests.factories.waiting import process_is_alive, wait_until

pytestmark = pytest.mark.check

ROOT = Path(__file__).resolve().parents[2]


LIST_USERS = (
    "from django.contrib.auth.models import User; print([user.username for user in User.objects.all()])"
)


def environment(data_dir, **more):
    return {**os.environ, "PIX_DATA_DIR": str(data_dir), "PORT": "0", "HOST": "127.0.0.1", **more}


def runner(command, data_dir, **more):
    return subprocess.run(
        [sys.executable, "-m", "pixproject.runner", command],
        cwd=ROOT,
        env=environment(data_dir, **more),
        capture_output=True,
        text=True,
        timeout=120,
    )


class Running:
    def __init__(self, data_dir, **more):
        self.data_dir = data_dir
        self.console = data_dir.parent / "console.txt"
        with open(self.console, "w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pixproject.runner", "run"],
                cwd=ROOT,
                env=environment(data_dir, PIX_ADMIN_PASSWORD="", **more),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        wait_until(
            lambda: "Pix is running at" in self.text() or self.process.poll() is not None, timeout_s=200
        )
        found = re.search(r"Pix is running at (\S+)", self.text())
        if found is None:
            self.end()
        assert found, self.text()
        self.url = found[1]
        self.port = self.url.rstrip("/").rpartition(":")[2]

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def text(self):
        return self.console.read_text()

    def pids(self):
        """Every process of this instance: they all carry its data folder in their environment or command."""
        wanted = str(self.data_dir).encode()
        return {
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/environ")
            if wanted in everything(path)
        }

    def pid_of(self, words):
        for pid in self.pids() - {self.process.pid}:
            if (
                words
                in everything(Path(f"/proc/{pid}/environ")).split(b"\0\0")[0].replace(b"\0", b" ").decode()
            ):
                return pid
        return None


def everything(path):
    """Command and environment of a process, or nothing when it has just ended."""
    try:
        return path.with_name("cmdline").read_bytes() + b"\0" + path.read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def pix(tmp_path_factory):
    running = Running(tmp_path_factory.mktemp("run") / "data")
    yield running
    running.end()


def is_live(pix):
    try:
        with urllib.request.urlopen(pix.url + "api/health/live/", timeout=30) as answer:
            return answer.status == 200
    except OSError:  # an orphan of a killed web server took the request along
        return False


def test_first_start_prints_address_and_admin_once(pix):
    assert is_live(pix)
    assert re.search(r"User: admin\n  Password: \S{16}  \(shown only once\)", pix.text())
    assert "./manage.py changepassword admin" in pix.text()


def test_secret_key_is_closed_to_others(pix):
    assert (pix.data_dir / "secret_key").stat().st_mode & 0o777 == 0o600


def test_second_start_names_the_running_one(pix):
    second = runner("run", pix.data_dir, PORT=pix.port)
    assert second.returncode == 1
    assert f"Pix is already running on {pix.data_dir} at {pix.url}" in second.stderr


def test_taken_port_names_the_setting(pix, tmp_path):
    other = runner("run", tmp_path / "data", PORT=pix.port)
    assert other.returncode == 1
    assert f"Port {pix.port} on 127.0.0.1 cannot be used: Address already in use." in other.stderr
    assert "PORT=8010 make run" in other.stderr


def test_command_uses_the_running_servers(pix, tmp_path):
    keeper = (pix.data_dir / "run" / "postgres.keeper").read_text()
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "shell", "-v", "0", "-c", LIST_USERS],
        cwd=tmp_path,
        env=environment(pix.data_dir),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "['admin']\n"), done.stderr
    assert (pix.data_dir / "run" / "postgres.keeper").read_text() == keeper
    assert Postgres(pix.data_dir).is_ready()


@pytest.mark.parametrize("words", ["runworkers --queues light,default", "sweep --loop", "gunicorn"])
def test_killed_program_comes_back(pix, words):
    first = pix.pid_of(words)
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: pix.pid_of(words) not in {None, first}), pix.text()
    assert wait_until(lambda: is_live(pix)), pix.text()


def test_killed_keeper_comes_back(pix):
    first = int((pix.data_dir / "run" / "redis.keeper").read_text())
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: Valkey(pix.data_dir).is_kept() and Valkey(pix.data_dir).is_ready())


def test_start_right_after_a_kill_waits_for_the_old_web_server(pix):
    address = ("127.0.0.1", int(pix.port))
    with socket.create_connection(address, timeout=30) as unfinished:
        unfinished.sendall(b"GET / HTTP/1.1\r\n")  # which the old server waits for while it stops
        assert is_live(pix)
        pix.process.kill()
        pix.process.wait()
        second = Running(pix.data_dir, PORT=pix.port)
    pix.process = second.process
    assert wait_until(lambda: is_live(pix)), pix.text()


def test_stop_leaves_nothing_behind(pix):
    pids = pix.pids()
    assert len(pids) >= 8  # supervisor, web and its two, two workers, sweeper, two keepers, two servers
    stopped = runner("stop", pix.data_dir)
    assert (stopped.returncode, stopped.stdout) == (0, f"Stopped Pix at {pix.url}.\n")
    assert pix.process.wait(30) == 0
    assert [pid for pid in pids if process_is_alive(pid)] == []
    assert runner("stop", pix.data_dir).stdout == f"Pix is not running on {pix.data_dir}.\n"


def test_listener_refuses_strange_hosts():
    with pytest.raises(CannotRun, match="HOST=no.such.host.invalid"):
        open_listener("no.such.host.invalid", 8000)


def test_listener_is_taken_at_once():
    with open_listener("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotRun, match=f"Port {port} on 127.0.0.1 cannot be used"):
            open_listener("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass  # connects before the web server accepts


def test_a_taken_port_is_waited_for_where_a_killed_instance_had_it(tmp_path):
    with open_listener("127.0.0.1", 0) as old:
        port = old.getsockname()[1]
        with only_instance(tmp_path) as turn:
            turn.announce(f"http://127.0.0.1:{port}/")
            published = next((tmp_path / "run").iterdir()).read_text()
        (tmp_path / "run" / "pix.instance").write_text(published)  # as a kill leaves it
        threading.Timer(1, old.close).start()
        with (
            only_instance(tmp_path) as turn,
            open_listener("127.0.0.1", port, wait_s=turn.orphan_wait_s(port)) as new,
        ):
            assert new.getsockname()[1] == port
            assert turn.orphan_wait_s(port + 1) == 0, "another port is taken by a stranger"
    with only_instance(tmp_path) as turn:
        assert turn.orphan_wait_s(port) == 0, "the last one ended in order"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LEASE_SECONDS", "1", "LEASE_SECONDS is 1; it must be at least 5."),
        ("STORAGE_BACKEND", "ftp", "STORAGE_BACKEND must be local or s3, not 'ftp'."),
    ],
)
def test_settings_that_cannot_work_are_told_before_anything_starts(tmp_path, name, value, sentence):
    result = runner("run", tmp_path / "d", **{name: value})

    assert result.returncode == 1
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_port_beyond_the_highest_is_told(tmp_path):
    with pytest.raises(CannotRun, match="PORT is 99999; the highest port is 65535."):
        open_listener("127.0.0.1", 99999)
