"""The people and settings that the tests of these pages share."""

from tests.fixtures.pages import *  # noqa: F403  pytest finds fixtures in a conftest
