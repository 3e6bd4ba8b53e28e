"""The people and settings that the tests of these pages share."""

from tests.factories.page_fixtures import *  # noqa: F403  pytest finds fixtures in a conftest
