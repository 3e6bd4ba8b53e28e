import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.waiting import process_is_alive, wait_until

pytestmark = pytest.mark.check

ROOT = Path(__file__).resolve().parents[2]
# A supervisor over the program given as its second argument; the first names a folder.
SUPERVISE = """
import os, sys
from pathlib import Path
from pixproject.runner.supervisor import Program, Supervisor
folder = Path(sys.argv[1])
program = Program("sample", (sys.executable, "-u", "-c", sys.argv[2]))
supervisor = Supervisor(
    [program], folder=folder, log_folder=folder / "logs", environment=os.environ, on_tick=lambda: None
)
supervisor.run()
"""
LIVES = (
    "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); print('up'); time.sleep(600)"
)
DIES = "print('up'); raise SystemExit(3)"
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + LIVES
HAS_CHILD = (
    "import subprocess; child = subprocess.Popen(['sleep', '600']);"
    "open('child', 'w').write(str(child.pid));" + LIVES
)


@pytest.fixture
def supervise(tmp_path):
    started = []

    def start(program, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, str(tmp_path), program], cwd=ROOT, text=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def pid_in(path):
    return int(path.read_text() or 0) if path.exists() else 0


def log(tmp_path):
    path = tmp_path / "logs" / "sample.log"
    return path.read_text() if path.exists() else ""


def test_killed_program_is_started_again(supervise, tmp_path):
    supervise(LIVES)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    first = pid_in(tmp_path / "pid")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: pid_in(tmp_path / "pid") not in {0, first})
    assert process_is_alive(pid_in(tmp_path / "pid"))
    assert "ended with code -9; restarting in 1 s" in log(tmp_path)


def test_pauses_grow_while_a_program_dies_at_once(supervise, tmp_path):
    supervise(DIES)
    assert wait_until(lambda: "restarting in 2 s" in log(tmp_path))
    assert log(tmp_path).splitlines() == [
        "up",
        "ended with code 3; restarting in 1 s",
        "up",
        "ended with code 3; restarting in 2 s",
    ]


def test_dead_program_takes_what_it_started_along(supervise, tmp_path):
    supervise(HAS_CHILD)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    child = pid_in(tmp_path / "child")
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    assert wait_until(lambda: not process_is_alive(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_everything_cleanly(supervise, tmp_path, number):
    process = supervise(LIVES)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    process.send_signal(number)
    assert process.wait(30) == 0
    assert not process_is_alive(pid_in(tmp_path / "pid"))


def test_second_signal_ends_the_waiting(supervise, tmp_path):
    process = supervise(IGNORES_TERM)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)  # two signals of one kind may arrive as one
    assert process.wait(20) == 0  # less than the 30 s that a program gets
    assert not process_is_alive(pid_in(tmp_path / "pid"))


def test_killed_supervisor_leaves_nobody(supervise, tmp_path):
    process = supervise(LIVES)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    process.kill()
    assert wait_until(lambda: not process_is_alive(pid_in(tmp_path / "pid")))


def test_closed_console_does_not_end_it(supervise, tmp_path):
    process = supervise(LIVES, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "sample       | up\n"
    process.stdout.close()
    first = pid_in(tmp_path / "pid")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: pid_in(tmp_path / "pid") not in {0, first})
    assert process.poll() is None


@pytest.mark.parametrize("console", ["full disk", "closed terminal"])
def test_console_that_cannot_be_written_does_not_end_it(supervise, tmp_path, console):
    if console == "full disk":
        where = os.open("/dev/full", os.O_WRONLY)  # each write: no space left on device
    else:
        master, where = os.openpty()
        os.close(master)  # each write: input/output error
    process = supervise(LIVES, stdout=where, stderr=where)
    os.close(where)
    assert wait_until(lambda: (tmp_path / "pid").exists() and log(tmp_path) == "up\n")
    first = pid_in(tmp_path / "pid")
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: log(tmp_path).splitlines()[-1] == "up" and pid_in(tmp_path / "pid") != first)
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 0
    assert log(tmp_path).splitlines() == ["up", "ended with code -9; restarting in 1 s", "up"]


def test_log_on_a_full_disk_does_not_end_it(supervise, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sample.log").symlink_to("/dev/full")
    process = supervise(LIVES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    process.terminate()
    assert process.communicate(timeout=30)[0].splitlines() == ["sample       | up"]
    assert process.returncode == 0


def test_program_that_cannot_be_started_is_tried_again(supervise, tmp_path):
    process = supervise(LIVES)
    assert wait_until(lambda: pid_in(tmp_path / "pid"))
    first = pid_in(tmp_path / "pid")
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (4, 1024))
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: "could not be started: [Errno 24] Too many open files" in log(tmp_path))
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    assert wait_until(lambda: pid_in(tmp_path / "pid") not in {0, first})
