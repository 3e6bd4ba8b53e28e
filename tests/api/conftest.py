"""The API's document, which takes a second to make and which no test changes."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator  # Django is not set up when this file is imported

    return SchemaGenerator().get_schema(request=None, public=True)
