"""Environment variables as a fresh process reads them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.check


def python(code, *, cwd=ROOT, **environment):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(ROOT), "PIX_IGNORE_ENV_FILE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def values(names, **environment):
    code = f"from pixproject import settings; print(*[getattr(settings, n) for n in {names!r}], sep='|')"
    result = python(code, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip().split("|")


def test_every_line_of_the_example_file_can_be_switched_on(tmp_path):
    lines = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    names = ["QUEUE_CONCURRENCY_DEFAULT", "MAX_UPLOAD_BYTES", "ALLOWED_HOSTS", "PORT"]
    data_dir = {"PIX_DATA_DIR": str(tmp_path)}

    assert values(names, **(lines | data_dir)) == values(names, **data_dir)


def test_empty_variables_mean_the_defaults(tmp_path):
    names = ["PORT", "MAX_UPLOAD_BYTES", "ALLOWED_EXTENSIONS", "TRASH_DAYS", "METRICS_ENABLED", "UPLOAD_DIR"]
    empty = dict.fromkeys([*names, "MAX_FILE_SIZE"], "")

    assert values(names, PIX_DATA_DIR=str(tmp_path), **empty) == values(names, PIX_DATA_DIR=str(tmp_path))


def test_measuring_of_uploads_is_ended_by_a_word(tmp_path):
    for value, expected in (("none", "[]"), ("", "['quality', 'embedding']"), ("embedding", "['embedding']")):
        environment = {"MEASURE_ON_UPLOAD": value, "PIX_DATA_DIR": str(tmp_path)}
        assert values(["MEASURE_ON_UPLOAD"], **environment) == [expected]


def test_the_other_name_of_the_largest_file_counts_where_the_first_is_empty(tmp_path):
    environment = {"MAX_UPLOAD_BYTES": "", "MAX_FILE_SIZE": "77", "PIX_DATA_DIR": str(tmp_path)}

    assert values(["MAX_UPLOAD_BYTES"], **environment) == ["77"]


def test_a_relative_data_folder_is_the_same_from_everywhere(tmp_path):
    code = "from pixproject import settings; print(settings.DATA_DIR)"
    environment = {"PIX_DATA_DIR": "var/tests-relative", "SECRET_KEY": "x"}
    try:
        assert {python(code, cwd=folder, **environment).stdout for folder in (ROOT, tmp_path)} == {
            f"{ROOT / 'var' / 'tests-relative'}\n"
        }
        assert not (tmp_path / "var").exists()
    finally:
        for folder in ("tmp", "."):
            (ROOT / "var" / "tests-relative" / folder).rmdir()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", "PORT=abc is not a whole number."),
        ("DEFAULT_THUMBNAIL_SIZES", "1,x", "DEFAULT_THUMBNAIL_SIZES=1,x is not a list of whole numbers."),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'LOUD'."),
    ],
)
def test_values_that_cannot_be_read_are_told_in_a_sentence(tmp_path, name, value, sentence):
    run = "import sys; sys.argv[1:] = ['{}']; import runpy; runpy.{}"
    environment = {name: value, "PIX_DATA_DIR": str(tmp_path)}

    started = python(run.format("run", "run_module('pixproject.runner', run_name='__main__')"), **environment)
    managed = python(run.format("check", "run_path('manage.py', run_name='__main__')"), **environment)

    assert [started.returncode, managed.returncode] == [1, 1]
    assert [started.stderr.strip(), managed.stderr.strip()] == [sentence, sentence]


LOG = """
import django, logging
from pixproject.web.base import request_id
django.setup()
with request_id.bound("abc"):
    logging.getLogger("pix.test").info("hello %s", "you")
    logging.getLogger("django.request").error("once")
"""


def test_log_lines_are_json_with_the_request_id_on_standard_error(tmp_path):
    environment = {"DJANGO_SETTINGS_MODULE": "pixproject.settings", "PIX_DATA_DIR": str(tmp_path)}

    result = python(LOG, **environment)

    lines = [json.loads(line) for line in result.stderr.splitlines()]
    kept = [{key: line[key] for key in ("level", "logger", "message", "request_id")} for line in lines]
    assert result.stdout == ""
    assert kept == [
        {"level": "INFO", "logger": "pix.test", "message": "hello you", "request_id": "abc"},
        {"level": "ERROR", "logger": "django.request", "message": "once", "request_id": "abc"},
    ]


def test_log_format_and_level_are_settings(tmp_path):
    environment = {"DJANGO_SETTINGS_MODULE": "pixproject.settings", "PIX_DATA_DIR": str(tmp_path)}

    result = python(LOG, LOG_FORMAT="text", LOG_LEVEL="error", **environment)

    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.strip().endswith("ERROR   django.request [abc] once")


def test_file_name_endings_are_understood_as_formats(tmp_path):
    environment = {"ALLOWED_EXTENSIONS": "jpg,JPEG, .png,gif,bmp,tif", "PIX_DATA_DIR": str(tmp_path)}

    assert values(["ALLOWED_EXTENSIONS"], **environment) == [str(["jpg", "png", "gif", "bmp", "tiff"])]


@pytest.mark.parametrize("proxy", [{}, {"BEHIND_HTTPS_PROXY": "1"}])
def test_nothing_is_left_to_say_of_a_deployment_behind_https(tmp_path, proxy):
    code = (
        "from django.core.management import execute_from_command_line as run; run(['', 'check', '--deploy'])"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "pixproject.settings", "PIX_DATA_DIR": str(tmp_path), **proxy}

    result = python(code, **environment)

    said = set(re.findall(r"security\.W\d+", result.stderr))
    assert said == (set() if proxy else {"security.W004", "security.W012", "security.W016"})
