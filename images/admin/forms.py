"""The forms of the images' pages; what they say is checked by the services."""

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from images.models import Image
from images.pages.forms import TagsField
from pixproject.web.forms import FileListField, FilesInput

FILES = {"class": "pix-input pix-files", "multiple": True, "accept": "image/*,.heic"}


class UploadForm(forms.Form):
    """Files, and the description that all of them get."""

    pictures = FileListField(label="Images", required=True, widget=FilesInput(FILES))
    kind = forms.ChoiceField(choices=Image.Kind.choices, widget=UnfoldAdminSelectWidget)
    tags = TagsField(required=False, widget=UnfoldAdminTextInputWidget, help_text="Separated by commas.")
    reference = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Their identifier in your own system.",
    )


class EditForm(forms.Form):
    """What people say about an image."""

    title = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    kind = forms.ChoiceField(choices=Image.Kind.choices, widget=UnfoldAdminSelectWidget)
    tags = TagsField(required=False, widget=UnfoldAdminTextInputWidget, help_text="Separated by commas.")
    reference = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget)
    note = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    pinned = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="Never removed by a clean-up."
    )
