"""How a batch is grouped, as people ask for it: words and numbers checked, every wrong one named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_choice, invalid_field
from api.core.phrases import not_a_choice
from images.vectors import embeddings
from processing.algorithms.clustering.sweep import MOST_CELLS
from processing.algorithms.embedding.embedders import EMBEDDERS

# Measured on labelled photographs by the bench row `grouping`: small tight groups, few of them mixed.
DEFAULTS: dict[str, Any] = {
    "model": embeddings.AUTO,
    "min_cluster_size": 5,
    "min_samples": 2,
    "metric": "euclidean",
    "cluster_selection_method": "leaf",
    "cluster_selection_epsilon": 0.0,
    "allow_single_cluster": False,
}
PARAMETERS = tuple(DEFAULTS)
CLUSTERING = PARAMETERS[1:]
MODES = ("full", "incremental", "sweep")
ACTIVATIONS = ("auto", "always", "never")
SELECTIONS = {"leaf": "Small, tight groups (leaf)", "eom": "Fewer, larger groups (eom)"}
LARGEST_SIZE = 10_000
DEFAULT_SIZES: tuple[int, ...] = (3, 5, 8, 12, 20)
DEFAULT_SAMPLES: tuple[int | None, ...] = (1, 2, 5, 10)


class CountField(forms.IntegerField):
    """A whole number within its limits, which its one sentence names."""

    def __init__(self, *, least: int, **options: Any) -> None:
        sentence = f"Enter a whole number from {least} to {LARGEST_SIZE}."
        messages = dict.fromkeys(("required", "invalid", "min_value", "max_value"), sentence)
        super().__init__(min_value=least, max_value=LARGEST_SIZE, error_messages=messages, **options)

    def to_python(self, value: Any) -> int | None:
        is_none = value == "null" and not self.required  # the word of commands
        return super().to_python(None if is_none else value)


class TruthField(forms.BooleanField):
    """True or false, also as the words that forms and commands use; any other word is refused."""

    WORDS = {
        **dict.fromkeys(("true", "on", "yes", "1"), True),
        **dict.fromkeys(("false", "off", "no", "0", ""), False),
    }

    def to_python(self, value: Any) -> bool:
        word = str(value).strip().lower()
        if word not in self.WORDS:
            raise ValidationError("Enter true or false.", code=ErrorCode.INVALID)
        return self.WORDS[word]


def _choice(choices: Sequence[tuple[str, str]], **options: Any) -> forms.TypedChoiceField:
    sentence = not_a_choice("%(value)s", [value for value, _ in choices])
    return forms.TypedChoiceField(choices=choices, error_messages={"invalid_choice": sentence}, **options)


class ParametersForm(forms.Form):
    """What may be asked for, with the limits, labels and explanations that every interface shows."""

    model = _choice(
        [(embeddings.AUTO, "Automatic"), *((spec.name, spec.title) for spec in EMBEDDERS.values())],
        label="Embedding model",
        help_text="The network that measures how similar two images are.",
        required=False,
        empty_value=embeddings.AUTO,
    )
    min_cluster_size = CountField(least=2, label="Smallest group", help_text="Smaller groups are not formed.")
    min_samples = CountField(
        least=1,
        required=False,
        label="Neighbours",
        help_text="Higher is stricter: more images stay ungrouped. Empty: the same as the smallest group.",
    )
    metric = _choice(
        [("euclidean", "Euclidean"), ("cosine", "Angle between them (cosine)")],
        label="Distance",
        help_text="How the difference between two images is measured.",
    )
    cluster_selection_method = _choice(
        list(SELECTIONS.items()),
        label="Which groups",
        help_text="Many tight ones, or fewer broad ones.",
    )
    cluster_selection_epsilon = forms.FloatField(
        min_value=0,
        label="Merge groups closer than",
        help_text="Groups closer to each other than this become one; 0 leaves them.",
        error_messages=dict.fromkeys(("required", "invalid", "min_value"), "Enter a number of at least 0."),
    )
    allow_single_cluster = TruthField(required=False, label="Allow a single group")


FIELDS = ParametersForm.base_fields
LABELS = {
    **{name: str(field.label) for name, field in FIELDS.items()},
    "sizes": "Smallest groups in the grid",
    "samples": "Neighbours in the grid",
}


def stored_parameters(described: Mapping[str, Any]) -> dict[str, Any]:
    """What the parameters of a batch say of its analysis: under `analysis`, where the last run is too, or beside it."""
    inside = described.get("analysis")
    beside = {name: described[name] for name in PARAMETERS if name in described}
    return {**beside, **inside} if isinstance(inside, Mapping) else beside


def check_described(described: Mapping[str, Any]) -> None:
    """Refuse parameters of a batch that no analysis could use.

    Raises:
        ApiError: 400 naming each, such as `parameters.analysis.min_cluster_size`.
    """
    inside = described.get("analysis", {})
    if not isinstance(inside, Mapping):
        raise invalid_field(
            "parameters.analysis", f"Enter an object, not a value of the type {type(inside).__name__}."
        )
    beside = {name: described[name] for name in PARAMETERS if name in described}
    for prefix, given in (("parameters", beside), ("parameters.analysis", inside)):
        try:
            parse_parameters(given)
        except ApiError as error:
            errors = [replace(wrong, field=f"{prefix}.{wrong.field}") for wrong in error.errors]
            raise ApiError(error.code, f"{prefix}.{error.detail}", errors=errors) from error


def parse_parameters(data: Mapping[str, Any], *, fallback: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All parameters of an analysis: what was asked for, else what `fallback` says, else the measured defaults.

    Args:
        data: any of `PARAMETERS`; numbers may be given as text, as forms do. `min_samples` None or "" means: as many
            as min_cluster_size.
        fallback: such as `stored_parameters` of a batch; unusable ones count as absent.

    Raises:
        ApiError: 400 naming each field that is wrong or unknown.
    """
    errors = [
        FieldError(
            name,
            ErrorCode.UNKNOWN_FIELD,
            f"Unknown parameter {name[:50]!r}. Allowed parameters: {', '.join(PARAMETERS)}.",
        )
        for name in data
        if name not in PARAMETERS
    ]
    parameters = dict(DEFAULTS)
    for name in PARAMETERS:
        if isinstance(fallback, Mapping) and name in fallback:
            value, why = _checked(name, fallback[name])
            parameters[name] = parameters[name] if why else value
        if name in data:
            parameters[name], why = _checked(name, data[name])
            errors += [why] if why else []
    if errors:
        raise ApiError(errors[0].code, f"{errors[0].field}: {errors[0].detail}", errors=errors)
    return parameters


