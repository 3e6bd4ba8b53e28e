"""An error about a length or a size has its numbers as fields, for programs."""

import pytest
from rest_framework import serializers

from api.core.handling import from_validation
from api.core.requests import StrictSerializer
from tests.factories import make_image
from tests.factories.rest import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return client_of("operator")


class Inner(StrictSerializer):
    size = serializers.IntegerField(min_value=3)


class Outer(StrictSerializer):
    name = serializers.CharField(max_length=4, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=2), max_length=2, required=False)
    inner = Inner(required=False)


@pytest.mark.parametrize(
    ("data", "field", "code", "numbers"),
    [
        ({"name": " hello "}, "name", "max_length", (4, 5)),
        ({"tags": ["a", "b", "c"]}, "tags", "max_length", (2, 3)),
        ({"tags": ["a", "long"]}, "tags.1", "max_length", (2, 4)),
        ({"inner": {"size": 2}}, "inner.size", "min_value", (3, 2)),
        ({"inner": {"size": "x"}}, "inner.size", "invalid", (None, None)),
    ],
)
def test_numbers_of_a_limit_are_fields(data, field, code, numbers):
    with pytest.raises(serializers.ValidationError) as caught:
        Outer.check(data, None)

    error = from_validation(caught.value)
    (only,) = error.errors
    assert (only.field, only.code, only.limit, only.value) == (field, code, *numbers)
    assert (error.limit, error.value) == numbers


def test_numbers_stand_beside_each_of_several_errors():
    with pytest.raises(serializers.ValidationError) as caught:
        Outer.check({"name": "hello", "inner": {"size": 1}}, None)

    error = from_validation(caught.value)
    assert (error.limit, error.value) == (None, None)
    assert [(row.limit, row.value) for row in error.errors] == [(4, 5), (3, 1)]


def test_answer_has_the_numbers(client):
    body = client.get("/api/images/?page_size=500").json()

    assert (body["code"], body["limit"], body["value"]) == ("max_value", 200, 500)
    assert [(row["field"], row["limit"], row["value"]) for row in body["errors"]] == [("page_size", 200, 500)]


def test_parameter_of_an_operation_has_the_numbers(client):
    work = {
        "images": [str(make_image().pk)],
        "operations": [{"name": "blur", "parameters": {"sigma_px": 51}}],
    }

    (error,) = client.post("/api/jobs/", work, format="json").json()["errors"]

    assert (error["field"], error["limit"], error["value"]) == ("operations[0].parameters.sigma_px", 50, 51)
