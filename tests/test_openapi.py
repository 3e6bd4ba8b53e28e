"""The API's own description is complete and valid."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

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


@pytest.mark.django_db
def test_schema_needs_a_sign_in():
    assert APIClient().get(reverse("schema")).status_code in (401, 403)


def test_document_names_the_operations():
    document = SchemaGenerator().get_schema(request=None, public=True)

    steps = document["components"]["schemas"]["JobRequestRequest"]["properties"]["operations"]

    assert steps["items"]["oneOf"][0]["enum"] == list(OPERATIONS)
    assert steps["example"][0] == "webp"
