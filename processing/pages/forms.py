"""The forms of the pages of jobs, and fields that other pages use, too."""

from typing import Any

from django import forms

from api.core import phrases
from pixproject.web.forms import NumberField, UUIDListField
from processing.states import Priority


class PriorityField(forms.Field):
    """A priority by its name or number; `empty_value` where the form names none."""

    def __init__(self, *, empty_value: int | None = Priority.NORMAL, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": forms.Select(choices=Priority.choices), **options})
        self.empty_value = empty_value

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None if self.required else self.empty_value
        numbers = {name: number for number, name in Priority.choices}
        numbers |= {str(number): number for number in Priority.values}
        if str(value) not in numbers:
            raise forms.ValidationError(phrases.not_a_choice(value, Priority.labels), code="invalid_choice")
        return numbers[str(value)]


class KeyListField(forms.Field):
    """Row numbers from repeated inputs; what is no number is left out."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[int]:
        return [int(text) for text in value or () if text.isdecimal() and len(text) < 19]


class PriorityForm(forms.Form):
    priority = PriorityField(required=True)


class RetryForm(forms.Form):
    operation = KeyListField(required=False)


class JobIdsForm(forms.Form):
    ids = UUIDListField()


class OffsetForm(forms.Form):
    offset = NumberField()


class PollForm(forms.Form):
    """How often a part of a page has asked how far a job is, and what it was shown last."""

    step = NumberField()
    progress = NumberField(-1)
