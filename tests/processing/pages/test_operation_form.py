"""An operation's form: its inputs follow the schema, and what is typed becomes what the schema names."""

import pytest
from django.http import QueryDict

from processing.algorithms.operations.table import OPERATIONS
from processing.pages import composer
from processing.pages.operation_form import OperationForm


def form(name: str, query: str) -> OperationForm:
    return OperationForm(OPERATIONS[name], QueryDict(query))


@pytest.mark.parametrize(
    ("name", "query", "parameters"),
    [
        ("blur", "", {}),
        ("blur", "blur.sigma_px=+1,5+", {"sigma_px": 1.5}),
        ("blur", "blur.sigma_px=a+lot", {"sigma_px": "a lot"}),
        ("resize", "resize.width=30&resize.fit=cover&resize.height=", {"width": 30, "fit": "cover"}),
        ("resize", "resize.upscale=on&resize.upscale.shown=1", {"upscale": True}),
        ("resize", "resize.upscale=false", {"upscale": False}),
        ("rotate", "rotate.expand.shown=1", {"expand": False}),
        ("watermark", "watermark.text=+hello+&watermark.unknown=1", {"text": "hello"}),
    ],
)
def test_values_have_the_types_of_the_schema(name, query, parameters):
    assert form(name, query).values()[1] == parameters


def test_every_parameter_has_one_kind_of_input():
    kinds = {
        (spec.name, field.name): field.field.kind
        for spec in OPERATIONS.values()
        for field in OperationForm(spec).inputs
    }

    assert kinds["convert", "format"] == "choice"
    assert kinds["rotate", "expand"] == "switch"
    assert kinds["blur", "sigma_px"] == "slider"
    assert kinds["resize", "width"] == "number"
    assert kinds["watermark", "colour"] == "colour"
    assert kinds["watermark", "text"] == "text"


def test_operations_stand_by_their_numbers():
    names = "operation=webp&operation=blur&operation=grayscale&mode=pipeline"

    assert [step.name for step in composer.work_of(QueryDict(names)).pipeline] == [
        "webp",
        "blur",
        "grayscale",
    ]
    numbered = QueryDict(f"{names}&grayscale.order=1&blur.order=2")
    assert [step.name for step in composer.work_of(numbered).pipeline] == ["grayscale", "blur", "webp"]
