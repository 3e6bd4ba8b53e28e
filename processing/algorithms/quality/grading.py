"""Numbers against cut-offs: what is said of an image, and its grade."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from processing.algorithms.errors import ProcessingError, not_a_choice
from processing.algorithms.quality.causes import CAUSES, Cause

Cutoffs = Mapping[str, float | None]

# Chosen on 500 photographs of clothing, 500 of groceries and CBSD68; how many of them are flagged is checked by
# `tests/processing/algorithms/quality/test_causes.py`. None = this kind of image is not judged by it.
DEFAULT_CUTOFFS: dict[str, dict[str, float | None]] = {
    "photo": {
        "sharpness": 0.38,
        "exposure_dark": 0.48,
        "exposure_light": 0.77,
        "contrast": 0.33,
        "noise": 8.0,
        "blockiness": 0.24,
        "colourfulness": 0.05,
        "information": 0.55,
        "size": 200.0,
        "aspect": 0.35,
    },
    "product": {
        "sharpness": 0.4,
        "exposure_dark": 0.5,
        "exposure_light": 0.96,
        "contrast": 0.3,
        "noise": 6.0,
        "blockiness": 0.24,
        "colourfulness": None,
        "information": 0.2,
        "size": 300.0,
        "aspect": 0.35,
    },
    "fingerprint": {
        "sharpness": None,
        "exposure_dark": 0.4,
        "exposure_light": 0.95,
        "contrast": 0.35,
        "noise": None,
        "blockiness": 0.3,
        "colourfulness": None,
        "information": 0.3,
        "size": 150.0,
        "aspect": 0.35,
    },
    "other": {
        "sharpness": 0.3,
        "exposure_dark": 0.3,
        "exposure_light": 0.97,
        "contrast": 0.2,
        "noise": 15.0,
        "blockiness": 0.3,
        "colourfulness": None,
        "information": 0.15,
        "size": 64.0,
        "aspect": 0.2,
    },
}


@dataclass(frozen=True)
class Issue:
    """A fault with its number and cut-off.

    Attributes:
        code: of the fault, see `CAUSES`.
        measure: whose number it is.
        value, threshold: in the measure's unit.
        explanation: "blurred: sharpness 0.11 < 0.42".
        severity: above 0 (at the cut-off) to 1 (as bad as can be).
    """

    code: str
    measure: str
    value: float
    threshold: float
    explanation: str
    severity: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Judgement:
    """The grade, 0 to 100 (None where nothing was measured), and the faults, those that matter most first."""

    grade: float | None
    issues: tuple[Issue, ...]


def judge(values: Mapping[str, float | None], cutoffs: Cutoffs) -> Judgement:
    """Compare an image's numbers with the cut-offs of its kind.

    Each measure that has a number and a cut-off scores 0 at its `worst`, 0.5 at the cut-off and 1 at its `good`,
    straight between them. With the scores s and the weights w of the measures the grade is
    50 (min(1 - w (1 - s)) + sum(w s) / sum(w)): half the one fault that matters most, which is not averaged away,
    and half all of them. It never falls when a measure improves.

    Args:
        values: numbers by the names of the measures; unknown names are passed over.
        cutoffs: cut-offs by the same names; None or absent = not judged.
    """
    judged = [
        (cause, value, cutoff)
        for cause in CAUSES.values()
        if (value := values.get(cause.name)) is not None and (cutoff := cutoffs.get(cause.name)) is not None
    ]
    if not judged:
        return Judgement(None, ())
    scores = [score(cause, value, cutoff) for cause, value, cutoff in judged]
    weights = [cause.weight for cause, _, _ in judged]
    mean = sum(s * w for s, w in zip(scores, weights, strict=True)) / sum(weights)
    issues = [_issue(*row) for row in judged if is_fault(*row)]
    issues.sort(key=lambda issue: -issue.severity * CAUSES[issue.measure].weight)
    gravest = min(1 - w * (1 - s) for s, w in zip(scores, weights, strict=True))
    return Judgement(round(50 * (gravest + mean), 1), tuple(issues))


def is_fault(cause: Cause, value: float, cutoff: float) -> bool:
    """Whether the number lies on the bad side of the cut-off; the cut-off itself is good enough."""
    return value < cutoff if cause.bad_side == "below" else value > cutoff


def score(cause: Cause, value: float, cutoff: float) -> float:
    """0 at `worst`, 0.5 at the cut-off, 1 at `good`, monotone between; see `judge`."""
    sign = 1 if cause.bad_side == "below" else -1
    value, cutoff, worst, good = (sign * number for number in (value, cutoff, cause.worst, cause.good))
    if value < cutoff:
        return 0.0 if value <= worst else 0.5 * (value - worst) / (cutoff - worst)
    return 1.0 if value >= good else 0.5 + 0.5 * (value - cutoff) / (good - cutoff)


def _issue(cause: Cause, value: float, cutoff: float) -> Issue:
    relation = "<" if cause.bad_side == "below" else ">"
    unit = f" {cause.unit}" if cause.unit else ""
    digits = cause.digits
    while digits < 6 and f"{value:.{digits}f}" == f"{cutoff:.{digits}f}":
        digits += 1  # until the two numbers of the sentence differ
    sentence = f"{cause.fault}: {cause.quantity} {value:.{digits}f} {relation} {cutoff:.{digits}f}{unit}"
    severity = 1 - 2 * score(cause, value, cutoff)
    return Issue(cause.code, cause.name, round(value, 4), cutoff, sentence, round(severity, 3))


def check_cutoffs(cutoffs: Mapping[str, Any]) -> dict[str, float | None]:
    """Cut-offs that a person has given, as numbers.

    Raises:
        ProcessingError: an unknown measure, no number, or one outside of the measure's range; `field` names it.
    """
    checked: dict[str, float | None] = {}
    for name, value in cutoffs.items():
        if name not in CAUSES:
            raise ProcessingError(not_a_choice(name, CAUSES), code="invalid", field=name)
        checked[name] = None
        if value is None:
            continue
        low, high = limits(CAUSES[name])
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            unit = f" {CAUSES[name].unit}" if CAUSES[name].unit else ""
            detail = f"{name}: Enter a number from {low:g} to {high:g}{unit}, not {value!r}."
            raise ProcessingError(detail, code="invalid", field=name)
        checked[name] = float(value)
    return checked


def limits(cause: Cause) -> tuple[float, float]:
    """The lowest and the highest number that a cut-off may have."""
    if cause.unit == "px":
        return 0.0, 10_000.0
    return (0.0, 100.0) if cause.unit else (0.0, 1.0)
