"""Fields that the forms of several pages share."""

from typing import Any

from django import forms

from api.core import phrases
from processing.states import Priority


class PriorityField(forms.Field):
    """A priority by its name or number; `empty_value` where the form names none."""

    def __init__(self, *, empty_value: int | None = Priority.NORMAL, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": forms.Select(choices=Priority.choices), **options})
        self.empty_value = empty_value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return self.empty_value
        known = {name: number for number, name in Priority.choices}
        known |= {str(number): number for number in Priority.values}
        if str(value) not in known:
            raise forms.ValidationError(phrases.not_a_choice(value, Priority.labels), code="invalid_choice")
        return known[str(value)]
