"""Make .venv and install what Pix needs, unless that is done. Runs under whatever python3 the machine has.

    python3 -I pixproject/bootstrap.py [--dev]

TORCH_INDEX names PyTorch's index of CPU builds; empty takes the general index (CUDA).
"""

# Nothing newer than Python 3.7 in here: an old Python must be able to read this to say that it is too old.
from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
TORCH_INDEX = os.environ.get("TORCH_INDEX", "https://download.pytorch.org/whl/cpu")
OLDEST, NEWEST = (3, 11), (3, 13)  # what requirements.txt is locked for
ADVICE = "On Debian or Ubuntu: sudo apt-get install -y git make python3-venv"


def main() -> None:
    use_fitting_python()
    os.makedirs(VENV, exist_ok=True)
    lock = os.open(VENV, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # of two first starts at once one installs, the other waits
    version = venv_version() or make_venv()
    install("PyTorch", version, "requirements-torch.txt", torch_options())
    install("packages", version, "requirements.txt", ["--no-deps"])
    if "--dev" in sys.argv:
        install("tools for tests", version, "requirements-dev.txt", ["--no-deps"])


def use_fitting_python() -> None:
    """Continue under a Python that fits where the machine's python3 is too old or newer than tried."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and subprocess.call([other, "-c", "import ensurepip"], stderr=subprocess.DEVNULL) == 0:
            os.execv(other, [other, "-I", os.path.abspath(__file__), *sys.argv[1:]])
    if sys.version_info[:2] < OLDEST:
        stop(f"Pix needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. {ADVICE}")


def make_venv() -> str:
    try:
        import ensurepip  # noqa: F401  what Debian leaves out of python3 without python3-venv
        import venv  # noqa: F401
    except ImportError:
        stop(f"Python's venv module is missing. {ADVICE}")
    say(f"Creating .venv with Python {sys.version.split()[0]}")
    run([sys.executable, "-m", "venv", "--clear", VENV])
    return venv_version()


def venv_version() -> str:
    """The version of .venv's Python, or nothing when it does not work (any more) and must be made."""
    ask = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.check_output([PYTHON, "-I", "-c", ask], stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.decode().strip()


def torch_options() -> list[str]:
    """The versions of what torch itself needs come from the lock."""
    options = ["--constraint", os.path.join(ROOT, "requirements.txt")]
    return [*options, "--extra-index-url", TORCH_INDEX] if TORCH_INDEX else options


def install(title: str, version: str, file: str, options: list[str]) -> None:
    """Install a requirements file, unless the note from last time says that nothing changed since."""
    path = os.path.join(ROOT, file)
    note = os.path.join(VENV, f"pix-installed-{file}")
    state = hashlib.sha256(f"{version} {TORCH_INDEX} {read(path)}".encode()).hexdigest()
    if read(note) == state:
        return
    say(f"Installing {title} (only once; this can take a few minutes)")
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", *options, "--requirement", path]
    # No retries at first: where PyTorch's index cannot be reached, they would cost minutes for nothing.
    if subprocess.call([*command, "--retries", "0", "--timeout", "15"]) != 0:
        run(command)
    with open(note, "w") as out:
        out.write(state)


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def run(command: list[str]) -> None:
    if subprocess.call(command) != 0:
        advice = "If it needs a compiler: sudo apt-get install -y build-essential python3-dev"
        stop(f"This command failed: {' '.join(command)}\n{advice}")


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def stop(text: str) -> None:
    sys.exit(f"\n{text}")


if __name__ == "__main__":
    main()
