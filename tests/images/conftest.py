import pytest


@pytest.fixture
def installed(monkeypatch, settings, tmp_path) -> str:
    """pix_small with random weights; its hash."""
    from processing import (
        model_availability,  # needs the models, which are not ready when this file is imported
    )
    from tests.factories.vectors import install, random_file

    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    return model_availability.installed_sha256("pix_small")
