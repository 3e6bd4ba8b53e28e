"""What a benchmark found, and the table of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

HEADS = ("what", "result", "goal", "")


@dataclass(frozen=True)
class Result:
    """One number.

    Attributes:
        benchmark: which benchmark measured it.
        what: in a few words.
        value, unit: the number.
        goal: what it should reach; None for a number that only stands beside others.
        better: whether more or less is better.
        detail: numbers it was made from.
    """

    benchmark: str
    what: str
    value: float
    unit: str = ""
    goal: float | None = None
    better: Literal["more", "less"] = "more"
    detail: str = ""

    @property
    def is_met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_met": self.is_met}


def table(results: Iterable[Result]) -> str:
    rows = [HEADS, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _row(result: Result) -> tuple[str, ...]:
    sign = "≥" if result.better == "more" else "≤"
    goal = "" if result.goal is None else f"{sign} {_number(result.goal)} {result.unit}".rstrip()
    verdict = {True: "met", False: "MISSED", None: ""}[result.is_met]
    value = f"{_number(result.value)} {result.unit}".rstrip()
    return result.what, value, goal, f"{verdict:<6} {result.detail}".strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
