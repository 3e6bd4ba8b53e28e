"""The forms of the pages of batches: what people type, and what links and buttons carry. Services check the rest."""

import re
from typing import Any

from django import forms

from batches.clustering.parameters import PARAMETERS
from batches.history.changes import ExpectedVersion
from pixproject.web.forms import NumberField, UUIDListField
from processing.pages.forms import PriorityField

DEFAULT_THRESHOLD = 0.5
LONGEST_LIST = 500
FILTERS = ("group", "decision", "min_quality", "issue")
_WORD = re.compile(r"[^\s,;]+")


def text(**options: Any) -> forms.CharField:
    return forms.CharField(**{"required": False, **options})


class VersionField(NumberField):
    """The version of the batch that the page showed; None where its form does not name one."""

    def __init__(self) -> None:
        super().__init__(None, digits=9)

    def clean(self, value: Any) -> ExpectedVersion | None:
        number = super().clean(value)
        return None if number is None else ExpectedVersion(number, is_header=False)


class ThresholdField(forms.Field):
    """From 0, strict, to 1, loose."""

    def to_python(self, value: Any) -> float:
        if not value:
            return DEFAULT_THRESHOLD
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise forms.ValidationError(
                f"The threshold must be a number from 0 (strict) to 1 (loose), not {value[:20]}."
            )
        return number


class CutField(forms.CharField):
    """Text of which at most `limit` characters count."""

    def __init__(self, limit: int) -> None:
        super().__init__(required=False)
        self.limit = limit

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value))[: self.limit]


class WordsField(forms.CharField):
    """'3, 5, 8' as a list; None where nothing is typed."""

    def clean(self, value: Any) -> Any:
        return _WORD.findall(super().clean(value)[:LONGEST_LIST]) or None


class VersionForm(forms.Form):
    """A button that changes the batch as its page showed it."""

    version = VersionField()


class ImagesForm(VersionForm):
    """Selected images."""

    image = UUIDListField()


class ChosenForm(ImagesForm):
    """Selected images, or those of a filter, and the number that the page showed; perhaps the batch to add them to."""

    query = text(strip=False)
    batch = text()
    expected = forms.IntegerField(required=False)


class NewBatchForm(ChosenForm):
    batch_name = text()
    note = text()
    priority = PriorityField()
    assignee = text()


class EditForm(forms.Form):
    batch_name = text()
    note = text(strip=False)
    priority = PriorityField()
    assignee = text()
    reviewer = text()


class StageForm(VersionForm):
    move = text()
    reason = text()
    confirm = text()


class RunForm(forms.Form):
    run = NumberField()


class TakeOverForm(VersionForm):
    """All items of a run, or the ones that are ticked."""

    which = text()
    item = forms.Field(required=False, widget=forms.MultipleHiddenInput)


class UndoForm(VersionForm):
    sequence = NumberField(None)
    skip_conflicts = text()


class AnalysisForm(forms.Form):
    """The parameters of an analysis, as text: the service reads them, whichever interface they come from."""

    mode = text(empty_value="full")
    sizes = WordsField(required=False)
    samples = WordsField(required=False)
    cell = text()
    shown = text()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields |= {name: text() for name in PARAMETERS}

    def parameters(self) -> dict[str, Any]:
        """The ones that the form has; a box that is not ticked is not sent, so `shown` says that there is one."""
        given = {name: self.cleaned_data[name] for name in PARAMETERS if name in self.data}
        if self.cleaned_data["shown"]:
            given["allow_single_cluster"] = "allow_single_cluster" in self.data
        return given


class FiltersForm(forms.Form):
    """Which images of the batch are processed."""

    group = text()
    decision = text()
    min_quality = text()
    issue = text()


class ProcessForm(FiltersForm):
    priority = PriorityField(empty_value=None)
    output_folder = CutField(200)
    filename_prefix = CutField(100)


class NearForm(forms.Form):
    threshold = ThresholdField(required=False)
    limit = NumberField(digits=4)
    part = text()


class ResolveForm(VersionForm):
    """One set of near-duplicates, or with `all` every set at a threshold."""

    threshold = ThresholdField(required=False)
    verdict = text(empty_value="duplicate")
    keep = UUIDListField(is_strict=True)
    image = UUIDListField(is_strict=True)


class ReviewForm(ImagesForm):
    """What a button of the review page does; `do` may name the group as well: `confirm:12`."""

    do = text()
    label = text()
    to = text()
    name = text()
    reason = text()


class SinceForm(forms.Form):
    since = NumberField()
