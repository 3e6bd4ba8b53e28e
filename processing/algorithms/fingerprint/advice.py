"""What to do better when a fingerprint is taken again: a table of measures with their cut-offs."""

from collections.abc import Mapping
from dataclasses import dataclass

from processing.algorithms.quality.grading import Issue


@dataclass(frozen=True)
class _Rule:
    """A cut-off: smaller values than a floor are wrong, larger ones where it is no floor.

    `what`: what is wrong; `shown_as`: the measure in words; `remedy`: what to do.
    """

    code: str
    measure: str
    threshold: float
    what: str
    shown_as: str
    remedy: str
    unit: str = ""
    is_floor: bool = True


STORED_AS = {"ridges_per_mm": "fp_frequency"}  # the others: their own name with fp_ before it

# ruff: noqa: E501 - a table reads best with one row on one line
# fmt: off
NO_FINGERPRINT = _Rule("no_fingerprint", "foreground", 0.15, "no fingerprint, or only a small part of one", "ridges on", "show the whole tip of one finger", "%")
# Worst first. The cut-offs part the prints of FVC2002 DB2_B that look dry, wet, faint or smudged from the others.
RULES = (
    _Rule("small_share", "foreground", 0.4, "too little of the finger on the sensor", "ridges on", "centre the finger and lay it flat", "%"),
    _Rule("small_area", "area_mm2", 60, "too small a part of the finger", "about", "show more of the finger", "mm²"),
    _Rule("too_dry", "ridge_share", 0.28, "too dry", "ridge share", "press harder or moisten the finger"),
    _Rule("too_wet", "ridge_share", 0.58, "too wet or pressed too hard", "ridge share", "dry the finger or press less", is_floor=False),
    _Rule("faint", "contrast", 0.15, "faint", "contrast between ridges and valleys", "press harder or clean the sensor"),
    _Rule("smudged", "coherence", 0.6, "smudged", "ridge coherence", "hold the finger still and clean the sensor"),
    _Rule("unclear", "clarity", 0.45, "ridges unclear", "clarity", "hold still and clean the finger and the sensor"),
    _Rule("uneven", "regularity", 0.7, "ridges uneven", "share with typical ridge spacing", "press evenly and show only one finger"),
    _Rule("ridges_coarse", "ridges_per_mm", 1.3, "ridges too far apart", "ridges per mm", "check the resolution"),
    _Rule("ridges_fine", "ridges_per_mm", 3.8, "ridges too close together", "ridges per mm", "check the resolution", is_floor=False),
)
# fmt: on


def advice_for(measures: Mapping[str, float], *, is_dpi_assumed: bool) -> tuple[Issue, ...]:
    """The rules that the measures break; one alone where there is no fingerprint."""
    rules = (NO_FINGERPRINT,) if _is_broken(NO_FINGERPRINT, measures) else RULES
    return tuple(_advice(rule, measures, is_dpi_assumed) for rule in rules if _is_broken(rule, measures))


def _is_broken(rule: _Rule, measures: Mapping[str, float]) -> bool:
    value = measures[rule.measure]
    return value < rule.threshold if rule.is_floor else value > rule.threshold


def _advice(rule: _Rule, measures: Mapping[str, float], is_dpi_assumed: bool) -> Issue:
    value = measures[rule.measure]
    sign = "<" if rule.is_floor else ">"
    note = " (500 dpi assumed)" if rule.measure == "ridges_per_mm" and is_dpi_assumed else ""
    numbers = f"{rule.shown_as} {_shown(value, rule.unit)} {sign} {_shown(rule.threshold, rule.unit)}"
    explanation = f"{rule.what}: {numbers}{note}; {rule.remedy}"
    return Issue(
        rule.code,
        STORED_AS.get(rule.measure, f"fp_{rule.measure}"),
        round(value, 4),
        rule.threshold,
        explanation,
        round(min(abs(value - rule.threshold) / rule.threshold, 1), 4),
    )


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.0f} %"
    return f"{value:.0f} {unit}" if unit else f"{value:.2f}"
