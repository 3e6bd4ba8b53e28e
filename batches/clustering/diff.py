"""A run beside its batch's present groups, as people read it: what is kept, changed, new and dissolved."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from api.core.errors import ApiError, ErrorCode
from batches import phrases
from batches.clustering.proposal import Move, Proposal, propose
from batches.models import Batch, ClusterRun

SAMPLES = 8
Mode = ClusterRun.Mode


@dataclass(frozen=True)
class DiffItem:
    """What a run would do to one group; somebody accepts it or not.

    Attributes:
        key: "r3" for label 3 of the run, "g7" for the batch's group 7, which nothing of the run carries on.
        kind: kept (nothing changes), changed, new or dissolved.
        title: what people read: the name that the group has, or would get.
        group_label: of the batch's group; None for a new one.
        run_label: None for a dissolved one.
        keeps, gains, loses: images that stay in it, come into it and leave it, if everything is accepted.
        sources: from where the gains come; of a dissolved group, where its images go. (title, images), most first.
        images: some of those that it is about: what comes, else what is in it; of a dissolved one what leaves.
    """

    key: str
    kind: str
    title: str
    group_label: str | None
    run_label: int | None
    keeps: int
    gains: int
    loses: int
    sources: list[tuple[str, int]]
    images: list[UUID]

    @property
    def shade(self) -> str:
        return {"new": "ok", "dissolved": "failed"}.get(self.kind, "running")

    @property
    def moves(self) -> str:
        if self.kind == "dissolved":
            return phrases.dissolved(loses=self.loses, sources=self.sources)
        return phrases.moves(keeps=self.keeps, gains=self.gains, loses=self.loses, sources=self.sources)


@dataclass(frozen=True)
class Diff:
    """A run beside the batch's present groups.

    Attributes:
        run: its number.
        items: those with changes first, the larger changes first.
        kept, changed, new, dissolved: numbers of groups.
        moved, joined, left: images that go from group to group, from none into one, from one into none.
        held: images that the run would place elsewhere and that stay, since a person fixed them.
        version: of the batch that was compared.
    """

    run: int
    items: list[DiffItem]
    kept: int
    changed: int
    new: int
    dissolved: int
    moved: int
    joined: int
    left: int
    held: int
    version: int


def plan(batch: Batch, run: ClusterRun) -> Diff:
    """What activating a run would change.

    Raises:
        ApiError: 404 for a run of another batch, 409 for one that is not completed or only tried parameters.
    """
    check(batch, run)
    proposal = propose(batch, run)
    items = items_of(proposal, run)
    kinds = Counter(item.kind for item in items)
    ways = Counter((move.place.group_id is not None, move.to is not None) for move in proposal.moves)
    return Diff(
        run.number,
        items,
        kinds["kept"],
        kinds["changed"],
        kinds["new"],
        kinds["dissolved"],
        moved=ways[True, True],
        joined=ways[False, True],
        left=ways[True, False],
        held=proposal.held,
        version=batch.version,
    )


def check(batch: Batch, run: ClusterRun) -> None:
    if run.batch_id != batch.pk:
        raise ApiError(ErrorCode.NOT_FOUND, f"Run {run.number} belongs to another batch.")
    if run.status != ClusterRun.Status.COMPLETED:
        detail = f"Run {run.number} is {run.status}. Only completed runs have groups."
        raise ApiError(ErrorCode.CONFLICT, detail)
    if run.mode == Mode.SWEEP:
        detail = f"Run {run.number} only tried parameters. Start an analysis with the parameters you choose."
        raise ApiError(ErrorCode.CONFLICT, detail)


def items_of(proposal: Proposal, run: ClusterRun) -> list[DiffItem]:
    gains: dict[str, list[Move]] = {}
    loses: dict[UUID, list[Move]] = {}
    for move in proposal.moves:
        if move.to is not None:
            gains.setdefault(move.key, []).append(move)
        if move.place.group_id is not None:
            loses.setdefault(move.place.group_id, []).append(move)
    inside: dict[UUID, list[UUID]] = {}
    for place in proposal.places:
        if place.group_id is not None:
            inside.setdefault(place.group_id, []).append(place.image_id)
    titles = {row["label"]: f"New group {row['label'] + 1}" for row in run.groups}
    titles |= {
        label: proposal.groups[group_id].title
        for label, group_id in proposal.carried.items()
        if label in titles
    }
    items = [
        _of_label(proposal, row["label"], gains, loses, titles, inside)
        for row in run.groups
        if row["label"] in proposal.carried or f"r{row['label']}" in gains
    ]
    carried = set(proposal.carried.values())
    items += [
        _dissolved(proposal, group_id, moves, titles)
        for group_id, moves in loses.items()
        if group_id not in carried
    ]
    return sorted(items, key=lambda item: (-(item.gains + item.loses), item.key))


def _of_label(
    proposal: Proposal,
    label: int,
    gains: dict[str, list[Move]],
    loses: dict[UUID, list[Move]],
    titles: dict[int, str],
    inside: dict[UUID, list[UUID]],
) -> DiffItem:
    coming = gains.get(f"r{label}", [])
    group_id = proposal.carried.get(label)
    group = proposal.groups[group_id] if group_id else None
    leaving = loses.get(group_id, []) if group_id else []
    kind = "new" if group is None else "changed" if coming or leaving else "kept"
    before = [move.place.group_id for move in coming]
    sources = Counter("no group" if key is None else proposal.groups[key].title for key in before)
    return DiffItem(
        key=f"r{label}",
        kind=kind,
        title=titles[label],
        group_label=group.label if group else None,
        run_label=label,
        keeps=proposal.sizes.get(group_id, 0) - len(leaving) if group_id else 0,
        gains=len(coming),
        loses=len(leaving),
        sources=sources.most_common(),
        images=([move.place.image_id for move in coming] + (inside.get(group_id, []) if group_id else []))[
            :SAMPLES
        ],
    )


def _dissolved(proposal: Proposal, group_id: UUID, leaving: list[Move], titles: dict[int, str]) -> DiffItem:
    group = proposal.groups[group_id]
    going = Counter("no group" if move.to is None else titles[move.to] for move in leaving)
    return DiffItem(
        key=f"g{group.label}",
        kind="dissolved",
        title=group.title,
        group_label=group.label,
        run_label=None,
        keeps=proposal.sizes[group_id] - len(leaving),
        gains=0,
        loses=len(leaving),
        sources=going.most_common(),
        images=[move.place.image_id for move in leaving][:SAMPLES],
    )
