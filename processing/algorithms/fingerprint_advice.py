"""What to do better when a fingerprint is taken again: a table of measures with their cut-offs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """What is wrong, in numbers and words: "too dry: ridge share 0.18 < 0.28; …"."""

    code: str
    value: float
    threshold: float
    explanation: str


@dataclass(frozen=True)
class _Rule:
    """`is_floor`: smaller values are wrong; else larger ones."""

    code: str
    measure: str
    is_floor: bool
    threshold: float
    what: str
    shown_as: str
    remedy: str
    unit: str = ""


NO_FINGERPRINT = _Rule(
    "no_fingerprint",
    "foreground",
    True,
    0.1,
    "no fingerprint",
    "ridges on",
    "take a picture of a finger",
    "%",
)
# Worst first. Cut-offs: where prints that look dry, wet, faint, smudged to the eye part from the others in
# FVC2002 DB2_B; frequencies: adults and children, NIST SP 500-245 and Hong, Wan and Jain (1998).
RULES = (
    _Rule(
        "small_share",
        "foreground",
        True,
        0.4,
        "too little of the finger on the sensor",
        "ridges on",
        "centre the finger and lay it flat",
        "%",
    ),
    _Rule(
        "small_area",
        "area_mm2",
        True,
        60,
        "too small a part of the finger",
        "about",
        "show more of the finger",
        "mm²",
    ),
    _Rule(
        "too_dry",
        "ridge_share",
        True,
        0.28,
        "too dry",
        "ridge share",
        "press harder or moisten the finger",
    ),
    _Rule(
        "too_wet",
        "ridge_share",
        False,
        0.58,
        "too wet or pressed too hard",
        "ridge share",
        "dry the finger or press less",
    ),
    _Rule(
        "faint",
        "contrast",
        True,
        0.15,
        "faint",
        "contrast of ridges and valleys",
        "press harder or clean the sensor",
    ),
    _Rule(
        "smudged",
        "coherence",
        True,
        0.6,
        "smudged",
        "coherence of the ridges' direction",
        "hold the finger still and clean the sensor",
    ),
    _Rule(
        "unclear",
        "clarity",
        True,
        0.45,
        "ridges unclear",
        "clarity",
        "hold still, focus, and clean finger and sensor",
    ),
    _Rule(
        "irregular",
        "regularity",
        True,
        0.7,
        "ridges uneven",
        "share of usual ridge distances",
        "press evenly; check that this is one finger",
    ),
    _Rule(
        "ridges_too_coarse",
        "ridges_per_mm",
        True,
        1.3,
        "ridges too far apart",
        "ridges per mm",
        "check the resolution",
    ),
    _Rule(
        "ridges_too_fine",
        "ridges_per_mm",
        False,
        3.8,
        "ridges too close together",
        "ridges per mm",
        "check the resolution",
    ),
)


def advice_for(measures: Mapping[str, float], *, is_dpi_assumed: bool) -> tuple[Advice, ...]:
    """The rules that the measures break; one alone where there is no fingerprint."""
    if _is_broken(NO_FINGERPRINT, measures):
        return (_advice(NO_FINGERPRINT, measures, is_dpi_assumed),)
    return tuple(_advice(rule, measures, is_dpi_assumed) for rule in RULES if _is_broken(rule, measures))


def _is_broken(rule: _Rule, measures: Mapping[str, float]) -> bool:
    value = measures[rule.measure]
    return value < rule.threshold if rule.is_floor else value > rule.threshold


def _advice(rule: _Rule, measures: Mapping[str, float], is_dpi_assumed: bool) -> Advice:
    value = measures[rule.measure]
    sign = "<" if rule.is_floor else ">"
    note = " (500 dpi assumed)" if rule.measure == "ridges_per_mm" and is_dpi_assumed else ""
    numbers = f"{rule.shown_as} {_shown(value, rule.unit)} {sign} {_shown(rule.threshold, rule.unit)}"
    return Advice(rule.code, round(value, 4), rule.threshold, f"{rule.what}: {numbers}{note}; {rule.remedy}")


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.0f} %"
    return f"{value:.0f} {unit}" if unit else f"{value:.2f}"
