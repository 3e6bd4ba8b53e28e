"""WCAG AA of the colours that texts have, in both themes."""

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[3] / "static" / "css" / "base.css"
PAIRS = [
    *((ink, paper) for ink in ("ink", "ink-2", "ink-3") for paper in ("bg", "surface", "sunken")),
    *((ink, "hover") for ink in ("ink", "ink-2", "ink-3")),
    *(
        (name, paper)
        for name in ("accent", "good", "warn", "bad")
        for paper in ("bg", "surface", f"{name}-soft")
    ),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("ink-2", "good-soft"),
    ("ink-2", "warn-soft"),
    ("ink-2", "bad-soft"),
    ("bg", "ink"),
]


def colours(theme: int) -> dict[str, str]:
    found = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", CSS.read_text())
    return {name: values[theme] for name, *values in found}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ratio(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_can_be_read(theme):
    named = colours(theme)

    too_weak = {pair: round(ratio(named[pair[0]], named[pair[1]]), 2) for pair in PAIRS}
    assert {pair: value for pair, value in too_weak.items() if value < 4.5} == {}
    assert ratio(named["line-strong"], named["surface"]) >= 3  # borders of inputs
