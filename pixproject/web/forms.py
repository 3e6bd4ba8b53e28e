"""What the forms of all pages share: fields, and a form's errors as the error that every page shows."""

import uuid
from typing import Any

from django import forms
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import UploadedFile

from api.core.errors import ApiError, ErrorCode, FieldError


class NumberField(forms.Field):
    """A whole number of an address, a button or a script; `empty_value` where it is absent or not a number."""

    def __init__(self, empty_value: int | None = 0, *, digits: int = 8, **options: Any) -> None:
        super().__init__(**{"required": False, **options})
        self.empty_value, self.digits = empty_value, digits

    def to_python(self, value: Any) -> int | None:
        word = str(value or "")
        is_number = word.isascii() and word.isdecimal() and len(word) <= self.digits
        return int(word) if is_number else self.empty_value


class UUIDListField(forms.Field):
    """Ids from repeated inputs or separated by commas, each once, in their order.

    What is no id is left out, as an id that no longer exists would be; with `is_strict` it is an error.
    """

    widget = forms.MultipleHiddenInput

    def __init__(self, *, is_strict: bool = False, **options: Any) -> None:
        super().__init__(**{"required": False, **options})
        self.is_strict = is_strict

    def to_python(self, value: Any) -> list[uuid.UUID]:
        texts = [value] if isinstance(value, str) else value or []
        ids = []
        for word in (word.strip() for text in texts for word in text.split(",")):
            try:
                ids.append(uuid.UUID(word))
            except ValueError:
                if self.is_strict and word:
                    raise forms.ValidationError(f"'{word[:50]}' is not a valid ID.") from None
        return list(dict.fromkeys(ids))


class FilesInput(forms.FileInput):
    allow_multiple_selected = True


class FileListField(forms.FileField):
    """Any number of files. Empty ones go on to the service, whose sentence is the same everywhere."""

    widget = FilesInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_empty_file": True, "required": False, **options})

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if data or not self.required else [None]
        return [super(FileListField, self).clean(file, initial) for file in files or ()]


class FormError(ApiError, BadRequest):
    """A form with wrong values; a view that does not expect any lets Django answer with its page for status 400."""


def sent(form: forms.Form) -> dict[str, Any]:
    """The values of those fields that the request has, so that the others stay as they are."""
    return {name: value for name, value in read(form).items() if name in form.data}


def read(form: forms.Form) -> dict[str, Any]:
    """The values of a form. Raises FormError with a sentence for each field that is wrong."""
    if form.is_valid():
        return dict(form.cleaned_data)
    errors = [
        FieldError(
            name, row["code"] if row["code"] in ErrorCode.values else ErrorCode.INVALID, row["message"]
        )
        for name, rows in form.errors.get_json_data().items()
        for row in rows
    ]
    raise FormError(errors[0].code, " ".join(error.detail for error in errors), errors=errors)
