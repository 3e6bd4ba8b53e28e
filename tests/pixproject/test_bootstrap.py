"""What the installer decides; that it installs is shown by the run of these tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixproject import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def test_too_old_python_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11.*apt-get install -y git make python3-venv"):
        bootstrap.use_fitting_python()


def test_missing_venv_module_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="apt-get install -y git make python3-venv"):
        bootstrap.make_venv()


def test_unchanged_requirements_install_nothing_again(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path))
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command: calls.append(command) or 0)
    for version in ("3.11", "3.11", "3.12"):
        bootstrap.install("packages", version, "requirements.txt", ["--no-deps"])
    assert len(calls) == 2  # the first time, and when Python changed


def test_every_requirement_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-torch.txt"):
        lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        assert [line for line in lines if line and "==" not in line] == []


def test_help_needs_no_server(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "help"],
        cwd="/",
        env={"PIX_DATA_DIR": str(tmp_path), "PIX_IGNORE_ENV_FILE": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert "ensure_superuser" in done.stdout
    assert not (tmp_path / "postgres").exists()
