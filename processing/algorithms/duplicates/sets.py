"""Sets of images that are the same one again, and which of a set to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.errors import InvalidParameter

# Files that hold every pixel as it was; not those that may (WebP), and not GIF, whose 256 colours are few.
LOSSLESS_FORMATS = {row.name for row in FORMATS.values() if row.can_be_lossless and not row.is_lossy} - {
    "gif"
}
LEAST_LINKED = 0.5
ENOUGH = 20  # images; who is the same as so many of a set did not come into it by chance
_NEVER = -(1 << 40)


def sets_of(pairs: np.ndarray, count: int, *, apart: np.ndarray | None = None) -> list[list[int]]:
    """Put near-duplicates together into sets.

    Pairs join sets in their order, the nearest first. Mere chaining (A is like B, B like C, C like D …) would put
    many different images into one set; so two sets join only when at least half of all pairs between them are
    near-duplicates, or each image of the smaller one is paired on average with 20 of the other (of very many equal
    images not every pair may have been kept). A pair whose sets did not join is left out.

    Args:
        pairs: intp (m, 2), as `Candidates.up_to` gives them.
        count: of images; rows are 0 to count − 1.
        apart: intp (k, 2), pairs of which people said that they are different images: never in one set.

    Returns:
        Rows of each set of at least two, rising; the sets by their first row.

    Raises:
        InvalidParameter: a row outside 0 to count − 1.
    """
    linked = _rows("pairs", pairs, count)
    decided = _rows("apart", apart if apart is not None else (), count)
    links: dict[int, dict[int, int]] = {}
    for first, second in {(min(pair), max(pair)) for pair in linked if pair[0] != pair[1]}:
        _link(links, first, second, 1)
    for first, second in decided:
        if first != second:
            _link(links, first, second, _NEVER)
    root = list(range(count))
    members = {row: [row] for row in links}
    for first, second in linked:
        one, other = root[first], root[second]
        if one == other:
            continue
        sizes = len(members[one]), len(members[other])
        if links[one][other] < min(LEAST_LINKED * sizes[0] * sizes[1], ENOUGH * min(sizes)):
            continue
        into, gone = (one, other) if len(members[one]) >= len(members[other]) else (other, one)
        for row in members[gone]:
            root[row] = into
        members[into] += members.pop(gone)
        for row, weight in links.pop(gone).items():
            del links[row][gone]
            if row != into:
                _link(links, into, row, weight)
    return sorted(sorted(rows) for rows in members.values() if len(rows) > 1)


def _link(links: dict[int, dict[int, int]], first: int, second: int, weight: int) -> None:
    for one, other in ((first, second), (second, first)):
        row = links.setdefault(one, {})
        row[other] = row.get(other, 0) + weight


def _rows(name: str, pairs: np.ndarray | tuple[()], count: int) -> list[tuple[int, int]]:
    given = np.asarray(pairs, np.int64).reshape(-1, 2)
    if given.size and not (given.min() >= 0 and given.max() < count):
        detail = f"{name}: rows must be from 0 to {count - 1}, not {given.min()} to {given.max()}."
        raise InvalidParameter(detail, field=name)
    return [(first, second) for first, second in given.tolist()]


@dataclass(frozen=True)
class DuplicateCandidate:
    """What is known of one image of a set.

    Attributes:
        width, height: in px.
        grade: quality, 0 to 100, higher is better; None where it was not measured.
        has_camera_data: its metadata name a camera or an exposure.
        format: a name of `formats.FORMATS`, such as "jpg"; "" where it is not known.
        byte_size: of the file.
        captured_at: when it was taken, by its metadata; all with a time zone, or none.
    """

    width: int
    height: int
    grade: float | None = None
    has_camera_data: bool = False
    format: str = ""
    byte_size: int = 0
    captured_at: datetime | None = None


@dataclass(frozen=True)
class Suggestion:
    """Place of the suggested original among the facts, and why: short sentences, the weightiest first."""

    index: int
    reasons: tuple[str, ...]


# Points of each fact, at most. An image enlarged to twice its sides (1.5 points ahead) does not beat the one from
# the camera (1.5) with a grade 10 better (0.6); a small copy (1.5 behind) is not saved by a better grade alone, as
# reducing an image sharpens it.
_PIXELS, _GRADE, _CAMERA, _LOSSLESS, _BYTES, _FIRST_TAKEN = 2.0, 1.2, 1.5, 0.6, 0.1, 0.05
_GRADE_SPAN = 20.0  # grades that differ by so much differ fully
_LEAST_GRADE = 3.0  # smaller differences are not worth telling


def suggest_original(facts: Sequence[DuplicateCandidate]) -> Suggestion:
    """Choose the image of a set that is most likely the original.

    Points are given for resolution (2 at the most pixels, in proportion below), quality (1.2; less for each grade
    below the best, none from 20 below), camera data (1.5), a lossless format (0.6), bytes and the earliest time of
    capture (0.1 and 0.05: they only decide between otherwise equal ones). The first of equals wins.

    Raises:
        InvalidParameter: no facts.
    """
    if not facts:
        raise InvalidParameter("facts: a set without images has no original.", field="facts")
    points = [_points(fact, facts) for fact in facts]
    index = max(range(len(facts)), key=lambda place: (round(points[place], 9), -place))
    others = [fact for place, fact in enumerate(facts) if place != index]
    if not others:
        return Suggestion(index, ())
    reasons = tuple(_reasons(facts[index], others))
    return Suggestion(index, reasons or ("same as the others in every comparison; the first one was chosen",))


def _points(fact: DuplicateCandidate, all_facts: Sequence[DuplicateCandidate]) -> float:
    pixels = fact.width * fact.height / max(1, *(other.width * other.height for other in all_facts))
    grades = [other.grade for other in all_facts if other.grade is not None]
    grade = 0.0
    if fact.grade is not None:
        grade = max(0.0, 1 - (max(grades) - fact.grade) / _GRADE_SPAN)
    captured = [other.captured_at for other in all_facts if other.captured_at]
    return (
        _PIXELS * pixels
        + _GRADE * grade
        + _CAMERA * fact.has_camera_data
        + _LOSSLESS * (fact.format in LOSSLESS_FORMATS)
        + _BYTES * fact.byte_size / max(1, *(other.byte_size for other in all_facts))
        + _FIRST_TAKEN * (fact.captured_at is not None and fact.captured_at == min(captured))
    )


def _reasons(best: DuplicateCandidate, others: Sequence[DuplicateCandidate]) -> Iterator[str]:
    """In what the best one of a set beats the others, the weightiest first."""
    next_best = max(others, key=lambda fact: fact.width * fact.height)
    if best.width * best.height > next_best.width * next_best.height:
        yield f"larger: {best.width} × {best.height} against {next_best.width} × {next_best.height}"
    grades = [fact.grade for fact in others if fact.grade is not None]
    if best.grade is not None and grades and best.grade >= max(grades) + _LEAST_GRADE:
        yield f"better quality: {best.grade:.0f} against {max(grades):.0f}"
    if best.has_camera_data and not any(fact.has_camera_data for fact in others):
        yield "has camera data"
    if best.format in LOSSLESS_FORMATS and not any(fact.format in LOSSLESS_FORMATS for fact in others):
        yield f"lossless: {best.format.upper()}"
    most = max(fact.byte_size for fact in others)
    if best.byte_size > most > 0:
        yield "more data: {} against {}".format(*_sizes(best.byte_size, most))
    times = [fact.captured_at for fact in others if fact.captured_at]
    if best.captured_at and times and best.captured_at < min(times):
        yield f"taken first: {best.captured_at:%Y-%m-%d %H:%M}"


def _sizes(*byte_sizes: int) -> list[str]:
    """In MB and kB, or to the byte where that would read the same."""
    shown = [f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB" for size in byte_sizes]
    is_told = min(byte_sizes) >= 1000 and len(set(shown)) == len(shown)
    return shown if is_told else [f"{size:,} bytes" for size in byte_sizes]
