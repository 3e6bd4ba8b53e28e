"""What a run would change in a batch's groups: who moves where, and which new group is an earlier one again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from batches.models import Batch, ClusterRun, Group
from processing.algorithms.clustering.matching import match_groups


@dataclass(frozen=True)
class Place:
    """An image where it is now, and what the run says of it."""

    image_id: UUID
    group_id: UUID | None
    is_fixed: bool
    label: int
    probability: float
    outlier_score: float


@dataclass(frozen=True)
class Move:
    """An image that changes its group; `key` is the item that somebody accepts for it."""

    place: Place
    key: str
    to: int | None


@dataclass
class Proposal:
    """A run beside the batch as it is.

    Attributes:
        places: the batch's images that the run knows.
        groups: the batch's groups by id.
        sizes: images of the batch in each group now, those that the run does not know too.
        carried: the batch's group that a label of the run is.
        moves: what would change; fixed images never do.
        held: images that the run would place elsewhere, and that a person has fixed.
    """

    places: list[Place]
    groups: dict[UUID, Group]
    sizes: Mapping[UUID, int]
    carried: dict[int, UUID]
    moves: list[Move] = field(default_factory=list)
    held: int = 0

    def key_of_group(self, group_id: UUID) -> str:
        """The item that stands for a present group."""
        for label, carried in self.carried.items():
            if carried == group_id:
                return f"r{label}"
        return f"g{self.groups[group_id].label}"


def propose(batch: Batch, run: ClusterRun) -> Proposal:
    """Compare a completed run with the batch's present groups.

    An image goes to the group of its label; one that the run calls noise goes to no group. An incremental run only puts
    images that are in no group into one.
    """
    members = list(batch.batch_images.order_by("position", "id").values_list("image_id", "group_id"))
    fixed = set(batch.batch_images.fixed().values_list("image_id", flat=True))
    run_groups = {
        image_id: (label, probability, score)
        for image_id, label, probability, score in run.assignments.values_list(
            "image_id", "label", "probability", "outlier_score"
        )
    }
    places = [
        Place(image_id, group_id, image_id in fixed, *run_groups[image_id])
        for image_id, group_id in members
        if image_id in run_groups
    ]
    groups = {group.pk: group for group in Group.objects.filter(batch=batch)}
    sizes = Counter(group_id for _, group_id in members if group_id is not None)
    is_incremental = run.mode == ClusterRun.Mode.INCREMENTAL
    if is_incremental:  # it knows by id which groups it found
        found = {row["label"]: UUID(row["group"]) for row in run.groups if row.get("group")}
        carried = {label: group_id for label, group_id in found.items() if group_id in groups}
    else:
        carried = _matched(places)
    proposal = Proposal(places, groups, sizes, carried)
    (_joins if is_incremental else _moves)(proposal, run)
    return proposal


def _matched(places: list[Place]) -> dict[int, UUID]:
    """Names follow the overlap; fixed images, too, show which group is which."""
    present = list(dict.fromkeys(place.group_id for place in places if place.group_id is not None))
    number = {group_id: index for index, group_id in enumerate(sorted(present))}
    old = [-1 if place.group_id is None else number[place.group_id] for place in places]
    new = [place.label for place in places]
    matching = match_groups(np.array(old, np.intp), np.array(new, np.intp))
    by_number = {index: group_id for group_id, index in number.items()}
    return {label: by_number[index] for label, index in matching.carried.items()}


def _joins(proposal: Proposal, run: ClusterRun) -> None:
    new = {row["label"] for row in run.groups if row.get("is_new")}
    for place in proposal.places:
        if place.is_fixed or place.group_id is not None or place.label < 0:
            continue
        if place.label in proposal.carried or place.label in new:
            proposal.moves.append(Move(place, f"r{place.label}", place.label))


def _moves(proposal: Proposal, _run: ClusterRun) -> None:
    keys = {group_id: proposal.key_of_group(group_id) for group_id in proposal.groups}
    for place in proposal.places:
        target = proposal.carried.get(place.label) if place.label >= 0 else None
        stays = target == place.group_id and not (place.label >= 0 and target is None)
        if stays:
            continue
        if place.is_fixed:
            proposal.held += 1
        elif place.label >= 0:
            proposal.moves.append(Move(place, f"r{place.label}", place.label))
        elif place.group_id is not None:
            proposal.moves.append(Move(place, keys[place.group_id], None))
