"""Sentences about batches, for people."""

from collections.abc import Sequence


def difference(bits: int | None, distance: float | None) -> str:
    """How far two images are apart: 'distance 0.042 · 3 of 64 bits differ'; empty where nothing was compared."""
    known = []
    if distance is not None:
        known.append(f"distance {distance:.3f}")
    if bits is not None:
        known.append(f"{bits} of 64 bits differ")
    return " · ".join(known)


def moves(*, keeps: int, gains: int, loses: int, sources: Sequence[tuple[str, int]]) -> str:
    """What a run would do to a group: '12 stay, 3 come (2 from Shoes, 1 from Bags), 4 leave'."""
    parts = []
    if keeps:
        parts.append(f"{keeps:,} stay")
    if gains:
        origins = ", ".join(f"{count:,} from {title}" for title, count in sources)
        parts.append(f"{gains:,} come" + (f" ({origins})" if origins else ""))
    if loses:
        parts.append(f"{loses:,} leave")
    return ", ".join(parts)


def dissolved(*, loses: int, sources: Sequence[tuple[str, int]]) -> str:
    """Where the images of a group go that a run dissolves: '3 images leave: 2 to Shoes, 1 to Bags'."""
    leave = "1 image leaves" if loses == 1 else f"{loses:,} images leave"
    places = ", ".join(f"{count:,} to {title}" for title, count in sources)
    return f"{leave}: {places}" if places else leave
