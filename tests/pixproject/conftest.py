from tests.fixtures.storage import *  # noqa: F403  pytest finds fixtures in a conftest
