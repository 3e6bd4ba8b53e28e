"""Who looks at the admin in its tests. Models are imported late: pytest reads this file before Django is set up."""

import pytest


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages name files that `collectstatic` has not gathered here."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture(autouse=True)
def work_with_known_ends():
    from tests.processing.engine import handlers

    handlers.install()


def _client_of(scope, **fields):
    from tests.factories.admin import client_of

    return client_of(scope, **fields)


@pytest.fixture
def administrator(db):
    return _client_of("admin")


@pytest.fixture
def operator(db):
    return _client_of("process")


@pytest.fixture
def onlooker(db):
    """Staff, but only a viewer: may look."""
    return _client_of("read", is_staff=True)
