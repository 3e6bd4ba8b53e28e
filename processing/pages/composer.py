"""The operations as a form: cards with fields made from the JSON schemas, and the way back from a post.

With scripts the page sends the same values as JSON to the API; without them it posts the form and this module
turns it into the same request. Both go through `services.parse_work`, which alone decides what is valid.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from ml_models import weights
from processing import model_availability, services
from processing.algorithms.codecs.formats import WRITABLE_FORMATS
from processing.algorithms.operations.spec import ENCODING_PARAMETERS
from processing.algorithms.operations.table import OPERATIONS, OperationSpec

GROUPS = {
    "convert": "Format",
    "geometry": "Size and shape",
    "colour": "Light, colour and detail",
    "overlay": "Finish",
}
# Where a card stands when its kind, which says how alpha is treated, is not how people look for it.
GROUP_OF_KIND = {"enhance": "overlay"}
GROUP_OF_NAME = {"strip_metadata": "overlay"}
KIND_ICONS = {
    "convert": "format",
    "geometry": "crop",
    "colour": "levels",
    "overlay": "text",
    "enhance": "sparkle",
}
ICONS = {
    "resize": "resize",
    "rotate": "rotate",
    "flip": "flip",
    "blur": "blur",
    "sharpen": "sharpen",
    "grayscale": "contrast",
    "sepia": "drop",
    "brightness": "sun",
    "contrast": "contrast",
    "saturation": "drop",
    "gamma": "curve",
    "autocontrast": "wand",
    "clahe": "levels",
    "strip_metadata": "shield",
    "enhance_fingerprint": "finger",
    "denoise": "sparkle",
}
SLIDER_MAX_STEPS = 1000
SLIDER_REACH = 4  # a slider goes to four times the default; what lies beyond is typed
MANY_FIELDS = 6


@dataclass(frozen=True)
class Recipe:
    """A ready-made choice: the operations in order, with the parameters that differ from the defaults."""

    title: str
    steps: Mapping[str, Mapping[str, Any]]
    is_pipeline: bool = True

    @property
    def as_data(self) -> dict[str, Any]:
        return {"steps": self.steps, "is_pipeline": self.is_pipeline}


RECIPES = (
    Recipe("Ready for the web", {"resize": {"width": 1600, "height": 1600}, "webp": {"quality": 82}}),
    Recipe("Every modern format", {"webp": {}, "avif": {}}, is_pipeline=False),
    Recipe("Crisp black and white", {"grayscale": {}, "autocontrast": {}, "sharpen": {}}),
    Recipe("Fingerprint", {"enhance_fingerprint": {}}),
    Recipe("Fingerprint with ridge filter", {"enhance_fingerprint": {"method": "gabor"}}),
)


@dataclass(frozen=True)
class Option:
    """One value of a choice; `title` is empty where the value says it, `why_not` where it can be chosen."""

    value: str
    title: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Field:
    """One parameter of an operation as an input of the form."""

    operation: str
    name: str
    schema: Mapping[str, Any]
    is_required: bool = False

    @property
    def html_name(self) -> str:
        return f"{self.operation}.{self.name}"

    @property
    def html_id(self) -> str:
        return f"op-{self.operation}-{self.name}"

    @property
    def title(self) -> str:
        return str(self.schema.get("title") or self.name)

    @property
    def help(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def unit(self) -> str:
        return str(self.schema.get("unit", ""))

    @property
    def choices(self) -> list[str]:
        return list(self.schema.get("enum", ()))

    @property
    def options(self) -> list[Option]:
        """The choices; one that is a model has its title and cannot be chosen while it is missing."""
        return [_option(value) for value in self.choices]

    @property
    def placeholder(self) -> str:
        if self.name == "quality":
            return "Automatic"
        return self.limits if self.is_required else "Any"

    @property
    def is_encoding(self) -> bool:
        return self.name in ENCODING_PARAMETERS

    @property
    def default(self) -> Any:
        return self.schema.get("default")

    @property
    def widget(self) -> str:
        if self.choices:
            return "choice"
        if self.schema["type"] == "boolean":
            return "switch"
        if self.schema["type"] in ("integer", "number"):
            return "slider" if self.is_slider else "number"
        return "colour" if str(self.default).startswith("#") else "text"

    @property
    def step(self) -> str:
        """How far one move of the slider or spinner goes; what is typed may be finer."""
        if self.schema["type"] == "integer":
            return "1"
        span = self.schema["maximum"] - self.schema["minimum"]
        return "0.01" if span <= 1 else "0.1" if span <= 100 else "1"

    @property
    def is_slider(self) -> bool:
        """A slider needs a start and few enough steps to hit each of them."""
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        if low is None or high is None or self.default is None:
            return False
        return bool((high - low) / float(self.step) <= SLIDER_MAX_STEPS)

    @property
    def slider_maximum(self) -> float:
        """Where the slider ends: limits are wide, and useful values lie close to the default."""
        reach = SLIDER_REACH * self.default
        maximum = float(self.schema["maximum"])
        return min(maximum, math.ceil(reach)) if reach > 0 else maximum

    @property
    def limits(self) -> str:
        if "minimum" not in self.schema or "maximum" not in self.schema:
            return ""
        return f"{self.schema['minimum']} to {self.schema['maximum']}" + (
            f" {self.unit}" if self.unit else ""
        )


def _option(value: str) -> Option:
    if value not in weights.entries():
        return Option(value)
    return Option(value, weights.entries()[value].title, model_availability.state(value).why_not)


@dataclass(frozen=True)
class Card:
    """An operation that can be chosen."""

    name: str
    title: str
    description: str
    icon: str
    fields: tuple[Field, ...]
    encoding_fields: tuple[Field, ...]
    why_not: str = ""  # why it cannot be chosen

    @property
    def mark(self) -> str:
        """The short names of formats stand for themselves."""
        return self.name if self.name in WRITABLE_FORMATS else ""

    @property
    def has_many_fields(self) -> bool:
        return len(self.fields) > MANY_FIELDS


@dataclass(frozen=True)
class Group:
    title: str
    cards: list[Card] = field(default_factory=list)


def groups() -> list[Group]:
    """Every operation as a card, under the heading of its kind."""
    found = {kind: Group(title) for kind, title in GROUPS.items()}
    for spec in OPERATIONS.values():
        kind = GROUP_OF_NAME.get(spec.name) or GROUP_OF_KIND.get(spec.kind, spec.kind)
        found[kind].cards.append(_card(spec))
    return [group for group in found.values() if group.cards]


def _card(spec: OperationSpec) -> Card:
    required = set(spec.schema.get("required", ()))
    fields = [
        Field(spec.name, name, schema, name in required)
        for name, schema in spec.schema["properties"].items()
        if "x-alias-of" not in schema
    ]
    is_own = spec.kind == "convert"  # how it is stored is what a conversion is about
    return Card(
        spec.name,
        spec.title,
        spec.description,
        ICONS.get(spec.name, KIND_ICONS[spec.kind]),
        tuple(entry for entry in fields if is_own or not entry.is_encoding),
        tuple(entry for entry in fields if not is_own and entry.is_encoding),
        services.why_unavailable(spec),
    )


def steps_from_form(data: QueryDict) -> list[dict[str, Any]]:
    """The chosen operations of a posted form, in the form's order, with the values that were filled in.

    A value that is no number stays the text that was typed: the check of the parameters then says so.
    """
    return [
        {"name": str(name), "parameters": _parameters(str(name), data)} for name in data.getlist("operation")
    ]


def _parameters(name: str, data: QueryDict) -> dict[str, Any]:
    spec = OPERATIONS.get(name)
    if spec is None:
        return {}
    values = {}
    for key, schema in spec.schema["properties"].items():
        typed = data.get(f"{name}.{key}", "").strip()
        if schema["type"] == "boolean" and f"{name}.{key}.shown" in data:
            values[key] = bool(typed)
        elif typed:
            values[key] = _typed_value(schema["type"], typed)
    return values


def _typed_value(kind: str, typed: str) -> Any:
    if kind == "boolean":
        return typed.lower() in ("on", "true", "1", "yes")
    if kind not in ("integer", "number"):
        return typed
    try:
        return int(typed)
    except ValueError:
        pass
    try:
        return float(typed.replace(",", "."))
    except ValueError:
        return typed
