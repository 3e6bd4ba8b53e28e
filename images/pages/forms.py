"""The forms of the images' pages; what they say is checked by the services."""

from typing import Any

from django import forms

from pixproject.web.forms import FileListField, UUIDListField


class TagsField(forms.CharField):
    """Tags separated by commas, as a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [tag.strip() for tag in super().clean(value).split(",") if tag.strip()]


class FilesForm(forms.Form):
    file = FileListField()


class ImageForm(forms.Form):
    image = UUIDListField()


class SelectionForm(ImageForm):
    """Selected images, and what to do with them."""

    action = forms.CharField(required=False)
    expected = forms.IntegerField(required=False)  # the number that the page showed, by script


class EditForm(forms.Form):
    title = forms.CharField(required=False)
    note = forms.CharField(required=False)
    kind = forms.CharField(required=False)
    tags = TagsField(required=False)


class PinForm(forms.Form):
    pinned = forms.TypedChoiceField(
        choices=[("1", "yes"), ("0", "no")],
        coerce=lambda text: text == "1",
        required=False,
        empty_value=False,  # type: ignore[arg-type]  # the stubs know only texts
    )


class ResolveForm(forms.Form):
    """Which images of a pair of near-duplicates to keep."""

    keep = UUIDListField(is_strict=True)
    others = forms.CharField(required=False)
