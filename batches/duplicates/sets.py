"""The near-duplicates of a batch as sets, each with the picture to keep, and what people decide about them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.core.cache import cache

from api.core.errors import invalid_field
from batches import phrases
from batches.duplicates import pairs as near_pairs
from batches.duplicates.pairs import CACHED_S, Pairs
from batches.duplicates.resolve import Preview, preview, resolve
from batches.models import Batch, BatchImage
from images.models import Image
from processing.algorithms.codecs.thumbnails import hamming
from processing.algorithms.duplicates.sets import DuplicateCandidate, sets_of, suggest_original

__all__ = [
    "NearImage",
    "NearSet",
    "Preview",
    "all_decisions",
    "counts",
    "is_cut",
    "of_image",
    "preview",
    "resolve",
    "sets",
]
DEFAULT_THRESHOLD = 0.5
THRESHOLDS = tuple(step / 20 for step in range(21))
CAMERA_FIELDS = ("camera", "exposure_time_s", "f_number", "iso")
KEPT = ("the one that was kept",)


@dataclass(frozen=True)
class NearImage:
    """An image of a set.

    Attributes:
        bits: in which its hash differs from that of the suggested original, 0 to 64.
        distance: cosine distance of its vector to that of the original; None where none was compared.
    """

    image_id: UUID
    name: str
    width: int
    height: int
    byte_size: int
    format: str
    quality_grade: float | None
    has_camera_data: bool
    captured_at: datetime | None
    decision: str
    bits: int | None
    distance: float | None
    is_original: bool

    @property
    def is_rejected(self) -> bool:
        return self.decision == BatchImage.Decision.REJECTED

    @property
    def note(self) -> str:
        """How far it is from the original, and whether it was rejected."""
        far = "" if self.is_original else phrases.difference(self.bits, self.distance)
        return " · ".join(filter(None, [far, "rejected" if self.is_rejected else ""]))


@dataclass(frozen=True)
class NearSet:
    """Pictures that are the same one again.

    Attributes:
        key: the same as long as the same images are in it.
        images: the suggested original first, then the nearest.
        original: the image to keep; reasons: why.
        pairs: (image, image, differing bits, cosine distance or None), the nearest first.
        is_decided: people said of all of them that they are the same picture.
    """

    key: str
    images: Sequence[NearImage]
    original: UUID
    reasons: Sequence[str]
    pairs: Sequence[tuple[UUID, UUID, int, float | None]]
    is_decided: bool


def sets(batch: Batch, threshold: float = DEFAULT_THRESHOLD) -> list[NearSet]:
    """The sets of near-duplicates at a threshold, those without a decision first.

    Two pictures that people said to be different are in no set together; those said to be the same are at every
    threshold.

    Raises:
        ApiError: 400 for a threshold outside 0 (strict) to 1 (loose).
    """
    pairs = near_pairs.pairs_of(batch)
    rows = _rows_of_sets(pairs, _check_threshold(threshold))
    facts = _facts(batch, [pairs.keys[row] for set_rows in rows for row in set_rows])
    rows = [there for set_rows in rows if len(there := [r for r in set_rows if pairs.keys[r] in facts]) > 1]
    links = pairs.links()
    inside = _pairs_inside(pairs, rows, threshold)
    near_sets = [_near_set(pairs, facts, links, *known) for known in zip(rows, inside, strict=True)]
    return sorted(near_sets, key=lambda near: near.is_decided)


def of_image(batch: Batch, image_id: UUID, threshold: float = DEFAULT_THRESHOLD) -> NearSet | None:
    """The set that an image is in at a threshold; None where it is in none."""
    pairs = near_pairs.pairs_of(batch)
    if image_id not in pairs.keys:
        return None
    row = pairs.keys.index(image_id)
    rows = next((rows for rows in _rows_of_sets(pairs, _check_threshold(threshold)) if row in rows), [])
    facts = _facts(batch, [pairs.keys[row] for row in rows])
    rows = [row for row in rows if pairs.keys[row] in facts]
    if len(rows) < 2 or image_id not in facts:
        return None
    return _near_set(pairs, facts, pairs.links(), rows, _pairs_inside(pairs, [rows], threshold)[0])


def all_decisions(batch: Batch, threshold: float = DEFAULT_THRESHOLD) -> list[dict[str, Any]]:
    """For `resolve`: keep the suggested original of every set that has no decision."""
    return [
        {"keep": near.original, "others": [i.image_id for i in near.images if i.image_id != near.original]}
        for near in sets(batch, threshold)
        if not near.is_decided
    ]


def counts(batch: Batch) -> list[tuple[float, int, int]]:
    """For a slider: threshold, sets without a decision, images in them."""
    pairs = near_pairs.pairs_of(batch)
    key = f"near-counts:{pairs.state}"
    kept: list[tuple[float, int, int]] | None = cache.get(key)
    if kept is not None:
        return kept
    links = pairs.links()
    steps: list[tuple[float, int, int]] = []
    counted = -1
    for threshold in THRESHOLDS:
        if pairs.candidates.count(threshold) == counted:
            steps.append((threshold, *steps[-1][1:]))
            continue
        counted = pairs.candidates.count(threshold)
        open_sets = [rows for rows in _rows_of_sets(pairs, threshold) if not _is_decided(rows, links)]
        steps.append((threshold, len(open_sets), sum(len(rows) for rows in open_sets)))
    cache.set(key, steps, CACHED_S)
    return steps


def is_cut(batch: Batch) -> bool:
    """Whether there are more pairs than are compared: some of the loosest ones are missing then."""
    return near_pairs.pairs_of(batch).candidates.is_cut


def _check_threshold(threshold: float) -> float:
    if not 0 <= threshold <= 1:
        raise invalid_field("threshold", f"Enter a number from 0 (strict) to 1 (loose), not {threshold}.")
    return threshold


def _rows_of_sets(pairs: Pairs, threshold: float) -> list[list[int]]:
    near_pairs = np.concatenate([pairs.duplicates, pairs.candidates.up_to(threshold)])
    return sets_of(near_pairs, len(pairs.keys), apart=pairs.apart)


def _is_decided(rows: Sequence[int], links: Sequence[int]) -> bool:
    return len({links[row] for row in rows}) == 1


@dataclass(frozen=True)
class _Member:
    image: Mapping[str, Any]
    decision: str


def _facts(batch: Batch, keys: Sequence[UUID]) -> dict[UUID, _Member]:
    cells = ("pk", "original_filename", "width", "height", "byte_size", "format", "quality_grade")
    rows = Image.objects.filter(pk__in=keys).values(*cells, "captured_at", "exif")
    decisions = dict(
        BatchImage.objects.filter(batch=batch, image__in=keys).values_list("image_id", "decision")
    )
    return {row["pk"]: _Member(row, decisions[row["pk"]]) for row in rows if row["pk"] in decisions}


def _pairs_inside(
    pairs: Pairs, rows: Sequence[Sequence[int]], threshold: float
) -> list[list[tuple[int, int, int, float | None]]]:
    """For each set the candidates among its images, at the threshold."""
    place = {row: number for number, set_rows in enumerate(rows) for row in set_rows}
    inside: list[list[tuple[int, int, int, float | None]]] = [[] for _ in rows]
    candidates = pairs.candidates
    count = candidates.count(threshold)
    columns = (
        candidates.pairs[:count].tolist(),
        candidates.bits[:count].tolist(),
        candidates.distances[:count].tolist(),
    )
    for (one, other), bits, distance in zip(*columns, strict=True):
        if one in place and place[one] == place.get(other):
            inside[place[one]].append((one, other, bits, None if distance != distance else distance))
    return inside


def _near_set(
    pairs: Pairs,
    facts: Mapping[UUID, _Member],
    links: Sequence[int],
    rows: Sequence[int],
    inside: Sequence[tuple[int, int, int, float | None]],
) -> NearSet:
    keys = [pairs.keys[row] for row in rows]
    # The original is chosen among those that nobody has rejected, if there are any.
    open_keys = [key for key in keys if facts[key].decision != BatchImage.Decision.REJECTED] or list(keys)
    suggestion = suggest_original([_compared(facts[key].image) for key in open_keys])
    original = open_keys[suggestion.index]
    is_decided = _is_decided(rows, links)
    first = rows[keys.index(original)]
    distances = {one + other - first: distance for one, other, _, distance in inside if first in (one, other)}
    members = [_image(pairs, facts, row, first, distances.get(row)) for row in rows]
    members.sort(key=lambda m: (m.image_id != original, m.distance is None, m.distance or 0.0, m.bits or 0))
    return NearSet(
        key=hashlib.sha256(",".join(sorted(map(str, keys))).encode()).hexdigest()[:16],
        images=members,
        original=original,
        reasons=KEPT if is_decided else suggestion.reasons or ("the only one not rejected",),
        pairs=[(pairs.keys[one], pairs.keys[other], bits, distance) for one, other, bits, distance in inside],
        is_decided=is_decided,
    )


def _compared(image: Mapping[str, Any]) -> DuplicateCandidate:
    return DuplicateCandidate(
        width=image["width"],
        height=image["height"],
        grade=image["quality_grade"],
        has_camera_data=_has_camera_data(image),
        format=image["format"],
        byte_size=image["byte_size"],
        captured_at=image["captured_at"],
    )


def _has_camera_data(image: Mapping[str, Any]) -> bool:
    return any(image["exif"].get(field) for field in CAMERA_FIELDS)


def _image(
    pairs: Pairs, facts: Mapping[UUID, _Member], row: int, original: int, distance: float | None
) -> NearImage:
    member, image = facts[pairs.keys[row]], facts[pairs.keys[row]].image
    mine, theirs = pairs.hashes[row], pairs.hashes[original]
    return NearImage(
        image_id=image["pk"],
        name=image["original_filename"],
        width=image["width"],
        height=image["height"],
        byte_size=image["byte_size"],
        format=image["format"],
        quality_grade=image["quality_grade"],
        has_camera_data=_has_camera_data(image),
        captured_at=image["captured_at"],
        decision=member.decision,
        bits=None if mine is None or theirs is None else hamming(mine, theirs),
        distance=0.0 if row == original else distance,
        is_original=row == original,
    )
