"""The models at the doors: REST, health, and the refusal of what needs a missing one."""

import pytest
from rest_framework.test import APIClient

from api.core.errors import ApiError
from ml_models import weights
from processing import model_availability
from tests.factories.rest import client_of
from tests.ml_models.conftest import GOOD, OTHER, folder, manifest, sha256  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def installed(settings, manifest, folder):  # noqa: F811
    """A folder in which `known` is right and `network` was never checked; `unknown` is missing."""
    settings.ML_MODELS_DIR = folder
    folder.mkdir()
    (folder / "known.gz").write_bytes(GOOD)
    (folder / "network.pth").write_bytes(OTHER)
    return folder


def test_list_tells_state_licence_and_command(installed):
    listed = {model["name"]: model for model in client_of("viewer").get("/api/models/").json()}

    assert list(listed) == ["known", "unknown", "network", "ours", "pyiqa"]
    assert listed["known"] == {
        "name": "known",
        "family": "quality",
        "title": "known",
        "file": "known.gz",
        "byte_size": len(GOOD),
        "sha256": sha256(GOOD),
        "licence": "none",
        "licence_note": "",
        "input": "RGB",
        "dim": None,
        "version": "1",
        "address": "http://127.0.0.1:1/known.gz",
        "is_bundled": False,
        "available": True,
        "is_present": True,
        "verified": True,
        "why_not": "",
        "command": "manage.py models fetch known",
        "used_by": [],
    }
    states = {name: (m["available"], m["is_present"], m["verified"]) for name, m in listed.items()}
    assert states["unknown"] == (False, False, False)
    assert states["network"] == (False, True, False)
    assert "not installed" in listed["unknown"]["why_not"]
    assert (listed["unknown"]["byte_size"], listed["unknown"]["sha256"]) == (None, "")


def test_pyiqa_is_listed_with_its_licence():
    pyiqa = client_of("viewer").get("/api/models/pyiqa/").json()

    assert pyiqa["family"] == "library"
    assert "PolyForm Noncommercial 1.0.0" in pyiqa["licence"]
    assert "runs without it" in pyiqa["licence_note"]
    assert {"metric:brisque", "metric:musiq", "metric:piqe"} <= set(pyiqa["used_by"])


def test_every_model_of_the_manifest_is_listed():
    names = [model["name"] for model in client_of("viewer").get("/api/models/").json()]

    assert names == [*weights.entries(), "pyiqa"]


def test_one_model(installed):
    client = client_of("viewer")

    assert client.get("/api/models/known").json()["available"] is True
    missing = client.get("/api/models/nope/")
    assert missing.status_code == 404
    assert "Available models: known, unknown" in missing.json()["detail"]


def test_models_need_a_sign_in():
    assert APIClient().get("/api/models/").status_code == 401
    assert APIClient().get("/api/models/clip/").status_code == 401


def test_missing_model_is_422_with_its_command(installed):
    model_availability.require_model("known")
    assert model_availability.installed_sha256("known") == sha256(GOOD)

    with pytest.raises(ApiError) as caught:
        model_availability.require_model("known", "unknown")

    assert (caught.value.status, caught.value.code) == (422, "model_unavailable")
    assert caught.value.detail.endswith("Run: manage.py models fetch unknown")
    assert caught.value.detail.count("Run:") == 1
    with pytest.raises(ApiError):
        model_availability.installed_sha256("network")


def test_health_counts_models_names_the_refused_and_stays_well(installed):
    check = client_of("viewer").get("/api/health/").json()["checks"]["models"]

    assert check["status"] == "ok"
    pyiqa = int(model_availability.pyiqa().available)
    assert check["data"] == {"present": 1 + pyiqa, "missing": 2 + 1 - pyiqa, "refused": ["network"]}
    assert check["detail"] == "The file network.pth was never verified, and no hash is published for it."
