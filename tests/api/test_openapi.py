"""The OpenAPI document is one that strict tools take."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from drf_spectacular.generators import SchemaGenerator


def schemas_with_default(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if "default" in part and isinstance(part.get("type"), str):
            yield path, part
        for name, value in part.items():
            yield from schemas_with_default(value, f"{path}/{name}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from schemas_with_default(value, f"{path}/{index}")


@pytest.mark.django_db
def test_every_default_is_a_value_that_its_own_schema_allows():
    document = SchemaGenerator().get_schema(request=None, public=True)
    found = list(schemas_with_default(document))

    assert found
    for path, schema in found:
        assert not list(jsonschema.Draft7Validator(schema).iter_errors(schema["default"])), path
