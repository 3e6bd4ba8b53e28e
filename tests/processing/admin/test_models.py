"""The page of models: state, licence, command."""

import pytest
from django.urls import reverse

from tests.factories.admin import client_of
from tests.ml_models.conftest import GOOD, OTHER, folder, manifest  # noqa: F401  fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installed(settings, manifest, folder):  # noqa: F811
    """A folder in which `known` is right and `network` was never checked; `unknown` is missing."""
    settings.ML_MODELS_DIR = folder
    folder.mkdir()
    (folder / "known.gz").write_bytes(GOOD)
    (folder / "network.pth").write_bytes(OTHER)
    return folder


def test_page_shows_state_licence_and_command(operator, installed):
    page = operator.get(reverse("admin:models")).content.decode()

    assert "manage.py models fetch unknown" in page
    assert "manage.py models fetch known" not in page
    assert "network.pth was never verified" in page
    assert "PolyForm Noncommercial" in page
    assert str(installed) in page


def test_page_changes_nothing(operator):
    assert operator.post(reverse("admin:models")).status_code == 405


def test_viewers_read_of_it_on_the_status_page():
    viewer = client_of("read")

    assert viewer.get(reverse("admin:models")).status_code in (302, 403)
    assert "network.pth was never verified" in viewer.get("/status/").content.decode()
