"""What a result keeps of its source: an operation changes nothing that it was not asked to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from processing.algorithms.codecs.encoding import CAREFUL_QUALITY
from processing.algorithms.codecs.origin import Origin
from processing.algorithms.operations.planning import Step, Storage
from processing.algorithms.operations.spec import Moves, Resolution


@dataclass(frozen=True)
class Course:
    """What a chain of operations does to an image.

    Attributes:
        moves: the exact moves of which the whole chain consists, or None where it changes any value.
        size: (width, height) of the result in px.
        dpi: the resolution of the result, or None.
    """

    moves: Moves | None
    size: tuple[int, int]
    dpi: Resolution


@dataclass(frozen=True)
class Encoding:
    """The arguments of `codecs.encode`."""

    format: str
    quality: int | None = None
    lossless: bool = False
    progressive: bool = False
    has_full_colour: bool = False
    quantization: Mapping[int, Sequence[int]] | None = None
    is_indexed: bool = False
    dpi: Resolution = None
    profile: bytes | None = None

    def as_arguments(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def follow(steps: Sequence[Step], *, size: tuple[int, int], dpi: Resolution) -> Course:
    """Follow size, resolution and exact moves through a chain of operations."""
    moves: Moves | None = ()
    width, height = size
    for spec, parameters in steps:
        its_moves = spec.exact_moves(width, height, parameters)
        moves = None if moves is None or its_moves is None else moves + its_moves
        dpi = spec.resolution_after(dpi, width, height, parameters)
        width, height = spec.size_after(width, height, parameters)
    return Course(moves, (width, height), dpi and (round(dpi[0], 2), round(dpi[1], 2)))


def encoding_for(storage: Storage, origin: Origin, course: Course) -> Encoding:
    """How to store a result: as asked for, and where nothing was asked for as the source was stored.

    Args:
        storage: what the steps name.
        origin: how the source is stored.
        course: what the steps do.
    """
    is_kept = not storage.is_named and storage.quality is None
    quality, quantization = storage.quality, None
    lossless = storage.lossless
    if is_kept and origin.is_lossless:
        lossless = storage.format == "webp"
        quality = 100 if storage.format == "avif" else None
    elif is_kept and course.moves is not None:
        quality = CAREFUL_QUALITY.get(storage.format)
        quantization = _turned(origin.quantization, course.moves) if storage.format == "jpg" else None
    return Encoding(
        storage.format,
        quality,
        lossless,
        storage.progressive,
        has_full_colour=origin.has_full_colour,
        quantization=quantization,
        is_indexed=origin.is_indexed,
        dpi=course.dpi,
        profile=origin.profile,
    )


def _turned(
    tables: Mapping[int, tuple[int, ...]] | None, moves: Moves
) -> Mapping[int, tuple[int, ...]] | None:
    """The tables for an image that was turned: what was across is down."""
    if not tables or sum(move.kind == "transpose" for move in moves) % 2 == 0:
        return tables
    return {
        number: tuple(table[8 * (place % 8) + place // 8] for place in range(64))
        for number, table in tables.items()
    }
