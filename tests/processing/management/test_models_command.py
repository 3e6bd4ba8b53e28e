"""`manage.py models`: what it prints, and how it ends."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ml_models import weights
from tests.ml_models.conftest import GOOD, OTHER, folder, manifest, site  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("manifest", "_models_in_folder")


@pytest.fixture
def _models_in_folder(settings, folder):  # noqa: F811
    settings.ML_MODELS_DIR = folder


def models(*arguments):
    """(standard output, standard error, sentence of the failure)."""
    out, err, failure = StringIO(), StringIO(), ""
    try:
        call_command("models", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        failure = str(error)
    return out.getvalue(), err.getvalue(), failure


def test_list_tells_each_model_with_its_licence_and_command(folder):  # noqa: F811
    folder.mkdir()
    (folder / "known.gz").write_bytes(GOOD)

    out, _, failure = models("list")

    assert failure == ""
    assert re.search(r"^known +installed", out, re.MULTILINE)
    assert re.search(r"^unknown +missing", out, re.MULTILINE)
    assert "Run: manage.py models fetch unknown" in out
    assert "not published; recorded at the first installation" in out
    assert "licence: none." in out
    assert str(folder) in out
    assert "PolyForm Noncommercial" in out


def test_list_names_a_file_that_is_refused(folder):  # noqa: F811
    folder.mkdir()
    (folder / "known.gz").write_bytes(OTHER)

    assert re.search(r"^known +refused", models("list")[0], re.MULTILINE)


def test_fetch_by_name_from_a_mirror(folder, site):  # noqa: F811
    out, err, failure = models("fetch", "known", "--from", site.address)

    assert (err, failure) == ("", "")
    assert "known: installed" in out
    assert "licence: none." in out
    assert (folder / "known.gz").read_bytes() == GOOD
    assert "known: already installed" in models("fetch", "known", "--from", site.address)[0]


def test_fetch_by_family_takes_what_can_be_fetched_and_fails_for_the_rest(site):  # noqa: F811
    del site.files["unknown.gz"]

    out, err, failure = models("fetch", "quality", "--from", site.address)

    assert "known: installed" in out
    assert "404" in err
    assert "1 of 2 installed." in out
    assert failure == "Not installed: unknown."


def test_fetch_without_a_name_only_offers(folder):  # noqa: F811
    out, _, failure = models("fetch")

    assert failure == ""
    assert "3 can be installed" in out
    assert "Nothing was installed" in out
    assert "ours" not in out
    assert not folder.exists()


def test_fetch_from_a_folder_without_a_name_takes_what_it_has(folder, tmp_path):  # noqa: F811
    stick = tmp_path / "stick"
    stick.mkdir()
    assert "contains none of these files: known.gz" in models("fetch", "--from", str(stick))[2]
    (stick / "known.gz").write_bytes(GOOD)

    out, _, failure = models("fetch", "--from", str(stick))

    assert (failure, "1 of 1 installed." in out) == ("", True)
    assert weights.find("known", folder)


def test_unpublished_hash_is_said(site):  # noqa: F811
    assert "recorded, because no hash is published" in models("fetch", "unknown", "--from", site.address)[0]
    assert "recorded at installation" in models("list")[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fetch", "nope"], "There is no model or family nope. Models: known"),
        (["verify", "nope"], "There is no model or family nope"),
        (
            ["fetch", "known", "--from", "/nowhere/at/all"],
            "/nowhere/at/all is neither a folder nor an address",
        ),
        (["fetch", "ours"], "Not installed: ours."),
        (["verify", "known"], "Unusable: known."),
    ],
)
def test_what_fails_is_said(arguments, said):
    assert said in models(*arguments)[2]


def test_verify_tells_good_from_bad(folder, site):  # noqa: F811
    models("fetch", "known", "unknown", "--from", site.address)
    assert models("verify")[2] == "Unusable: ours."  # it should have come with Pix
    (weights.BUNDLED_DIR / "ours.gz").write_bytes(GOOD)
    assert "3 OK, 0 unusable, 1 not installed." in models("verify")[0]
    (folder / "known.gz").write_bytes(OTHER)

    out, err, failure = models("verify")

    assert "unknown: OK" in out
    assert "known: The file known.gz has the SHA-256" in err
    assert "models fetch known" in err
    assert failure == "Unusable: known."


def test_command_needs_no_server_and_fails_with_a_status(tmp_path):
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PIX_IGNORE_ENV_FILE": "1",
        "PIX_DATA_DIR": str(tmp_path),
    }

    def run(*arguments):
        command = [sys.executable, "manage.py", "models", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)

    listed, failed = run("list"), run("verify", "dinov2")

    assert (listed.returncode, failed.returncode) == (0, 1)
    assert "dinov2" in listed.stdout
    assert "manage.py models fetch dinov2" in failed.stderr
    assert (
        sorted(path.name for path in tmp_path.iterdir()) == [".secret_key", "tmp"]
        or not (tmp_path / "pg").exists()
    )
