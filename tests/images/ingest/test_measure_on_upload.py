"""What follows an upload by itself."""

import pytest
from django.core.checks import run_checks

from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from processing.states import Priority
from tests.factories import make_image
from tests.factories.vectors import install, random_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def pix_small(monkeypatch, settings, tmp_path):
    settings.QUALITY_METRICS = []
    settings.MEASURE_ON_UPLOAD = ["quality", "embedding"]
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))


def test_an_upload_is_measured_and_embedded_by_itself(pix_small):
    image = make_image()
    assert Job.objects.get(kind="measure").priority == Priority.LOW
    run_until_idle()

    image.refresh_from_db()
    assert image.quality_grade is not None
    assert image.phash is not None
    assert image.pixel_sha256
    assert image.quality_scores.count() >= 8
    assert [vector.model for vector in image.embeddings.all()] == ["pix_small"]
    assert image.renditions.count() == 4


@pytest.mark.parametrize(
    ("chosen", "names"), [([], []), (["quality"], ["causes"]), (["embedding"], ["embedding"])]
)
def test_the_setting_chooses_what_is_measured(pix_small, settings, chosen, names):
    settings.MEASURE_ON_UPLOAD = chosen
    make_image()
    measured = Operation.objects.filter(job__kind="measure").order_by("name")
    assert list(measured.values_list("name", flat=True)) == names


def test_a_known_file_is_not_measured_again(pix_small):
    make_image()
    run_until_idle()
    content = Image.objects.get().open().read()
    make_image(content)
    assert (Image.objects.count(), Job.objects.filter(kind="measure").count()) == (1, 1)


def test_an_embedder_that_is_not_installed_is_left_out(settings, tmp_path):
    settings.QUALITY_METRICS = []
    settings.MEASURE_ON_UPLOAD = ["quality", "embedding"]
    settings.DEFAULT_EMBEDDER = "clip"
    settings.ML_MODELS_DIR = tmp_path
    make_image()
    assert not Operation.objects.filter(name="embedding").exists()
    assert Operation.objects.filter(name="causes").exists()


def test_a_measure_that_does_not_exist_is_told_at_the_start(settings):
    settings.MEASURE_ON_UPLOAD = ["quality", "dreams"]
    found = [error for error in run_checks() if error.id == "pix.E013"]
    assert "'dreams' is not a valid choice. Choose one of: quality, embedding" in found[0].msg
