"""The forms of the batches' pages; what they say is checked by the services."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from batches import stages
from batches.clustering.parameters import ACTIVATIONS, DEFAULTS, MODES, ParametersForm, stored_parameters
from batches.models import Batch
from batches.pages import presenters
from pixproject.web.forms import NumberField
from processing.states import Priority

KEEP = ""  # the choice that changes nothing
KEEP_TITLE = "unchanged"
MODE_TITLES = {
    "full": "full: group all images again",
    "incremental": "incremental: new images join existing groups",
    "sweep": "sweep: only try a grid of parameters",
}
ACTIVATION_TITLES = {
    "auto": "auto: unless people have placed, locked, confirmed or named something",
    "always": "always",
    "never": "never: compare the groups first",
}


def people(*also: Any) -> QuerySet:
    """Who may be assigned work, and those who have it already."""
    current = [user.pk for user in also if user is not None]
    may_write = presenters.people().order_by().values("pk")
    users: QuerySet = get_user_model().objects.filter(Q(pk__in=may_write) | Q(pk__in=current))
    return users.order_by("username")


def _person(**kwargs: Any) -> forms.ModelChoiceField:
    users = get_user_model().objects.none()
    return forms.ModelChoiceField(
        users, required=False, empty_label="nobody", widget=UnfoldAdminSelectWidget, **kwargs
    )


class BatchForm(forms.Form):
    """What people say about a batch."""

    batch_name = forms.CharField(label="Name", required=False, widget=UnfoldAdminTextInputWidget)
    note = forms.CharField(required=False, widget=UnfoldAdminTextareaWidget({"rows": 3}))
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=int, widget=UnfoldAdminSelectWidget)
    assignee = _person()
    reviewer = _person(help_text="Validates the batch after it is submitted.")

    def __init__(self, data: Mapping[str, Any] | None = None, *, batch: Batch | None = None) -> None:
        initial: dict[str, Any] = {"priority": Priority.NORMAL}
        if batch is not None:
            values = {name: getattr(batch, name) for name in self.base_fields}
            initial = {name: getattr(value, "pk", value) for name, value in values.items()}
        super().__init__(data, initial=initial)
        people_now = (batch.assignee, batch.reviewer) if batch is not None else ()
        for name in ("assignee", "reviewer"):
            self.fields[name].queryset = people(*people_now)  # type: ignore[attr-defined]

    def changed_values(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}


class UndoForm(forms.Form):
    """The number of the step that a button takes back."""

    undo = NumberField()


class PriorityForm(forms.Form):
    """One priority for all chosen batches."""

    priority = forms.TypedChoiceField(
        choices=Priority.choices, coerce=int, initial=Priority.NORMAL, widget=UnfoldAdminSelectWidget
    )


class AssignForm(forms.Form):
    """Who works on the chosen batches and who validates them; what is not chosen stays."""

    assignee = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    reviewer = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [f"@{name}" for name in people().values_list("username", flat=True)]
        choices = [
            (KEEP, KEEP_TITLE),
            ("nobody", "nobody"),
            *((name, name.removeprefix("@")) for name in names),
        ]
        for field in self.fields.values():
            field.choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(cleaned.values()):
            raise forms.ValidationError("Choose an assignee or a reviewer.")
        return cleaned

    def values(self) -> dict[str, str]:
        """The names as the service takes them: empty for nobody."""
        chosen = {name: value for name, value in self.cleaned_data.items() if value != KEEP}
        return {name: "" if value == "nobody" else value.removeprefix("@") for name, value in chosen.items()}


class ReasonForm(forms.Form):
    """Why the batches go back."""

    reason = forms.CharField(max_length=stages.MAX_REASON, widget=UnfoldAdminTextareaWidget({"rows": 3}))


class ExportForm(forms.Form):
    """The format of the export."""

    format = forms.ChoiceField(
        choices=[
            ("csv", "CSV: one row per image"),
            ("json", "JSON: a manifest with hashes, parameters and versions"),
            ("zip", "ZIP: one folder per group"),
        ],
        widget=UnfoldAdminSelectWidget,
    )


class AnalyzeForm(ParametersForm):
    """The parameters of an analysis, and what becomes of the run."""

    field_order = ("mode", "activate")

    mode = forms.ChoiceField(
        choices=[(mode, MODE_TITLES[mode]) for mode in MODES], widget=UnfoldAdminSelectWidget
    )
    activate = forms.ChoiceField(
        label="Use the new groups",
        choices=[(word, ACTIVATION_TITLES[word]) for word in ACTIVATIONS],
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in DEFAULTS:
            field = self.fields[name]
            field.required = False  # empty: the default
            if isinstance(field, forms.ChoiceField):
                field.widget = UnfoldAdminSelectWidget(choices=field.choices)
            elif isinstance(field, forms.BooleanField):
                field.widget = UnfoldBooleanWidget()
            else:
                field.widget = UnfoldAdminTextInputWidget()

    def parameters(self) -> dict[str, Any]:
        """What `analysis.parse_parameters` takes; an empty field stands for its default."""
        given = {name: self.cleaned_data[name] for name in DEFAULTS}
        return {
            name: value for name, value in given.items() if value not in ("", None) or name == "min_samples"
        }


def analysis_initial(batches: list[Batch]) -> dict[str, Any]:
    """What the form of an analysis shows first: what a single batch was asked with last, else the defaults."""
    kept = stored_parameters(batches[0].parameters) if len(batches) == 1 else {}
    return {**DEFAULTS, **{name: value for name, value in kept.items() if name in DEFAULTS}}
