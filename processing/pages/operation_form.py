"""An operation as a form: its fields are made from the JSON schema, for the pages and the admin alike."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django import forms
from django.http import QueryDict

from ml_models import weights
from pixproject.web.forms import NumberField
from pixproject.web.templatetags.pix import format_name, spoken
from processing import model_availability, services
from processing.algorithms.operations.schema import Schema
from processing.algorithms.operations.spec import OperationSpec

LAST = 10_000  # where an operation without a number stands
SLIDER_MAX_STEPS = 1000
SLIDER_REACH = 4  # a slider goes to four times the default; what lies beyond is typed
OFF = ("false", "off", "no", "0")


class Switch(forms.CheckboxInput):
    """A checkbox. A hidden input next to it distinguishes an unticked box from one that the form does not have."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        if typed := str(data.get(name, "")).strip().lower():
            return typed not in OFF
        return False if f"{name}.shown" in data else None


class Choices(forms.Select):
    """The words of a list. One that is a model has its title, and cannot be chosen while it is missing."""

    def __init__(self, words: list[str], *, are_formats: bool, **options: Any) -> None:
        models = weights.entries()
        titles = {word: models[word].title for word in words if word in models}
        self.missing = {word for word in titles if model_availability.state(word).why_not}
        label = format_name if are_formats else lambda word: spoken(titles.get(word) or word)
        choices = [
            (word, f"{label(word)} (not installed)" if word in self.missing else label(word))
            for word in words
        ]
        super().__init__(choices=choices, **options)

    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **options)
        option["attrs"] |= {"disabled": True} if value in self.missing else {}
        return option


class ParameterField(forms.Field):
    """One parameter as an input, and what was typed as the type that the schema names.

    It refuses nothing: other text stays as it is, and the check of the parameters says why, for every interface.
    """

    def __init__(self, name: str, schema: Schema, *, is_needed: bool, html_id: str) -> None:
        self.name, self.schema, self.is_needed = name, schema, is_needed
        super().__init__(
            required=False,
            label=schema["title"],
            help_text=schema["description"],
            initial=schema.get("default"),
            widget=self._widget({"id": html_id, "data-value": True}),
        )

    def to_python(self, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        typed = str(value or "").strip()
        if self.schema["type"] in ("integer", "number"):
            for number in (int, lambda text: float(text.replace(",", "."))):
                try:
                    return number(typed)
                except ValueError:
                    continue
        return typed or None

    @cached_property
    def kind(self) -> str:
        if "enum" in self.schema:
            return "choice"
        if self.schema["type"] == "boolean":
            return "switch"
        if self.schema["type"] in ("integer", "number"):
            return "slider" if self._is_slider else "number"
        return "colour" if str(self.schema.get("default")).startswith("#") else "text"

    def _widget(self, attrs: dict[str, Any]) -> forms.Widget:
        schema = self.schema
        if self.kind == "choice":
            choices = Choices(schema["enum"], are_formats=self.name == "format", attrs=attrs)
            if "default" not in schema and not self.is_needed:
                choices.choices = [("", "As the source"), *choices.choices]
            return choices
        if self.kind == "switch":
            return Switch(attrs)
        if self.kind == "colour":
            return forms.TextInput({**attrs, "type": "color"})
        if self.kind == "text":
            return forms.TextInput({**attrs, "maxlength": schema["maxLength"]})
        attrs |= {"min": schema["minimum"], "max": schema["maximum"], "inputmode": "decimal"}
        is_whole = self.kind == "number" and schema["type"] == "integer"
        return forms.NumberInput(
            {**attrs, "step": "1" if is_whole else "any", "placeholder": self._placeholder}
        )

    @property
    def _placeholder(self) -> str:
        if "default" in self.schema:
            return str(self.schema["default"])
        if self.name == "quality":
            return "Automatic"
        limits = f"{self.schema['minimum']} to {self.schema['maximum']} {self.schema.get('unit', '')}"
        return limits.rstrip() if self.is_needed else "Any"

    @property
    def step(self) -> str:
        """How far one move of the slider goes; what is typed may be finer."""
        if self.schema["type"] == "integer":
            return "1"
        span = self.schema["maximum"] - self.schema["minimum"]
        return "0.01" if span <= 1 else "0.1" if span <= 100 else "1"

    @property
    def _is_slider(self) -> bool:
        """A slider needs a start and few enough steps to hit each of them."""
        span = self.schema["maximum"] - self.schema["minimum"]
        return "default" in self.schema and span / float(self.step) <= SLIDER_MAX_STEPS

    @property
    def slider_maximum(self) -> float:
        """Where the slider ends: limits are wide, and useful values lie close to the default."""
        reach = SLIDER_REACH * self.schema["default"]
        maximum = float(self.schema["maximum"])
        return min(maximum, math.ceil(reach)) if reach > 0 else maximum


class OperationForm(forms.Form):
    """The parameters of one operation; inputs are called `resize.width`."""

    order = NumberField(
        LAST,
        label="Position",
        help_text="Position in the sequence. Leave empty to keep the listed order.",
        widget=forms.NumberInput({"min": 1, "max": services.MAX_STEPS}),
    )

    def __init__(self, spec: OperationSpec, data: QueryDict | None = None) -> None:
        super().__init__(data, prefix=spec.name)
        self.spec = spec
        self.is_chosen = data is not None and spec.name in data.getlist("operation")
        required = spec.schema.get("required", ())
        self.fields |= {
            name: ParameterField(name, schema, is_needed=name in required, html_id=f"op-{spec.name}-{name}")
            for name, schema in spec.schema["properties"].items()
            if "x-alias-of" not in schema
        }

    def add_prefix(self, field_name: str) -> str:
        return f"{self.prefix}.{field_name}"

    @property
    def inputs(self) -> list[forms.BoundField]:
        return [field for field in self if field.name != "order"]

    @cached_property
    def why_not(self) -> str:
        """Why the operation cannot be chosen; empty where it can."""
        return services.why_unavailable(self.spec)

    def values(self) -> tuple[int, dict[str, Any]]:
        """The position, and the parameters that were filled in."""
        self.full_clean()
        given = {name: value for name, value in self.cleaned_data.items() if value is not None}
        return given.pop("order"), given
