"""How a batch is grouped, as people ask for it: words and numbers checked, every wrong one named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_choice, invalid_field
from images.vectors import embeddings
from processing.algorithms.clustering.points import ClusterParameters
from processing.algorithms.clustering.sweep import MOST_CELLS
from processing.algorithms.errors import InvalidParameter

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
LARGEST_SIZE = 10_000
DEFAULT_SIZES: tuple[int, ...] = (3, 5, 8, 12, 20)
DEFAULT_SAMPLES: tuple[int | None, ...] = (1, 2, 5, 10)
_TRUE, _FALSE = ("true", "on", "yes", "1"), ("false", "off", "no", "0", "")


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
    found = dict(DEFAULTS)
    for name in PARAMETERS:
        if isinstance(fallback, Mapping) and name in fallback:
            value, why = _checked(name, fallback[name])
            found[name] = found[name] if why else value
        if name in data:
            found[name], why = _checked(name, data[name])
            errors += [why] if why else []
    if errors:
        raise ApiError(errors[0].code, f"{errors[0].field}: {errors[0].detail}", errors=errors)
    return found


def _checked(name: str, given: Any) -> tuple[Any, FieldError | None]:
    try:
        value = _READ[name](given)
        if name == "model":
            return embeddings.embedder(value).name if value != embeddings.AUTO else value, None
        replace(ClusterParameters(), **{name: value})
        if isinstance(value, int) and value > LARGEST_SIZE:
            detail = f"{name}: must be at most {LARGEST_SIZE}, not {value}."
            raise InvalidParameter(detail, field=name)
    except InvalidParameter as error:
        detail = error.detail.removeprefix(f"{name}: ")
        return None, FieldError(name, ErrorCode.INVALID, detail)
    except ApiError as error:
        return None, FieldError(name, error.code, error.detail.removeprefix(f"{name}: "))
    return value, None


def _number(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Text that is a number becomes one; all else stays for the check to refuse."""

    def number(given: Any) -> Any:
        if not isinstance(given, str) or len(given) > 20:
            return given
        try:
            return read(given)
        except ValueError:
            return given

    return number


def _number_or_none(given: Any) -> Any:
    return None if given is None or given in ("", "null") else _number(int)(given)


def _truth(given: Any) -> Any:
    word = given.lower() if isinstance(given, str) else None
    return True if word in _TRUE else False if word in _FALSE else given


def _word(given: Any) -> str:
    return given if isinstance(given, str) else repr(given)[:50]


_READ: dict[str, Callable[[Any], Any]] = {
    "model": lambda given: _word(given) or embeddings.AUTO,
    "min_cluster_size": _number(int),
    "min_samples": _number_or_none,
    "metric": _word,
    "cluster_selection_method": _word,
    "cluster_selection_epsilon": _number(float),
    "allow_single_cluster": _truth,
}


def parse_grid(
    sizes: Sequence[Any] | None, samples: Sequence[Any] | None
) -> tuple[list[int], list[int | None]]:
    """The grid of a sweep: least group sizes and numbers of neighbours.

    Raises:
        ApiError: 400 naming the value that is wrong, or for more than 64 pairs.
    """
    found: dict[str, list[Any]] = {}
    for field, name, values in (
        ("sizes", "min_cluster_size", DEFAULT_SIZES if sizes is None else sizes),
        ("samples", "min_samples", DEFAULT_SAMPLES if samples is None else samples),
    ):
        checked = [_checked(name, value) for value in values]
        if wrong := next((why for _, why in checked if why), None):
            raise invalid_field(field, wrong.detail)
        found[field] = list(dict.fromkeys(value for value, _ in checked))
        if not found[field]:
            raise invalid_field(field, "Enter at least one value.")
    pairs = len(found["sizes"]) * len(found["samples"])
    if pairs > MOST_CELLS:
        raise invalid_field("sizes", f"The grid has {pairs} combinations. The limit is {MOST_CELLS}.")
    return found["sizes"], found["samples"]


def one_of(field: str, value: Any, allowed: Sequence[str]) -> str:
    """A word of a list.

    Raises:
        ApiError: 400.
    """
    if value in allowed:
        return str(value)
    raise invalid_choice(field, value, allowed)
