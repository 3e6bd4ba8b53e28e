"""Real PostgreSQL and Redis for the whole run, in a throw-away folder.

Everything here runs before Django's settings are read: pytest-django reads them after this file is imported.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

DATA_DIR = Path(tempfile.mkdtemp(prefix="pix-test-"))
os.environ.update(
    DJANGO_SETTINGS_MODULE="pixproject.settings",
    PIX_DATA_DIR=str(DATA_DIR),
    PIX_IGNORE_ENV_FILE="1",  # a developer's .env may name servers that tests must not touch
    API_RATE_ANON="6000/min",  # refusals of strangers count, and all tests come from one address
)
for name in ("DATABASE_URL", "REDIS_URL", "CACHE_URL"):
    os.environ.pop(name, None)
# Read when NumPy and torch are imported. Tests run in as many processes as cores, and threads of their own wait for
# each other by spinning: networks then take four times the computing time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psycopg  # noqa: E402  after the environment is set
from django.conf import settings  # noqa: E402

from pixproject.embedded import attached  # noqa: E402

assert settings.INSTALLED_APPS  # reads the settings: pytest-django sets Django up only where they were read

settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher"
]  # the real ones are slow on purpose

settings.MEASURE_ON_UPLOAD = []  # networks take seconds to load; tests of what follows an upload set it

CONNECTION = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
SERVERS = contextlib.ExitStack()
(DATA_DIR / "static").mkdir()  # nothing is collected for tests; WhiteNoise warns where the folder is missing


def pytest_configure(config: pytest.Config) -> None:
    SERVERS.callback(shutil.rmtree, DATA_DIR, ignore_errors=True)
    # On several cores each process has servers of its own, and the one that hands out the tests needs none.
    is_controller = bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")
    if is_controller:
        os.environ.pop(
            "DJANGO_SETTINGS_MODULE"
        )  # with it they would read the settings before this file is imported
    elif not config.option.collectonly:
        SERVERS.enter_context(attached(DATA_DIR, names=["postgres", "redis"]))
        _do_not_wait_for_the_disk()


def _do_not_wait_for_the_disk() -> None:
    """The tests' rows need to survive no power cut; emptying the tables waits for the disk a hundred times."""
    server = {name: value for name, value in settings.DATABASES["default"].items() if name in CONNECTION}
    parameters = {CONNECTION[name]: value for name, value in server.items() if value}
    with psycopg.connect(**parameters, autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")


def pytest_unconfigure() -> None:
    SERVERS.close()


@pytest.fixture(scope="session")
def running_pix():
    """A whole Pix, started once for all tests of this process that ask it from outside."""
    from tests.factories.running import running_pix

    with running_pix() as instance:
        yield instance
