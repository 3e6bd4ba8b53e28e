"""All operations as forms on cards, and the work that a posted form asks for.

With scripts the page sends the same values as JSON to the API; without them it posts the form and this module
turns it into the same request. Both go through `services.parse_work`, which alone decides what is valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.http import QueryDict

from processing.algorithms.codecs.formats import WRITABLE_FORMATS
from processing.algorithms.operations.spec import ENCODING_PARAMETERS
from processing.algorithms.operations.table import OPERATIONS
from processing.pages.operation_form import LAST, OperationForm
from processing.services import Work, parse_work

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
MANY_INPUTS = 6


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


class Card(OperationForm):
    """An operation that can be chosen."""

    @property
    def icon(self) -> str:
        return ICONS.get(self.spec.name, KIND_ICONS[self.spec.kind])

    @property
    def mark(self) -> str:
        """The short names of formats stand for themselves."""
        return self.spec.name if self.spec.name in WRITABLE_FORMATS else ""

    @property
    def own_inputs(self) -> list[forms.BoundField]:
        return [field for field in self.inputs if not self._is_encoding(field)]

    @property
    def encoding_inputs(self) -> list[forms.BoundField]:
        return [field for field in self.inputs if self._is_encoding(field)]

    def _is_encoding(self, field: forms.BoundField) -> bool:
        """How a result is stored stands apart, unless it is what the operation is about."""
        return field.name in ENCODING_PARAMETERS and self.spec.kind != "convert"

    @property
    def has_many_inputs(self) -> bool:
        return len(self.own_inputs) > MANY_INPUTS


@dataclass(frozen=True)
class Group:
    title: str
    cards: list[Card] = field(default_factory=list)


def groups(data: QueryDict | None = None) -> list[Group]:
    """Every operation as a card, under the heading of its kind, with the values of a post that was refused."""
    found = {kind: Group(title) for kind, title in GROUPS.items()}
    for spec in OPERATIONS.values():
        kind = GROUP_OF_NAME.get(spec.name) or GROUP_OF_KIND.get(spec.kind, spec.kind)
        found[kind].cards.append(Card(spec, data))
    return [group for group in found.values() if group.cards]


def work_of(data: QueryDict) -> Work:
    """The chosen operations of a posted form, by their numbers or in the form's order.

    Raises:
        ApiError: 400 with one entry per wrong field.
    """
    names = data.getlist("operation")
    values = {name: OperationForm(OPERATIONS[name], data).values() for name in names if name in OPERATIONS}
    chosen = [(name, *values.get(name, (LAST, {}))) for name in names]
    steps = [
        {"name": name, "parameters": parameters}
        for name, _, parameters in sorted(chosen, key=lambda row: row[1])
    ]
    is_pipeline = data.get("mode") == "pipeline" and len(steps) > 1
    return parse_work(**{"pipeline" if is_pipeline else "operations": steps})
