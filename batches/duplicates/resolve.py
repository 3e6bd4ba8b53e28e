"""Deciding sets of near-duplicates: which picture of each is kept, or that they are different ones."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from api.core.errors import ApiError, ErrorCode, invalid_choice, invalid_field
from batches.clustering import vectors
from batches.duplicates import pairs as near_pairs
from batches.history import changes
from batches.history.changes import ExpectedVersion, Kind
from batches.history.edit import Edit
from batches.models import Batch, BatchImage, GroupingChange
from batches.phrases import images
from images.models import DuplicatePair, Image
from processing.algorithms.codecs.thumbnails import hamming

Verdict = DuplicatePair.Verdict
VERDICTS = (Verdict.DUPLICATE, Verdict.NOT_DUPLICATE)
MAX_PAIRS = 20_000  # that one step decides: of 200 pictures that are all different there are so many
Two = tuple[UUID, UUID]  # the lower one first


@dataclass(frozen=True)
class Preview:
    """What `resolve` would do: sets, images that are rejected, pairs that get a verdict."""

    sets: int
    rejected: int
    pairs: int


@dataclass(frozen=True)
class _Decision:
    keep: UUID
    others: tuple[UUID, ...]

    @property
    def all(self) -> tuple[UUID, ...]:
        return (self.keep, *self.others)


def resolve(
    batch: Batch,
    *,
    decisions: Sequence[Mapping[str, Any]],
    verdict: str,
    actor: Any,
    expected_version: ExpectedVersion | None = None,
) -> GroupingChange | None:
    """Decide sets as one step: `duplicate` rejects the others, `not_duplicate` says that all are different pictures.

    The verdict holds for the pairs in every batch until it is undone. What was rejected before keeps its reason.

    Args:
        decisions: of each set {"keep": image, "others": [images]}.

    Raises:
        ApiError: 400 for images that are not in the batch, are named twice, or kept and not kept, and for more than
            20 000 pairs; 409 where a pair was decided otherwise before, or where nothing of a set would remain.
    """
    with changes.edit(
        batch, actor=actor, kind=Kind.RESOLVE_DUPLICATES, expected_version=expected_version
    ) as edit:
        resolved, to_reject = _checked(edit, decisions, verdict)
        to_decide = _plan(batch, resolved, verdict)
        now = timezone.now()
        for pair in _pairs(to_decide, is_written=True):
            edit.set_pair(pair, verdict=str(verdict), decided_by=getattr(actor, "pk", None), decided_at=now)
        names = _names(to_reject.values())
        for key, kept in to_reject.items():
            reason = f"near-duplicate of {names[kept]}"
            edit.set_image(key, decision=BatchImage.Decision.REJECTED, reject_reason=reason)
        if verdict == Verdict.NOT_DUPLICATE:
            count = sum(len(decision.all) for decision in resolved)
            edit.summary = f"marked {images(count)} as different"
        else:
            first = resolved[0].keep
            is_one = len(resolved) == 1
            kept_ones = _names([first])[first] if is_one else f"one image from each of {len(resolved)} sets"
            edit.summary = f"kept {kept_ones}, rejected {images(len(to_reject))} as near-duplicates"
    return edit.change


def preview(batch: Batch, *, decisions: Sequence[Mapping[str, Any]], verdict: str) -> Preview:
    """What `resolve` would do, with the same refusals; nothing is changed."""
    changes.check_open(batch)
    resolved, to_reject = _checked(Edit(batch), decisions, verdict)
    return Preview(
        len(resolved), len(to_reject), len(_pairs(_plan(batch, resolved, verdict), is_written=False))
    )


def _checked(
    edit: Edit, decisions: Sequence[Mapping[str, Any]], verdict: str
) -> tuple[list[_Decision], dict[UUID, UUID]]:
    """The decisions, and each image that they reject with the one that is kept for it."""
    if verdict not in VERDICTS:
        raise invalid_choice("verdict", verdict, VERDICTS)
    if not decisions:
        raise invalid_field("decisions", "Select at least one set.", code=ErrorCode.REQUIRED)
    resolved = [_decision(number, given) for number, given in enumerate(decisions)]
    named: dict[UUID, int] = {}
    for number, decision in enumerate(resolved):
        for key in decision.all:
            if named.setdefault(key, number) != number:
                raise invalid_field(f"decisions[{number}]", f"Image {key} is also in another set.")
    members = edit.members(named, field="decisions")
    if verdict == Verdict.NOT_DUPLICATE:
        return resolved, {}
    to_reject: dict[UUID, UUID] = {}
    for decision in resolved:
        open_keys = [key for key in decision.all if members[key].decision != BatchImage.Decision.REJECTED]
        if open_keys and decision.keep not in open_keys:
            detail = f"Image {decision.keep} is rejected. Accept it before you keep it, or keep another one."
            raise ApiError(ErrorCode.CONFLICT, detail)
        to_reject |= {key: decision.keep for key in open_keys if key != decision.keep}
    return resolved, to_reject


def _decision(number: int, given: Mapping[str, Any]) -> _Decision:
    decision = _Decision(given["keep"], tuple(dict.fromkeys(given["others"])))
    if not decision.others:
        detail = "Select at least one other image."
        raise invalid_field(f"decisions[{number}].others", detail, code=ErrorCode.REQUIRED)
    if decision.keep in decision.others:
        detail = f"Image {decision.keep} is the one to keep."
        raise invalid_field(f"decisions[{number}].others", detail)
    return decision


@dataclass(frozen=True)
class _Plan:
    """Pairs that get a verdict: those that are `needed`, and those inside one decision that have a row.

    Attributes:
        needed: with differing bits, and cosine distance where vectors were compared.
        of_kept: those of an image that is kept.
        place: number of the decision that an image is named in.
        model: whose vectors were compared.
    """

    verdict: str
    needed: Mapping[Two, tuple[int | None, float | None]]
    of_kept: Set[Two]
    place: Mapping[UUID, int]
    model: str


def _plan(batch: Batch, resolved: Sequence[_Decision], verdict: str) -> _Plan:
    pairs = near_pairs.pairs_of(batch)
    place = {key: number for number, decision in enumerate(resolved) for key in decision.all}
    near = _near(pairs, place)
    of_kept = {_two(decision.keep, other) for decision in resolved for other in decision.others}
    # Different images must not come together again without the kept one.
    decided = of_kept | set(near) if verdict == Verdict.NOT_DUPLICATE else of_kept
    hashes = dict(zip(pairs.keys, pairs.hashes, strict=True))
    needed: dict[Two, tuple[int | None, float | None]] = {}
    for two in decided:
        one, other = hashes.get(two[0]), hashes.get(two[1])
        bits = None if one is None or other is None else hamming(one, other)
        needed[two] = near.get(two) or (bits, None)
    if len(needed) > MAX_PAIRS:
        detail = f"This would decide {len(needed)} pairs. The limit is {MAX_PAIRS}. Select fewer images."
        raise invalid_field("decisions", detail, code=ErrorCode.TOO_LONG)
    source = vectors.source_of(batch)
    return _Plan(verdict, needed, of_kept, place, source.model if source else "")


def _two(one: UUID, other: UUID) -> Two:
    return (one, other) if one < other else (other, one)


def _near(pairs: near_pairs.Pairs, place: Mapping[UUID, int]) -> dict[Two, tuple[int | None, float | None]]:
    """What was measured of the pairs inside one decision."""
    candidates = pairs.candidates
    rows = zip(
        candidates.pairs.tolist(), candidates.bits.tolist(), candidates.distances.tolist(), strict=True
    )
    named = ((pairs.keys[one], pairs.keys[other], bits, distance) for (one, other), bits, distance in rows)
    return {
        _two(one, other): (bits, None if distance != distance else distance)
        for one, other, bits, distance in named
        if one in place and place[one] == place.get(other)
    }


def _pairs(plan: _Plan, *, is_written: bool) -> list[DuplicatePair]:
    """The rows that get the verdict; those that are missing are made, and written where `is_written`."""
    rows = _rows(plan, is_locked=is_written)
    missing = set(plan.needed) - {(row.a_id, row.b_id) for row in rows}
    new = [_new_pair(two, *plan.needed[two], model=plan.model) for two in sorted(missing)]
    if is_written and new:
        DuplicatePair.objects.bulk_create(
            new, ignore_conflicts=True
        )  # an upload may record the same ones now
        rows, new = _rows(plan, is_locked=True), []
    return [row for row in [*rows, *new] if row.verdict == Verdict.PENDING]


def _rows(plan: _Plan, *, is_locked: bool) -> list[DuplicatePair]:
    """Locked, so that a verdict which somebody gives elsewhere at the same moment waits, or is seen here."""
    existing = DuplicatePair.objects.filter(a__in=plan.place, b__in=plan.place).order_by("pk")
    if is_locked:
        existing = existing.select_for_update(no_key=True)
    rows = [row for row in existing if plan.place[row.a_id] == plan.place[row.b_id]]
    for row in rows:
        is_other = row.verdict not in (Verdict.PENDING, plan.verdict)
        if is_other and (row.a_id, row.b_id) in plan.of_kept:
            verdict = "duplicates" if row.verdict == Verdict.DUPLICATE else "different images"
            detail = f"Images {row.a_id} and {row.b_id} are already marked as {verdict}. Undo that first."
            raise ApiError(ErrorCode.CONFLICT, detail)
    return rows


def _new_pair(two: Two, bits: int | None, distance: float | None, *, model: str) -> DuplicatePair:
    """As `images.duplicates` records them: without a distance of vectors, the share of bits that differ."""
    share = 1.0 if bits is None else bits / 64
    return DuplicatePair(
        a_id=two[0],
        b_id=two[1],
        kind=DuplicatePair.Kind.NEAR,
        distance=min(1.0, max(0.0, share if distance is None else distance)),
        hash_distance=bits,
        model="" if distance is None else model,
    )


def _names(keys: Iterable[UUID]) -> dict[UUID, str]:
    rows = Image.objects.filter(pk__in=set(keys)).values_list("pk", "original_filename")
    return dict(rows)
