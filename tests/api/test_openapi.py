"""The OpenAPI document is complete, valid, and one that strict tools take."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.urls import reverse

from processing.algorithms.operations.table import OPERATIONS
from tests.factories.rest import client_of


def test_schema_is_valid_and_nothing_is_guessed():
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


@pytest.mark.django_db
def test_schema_describes_what_the_contract_names():
    response = client_of("viewer").get(reverse("schema"))

    paths = yaml.safe_load(response.content)["paths"]
    for path in ("/api/jobs/", "/api/images/", "/api/artifacts/{id}/", "/api/health/", "/api/queues/{name}/"):
        assert path in {*paths, *(f"{one}/" for one in paths)}, path


def test_document_names_the_operations(document):
    steps = document["components"]["schemas"]["JobRequestRequest"]["properties"]["operations"]

    assert steps["items"]["oneOf"][0]["enum"] == list(OPERATIONS)
    assert steps["example"][0] == "webp"


def schemas_with_default(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        if "default" in part and isinstance(part.get("type"), str):
            yield path, part
        for name, value in part.items():
            yield from schemas_with_default(value, f"{path}/{name}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from schemas_with_default(value, f"{path}/{index}")


def test_every_default_is_a_value_that_its_own_schema_allows(document):
    found = list(schemas_with_default(document))

    assert found
    for path, schema in found:
        assert not list(jsonschema.Draft7Validator(schema).iter_errors(schema["default"])), path