def _checked(name: str, given: Any) -> tuple[Any, FieldError | None]:
    field = FIELDS[name]
    try:
        return field.clean(given), None
    except ValidationError as error:
        return None, FieldError(name, error.error_list[0].code or ErrorCode.INVALID, error.messages[0])


def parse_grid(
    sizes: Sequence[Any] | None, samples: Sequence[Any] | None
) -> tuple[list[int], list[int | None]]:
    """The grid of a sweep: least group sizes and numbers of neighbours.

    Raises:
        ApiError: 400 naming the value that is wrong, or for more than 64 pairs.
    """
    grid: dict[str, list[Any]] = {}
    for field, name, values in (
        ("sizes", "min_cluster_size", DEFAULT_SIZES if sizes is None else sizes),
        ("samples", "min_samples", DEFAULT_SAMPLES if samples is None else samples),
    ):
        checked = [_checked(name, value) for value in values]
        if wrong := next((why for _, why in checked if why), None):
            raise invalid_field(field, wrong.detail)
        grid[field] = list(dict.fromkeys(value for value, _ in checked))
        if not grid[field]:
            raise invalid_field(field, "Enter at least one value.")
    pairs = len(grid["sizes"]) * len(grid["samples"])
    if pairs > MOST_CELLS:
        raise invalid_field("sizes", f"The grid has {pairs} combinations. The limit is {MOST_CELLS}.")
    return grid["sizes"], grid["samples"]


def one_of(field: str, value: Any, allowed: Sequence[str]) -> str:
    """A word of a list.

    Raises:
        ApiError: 400.
    """
    if value in allowed:
        return str(value)
    raise invalid_choice(field, value, allowed)
