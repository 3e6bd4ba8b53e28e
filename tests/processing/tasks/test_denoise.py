"""Denoising through the doors: what is missing, where it runs, what is recorded, what is cached."""

from pathlib import Path

import pytest

from ml_models import weights
from processing import services
from processing.engine.worker import run_until_idle
from processing.models import Artifact, Operation
from tests.factories.rest import client_of, finished, make_image
from tests.processing.algorithms.networks import PUBLISHED, install_random

pytestmark = pytest.mark.django_db
DENOISE = {"name": "denoise", "parameters": {"model": PUBLISHED, "min_sigma": 0}}


@pytest.fixture
def client():
    return client_of("operator")


@pytest.fixture
def models(tmp_path: Path, settings) -> Path:
    settings.ML_MODELS_DIR = install_random(tmp_path)
    return settings.ML_MODELS_DIR


@pytest.fixture
def no_models(tmp_path: Path, settings) -> None:
    settings.ML_MODELS_DIR = tmp_path / "empty"


@pytest.mark.usefixtures("no_models")
@pytest.mark.parametrize("path", ["/api/jobs/", "/api/jobs/estimate/"])
@pytest.mark.parametrize("field", ["operations", "pipeline"])
def test_missing_model_is_refused_with_the_command(client, path, field):
    answer = client.post(path, {"image": str(make_image().pk), field: [DENOISE]})

    assert answer.status_code == 422
    assert answer.json()["code"] == "model_unavailable"
    assert "manage.py models fetch dncnn_color_blind" in answer.json()["detail"]
    assert not Operation.objects.filter(name="denoise").exists()


def test_result_is_a_png_that_records_how_it_was_made(client, models):
    job = finished(client, make_image(format="JPEG", name="photo.jpg"), DENOISE)

    assert job["status"] == "completed", job["operations"]
    (artifact,) = job["artifacts"]
    facts = artifact["facts"]["denoise"]
    assert artifact["format"] == "png"
    assert set(facts) == {"noise_sigma", "model", "weights_sha256", "device", "precision", "method"}
    assert (facts["model"], len(facts["weights_sha256"])) == (PUBLISHED, 64)
    assert job["operations"][0]["queue"] == "ml"
    (sentence,) = Artifact.objects.get().fact_sentences
    assert sentence.startswith("Denoise: noise of about ")
    assert f"model {PUBLISHED}, weights {facts['weights_sha256'][:12]}; computed on " in sentence


def test_little_noise_is_a_note_not_a_failure(client, models):
    quiet = {"name": "denoise", "parameters": {"model": PUBLISHED, "min_sigma": 50}}

    job = finished(client, make_image(), quiet)

    assert job["status"] == "completed"
    assert "denoising would blur" in job["operations"][0]["notes"][0]
    assert set(job["artifacts"][0]["facts"]["denoise"]) == {"noise_sigma"}


def test_pipeline_with_a_network_runs_where_networks_do(client, models):
    image = make_image()
    with_network = finished(client, image, pipeline=[DENOISE, "webp"])
    without = finished(client, image, pipeline=["sepia", "webp"])

    assert with_network["operations"][0]["queue"] == "ml"
    assert without["operations"][0]["queue"] == "default"
    assert with_network["artifacts"][0]["format"] == "webp"
    facts = with_network["artifacts"][0]["facts"]
    assert (set(facts), facts["denoise"]["model"]) == ({"denoise"}, PUBLISHED)  # none of the steps after it


def test_other_weights_are_computed_anew_and_the_same_are_not(client, models, settings, tmp_path):
    image = make_image()
    finished(client, image, DENOISE)

    again = finished(client, image, DENOISE)
    settings.ML_MODELS_DIR = install_random(tmp_path, seed=7)
    other = finished(client, image, DENOISE)

    assert again["operations"][0]["cached"]
    assert not other["operations"][0]["cached"]
    hashes = [job["artifacts"][0]["facts"]["denoise"]["weights_sha256"] for job in (again, other)]
    assert hashes[0] != hashes[1]
    assert Artifact.objects.count() == 2


def test_weights_removed_after_submission_fail_the_operation_with_the_command(client, models):
    image = make_image()
    job = client.post("/api/jobs/", {"image": str(image.pk), "operations": [DENOISE]}).json()
    for file in models.iterdir():
        file.unlink()

    run_until_idle()

    (operation,) = client.get(f"/api/jobs/{job['id']}/").json()["operations"]
    assert operation["status"] == "failed"
    assert operation["error"]["code"] == "model_unavailable"
    assert "manage.py models fetch" in operation["error"]["detail"]


def test_operations_without_networks_keep_their_recipe():
    assert services._recipe_of("sepia", {"blend": 1.0}) == ("sepia", {"blend": 1.0}, 3)


def test_availability_is_told(client, models):
    told = client.get("/api/operations/denoise/").json()

    assert (told["available"], told["why_not"], told["queue"]) == (True, "", "ml")
    assert told["output_formats"] == ["png"]


@pytest.mark.usefixtures("no_models")
@pytest.mark.skipif(not weights.state("dncnn_colour", "").why_not, reason="the weights of Pix are there")
def test_operation_without_any_model_says_what_is_missing(client):
    told = client.get("/api/operations/denoise/").json()

    assert not told["available"]
    assert "The model dncnn_colour" in told["why_not"]
    assert told["why_not"].count("Run: ") == 1


def test_noise_is_told_before(client, models):
    image = str(make_image().pk)
    calm = {"name": "denoise", "parameters": {"model": PUBLISHED, "min_sigma": 50}}

    told = [
        client.post("/api/jobs/estimate/", {"image": image, "operations": [step]}).json()["notes"]
        for step in (DENOISE, calm, "webp")
    ]

    assert told[0][0].startswith("The noise of this image is about ")
    assert "less than min_sigma (50). Denoising would only blur it" in told[1][0]
    assert told[2] == []
