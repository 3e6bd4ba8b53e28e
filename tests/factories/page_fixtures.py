import pytest
from django.test import Client

FINDERS = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Tests collect no static files: their names carry no hashes."""
    settings.STORAGES = {**settings.STORAGES, **FINDERS}
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher"
    ]  # half a second less per person


def signed_in(scope: str) -> Client:
    from tests.factories import make_user  # needs the models, which are not ready when this file is imported

    client = Client()
    client.user = make_user(scope)
    client.force_login(client.user)
    return client


@pytest.fixture
def viewer(db) -> Client:
    return signed_in("read")


@pytest.fixture
def reviewer(db) -> Client:
    return signed_in("write")


@pytest.fixture
def operator(db) -> Client:
    return signed_in("process")
