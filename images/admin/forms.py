"""The forms of the images' pages; what they say is checked by the services."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from images.models import Image
from pixproject.web.forms import FileListField, FilesInput

FILES = {"class": "pix-input pix-files", "multiple": True, "accept": "image/*,.heic"}


class TagsField(forms.CharField):
    """Tags with commas between them, as a list."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return [tag.strip() for tag in super().clean(value).split(",") if tag.strip()]


class UploadForm(forms.Form):
    """Files, and what is said about all of them."""

    pictures = FileListField(label="Images", required=True, widget=FilesInput(FILES))
    kind = forms.ChoiceField(choices=Image.Kind.choices, widget=UnfoldAdminSelectWidget)
    tags = TagsField(required=False, widget=UnfoldAdminTextInputWidget, help_text="With commas between them.")
    reference = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The identifier of these in your own system.",
    )


class EditForm(forms.Form):
    """What people say about an image."""

    title = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    kind = forms.ChoiceField(choices=Image.Kind.choices, widget=UnfoldAdminSelectWidget)
    tags = TagsField(required=False, widget=UnfoldAdminTextInputWidget, help_text="With commas between them.")
    reference = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    note = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    pinned = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="Every clean-up keeps it."
    )
