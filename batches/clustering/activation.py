"""Make a run's groups those of its batch: as a whole, or group by group after a look at what would change."""

from collections import Counter
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from batches.clustering.diff import Diff, DiffItem, check, items_of, plan
from batches.clustering.proposal import Place, Proposal, propose
from batches.history import changes
from batches.history.changes import ExpectedVersion, Kind
from batches.history.edit import Edit
from batches.models import Batch, BatchImage, ClusterRun, Group, GroupingChange
from batches.phrases import groups as group_count
from batches.phrases import images

__all__ = ["Diff", "DiffItem", "activate", "plan", "touched_by_people"]

AssignedBy, Mode = BatchImage.AssignedBy, ClusterRun.Mode


def activate(
    batch: Batch,
    run: ClusterRun,
    *,
    actor: Any,
    items: Collection[str] | None = None,
    expected_version: ExpectedVersion | None = None,
) -> GroupingChange | None:
    """Make a run's groups those of the batch, as one step of the history.

    An image goes into the group of its label when that group's item is accepted; one that the run leaves out goes to no
    group when the item of its present group is. What a person fixed stays. Groups that are emptied go, unless they are
    confirmed or named.

    Args:
        items: keys of `plan` that are accepted; None for all.

    Raises:
        ApiError: as `plan`; 400 for keys that the run does not have; 409 where the run is active and nothing of it is
            left to apply; as `changes.edit`.
    """
    check(batch, run)
    with transaction.atomic():
        with changes.edit(batch, actor=actor, kind=Kind.APPLY_RUN, expected_version=expected_version) as edit:
            proposal = propose(edit.batch, run)
            accepted = _accepted(proposal, run, items)
            if edit.batch.active_run_id == run.pk and not any(m.key in accepted for m in proposal.moves):
                detail = f"Run {run.number} is already active and has nothing left to apply."
                raise ApiError(ErrorCode.CONFLICT, detail)
            made = _Writing(edit, proposal, run, accepted).write()
            edit.set_batch(active_run=run.pk)
        batch.active_run_id = run.pk
        for row in run.groups:
            row["group"] = made.get(row["label"], row.get("group"))
        run.activated_at = timezone.now()
        run.save(update_fields=["groups", "activated_at"])
    return edit.change


def _accepted(proposal: Proposal, run: ClusterRun, items: Collection[str] | None) -> set[str]:
    there = {item.key for item in items_of(proposal, run)}
    if items is None:
        return there
    if not items:
        raise invalid_field("items", "Accept at least one item.", code=ErrorCode.REQUIRED)
    if strange := sorted(set(items) - there):
        errors = [
            FieldError(
                "items", ErrorCode.DOES_NOT_EXIST, f"Run {run.number} no longer has an item {key[:20]!r}."
            )
            for key in strange[:100]
        ]
        raise ApiError(ErrorCode.DOES_NOT_EXIST, f"items: {errors[0].detail}", errors=errors)
    return set(items)


class _Writing:
    """The accepted part of a proposal, written into an edit."""

    def __init__(self, edit: Edit, proposal: Proposal, run: ClusterRun, accepted: set[str]) -> None:
        self._edit, self._proposal, self._run, self._accepted = edit, proposal, run, accepted
        self._moves = [move for move in proposal.moves if move.key in accepted]
        self._is_incremental = run.mode == Mode.INCREMENTAL
        self._medoids = {row["label"]: UUID(row["medoid"]) for row in run.groups if row.get("medoid")}

    def write(self) -> dict[int, str]:
        """Answers the id of the batch's group for each label that was applied."""
        self._edit.all_members()
        targets = self._targets()
        by = AssignedBy.PROPAGATED if self._is_incremental else AssignedBy.AUTO
        for move in self._moves:
            self._edit.set_image(
                move.place.image_id,
                group=None if move.to is None else targets[move.to],
                assigned_by=AssignedBy.NOBODY if move.to is None else by,
                probability=None if move.to is None else move.place.probability,
                outlier_score=move.place.outlier_score,
            )
        if not self._is_incremental:
            self._measure_the_staying()
        self._set_covers(targets)
        dropped = self._drop_empty()
        self._edit.summary = self._summary(targets)
        return {label: str(group.pk) for label, group in targets.items() if group.pk not in dropped}

    def _targets(self) -> dict[int, Group]:
        """The batch's group of each accepted label; new ones are made by size, so that labels follow from the run."""
        labels = {int(key[1:]) for key in self._accepted if key.startswith("r")}
        groups = self._edit.groups
        targets = {
            label: groups[group_id] for label, group_id in self._proposal.carried.items() if label in labels
        }
        coming = Counter(move.to for move in self._moves if move.to is not None)
        for label in sorted(labels - set(targets), key=lambda label: (-coming[label], label)):
            targets[label] = self._edit.new_group()
        return targets

    def _measure_the_staying(self) -> None:
        """What the run says of images that stay where they are and that it may move."""
        moving = {move.place.image_id for move in self._proposal.moves}
        for place in self._proposal.places:
            if place.is_fixed or place.image_id in moving:
                continue
            if place.group_id is None:
                self._edit.set_image(place.image_id, probability=None, outlier_score=place.outlier_score)
            elif f"r{place.label}" in self._accepted:
                self._edit.set_image(
                    place.image_id,
                    assigned_by=AssignedBy.AUTO,
                    probability=place.probability,
                    outlier_score=place.outlier_score,
                )

    def _set_covers(self, targets: dict[int, Group]) -> None:
        """A group without a cover, or whose cover left, shows its medoid, else the image that is most its own."""
        inside: dict[UUID, list[Place]] = {}
        for place in self._proposal.places:
            group = self._edit.group_of(place.image_id)
            if group is not None:
                inside.setdefault(group.pk, []).append(place)
        for label, group in targets.items():
            places, medoid = inside.get(group.pk, []), self._medoids.get(label)
            row = self._edit.after.get("images", {}).get(str(group.cover_id))
            if not places or (row is not None and row["group"] == str(group.pk)):
                continue
            is_inside = any(place.image_id == medoid for place in places)
            own = max(places, key=lambda place: place.probability).image_id
            self._edit.set_group(group, cover=medoid if is_inside else own)

    def _drop_empty(self) -> set[UUID]:
        counts = Counter(
            values["group"]
            for values in self._edit.after.get("images", {}).values()
            if values and values["group"]
        )
        left = {move.place.group_id for move in self._moves if move.place.group_id is not None}
        emptied = [
            group
            for group in (self._edit.groups[group_id] for group_id in left)
            if not counts[str(group.pk)] and not group.is_confirmed and not group.name
        ]
        for group in emptied:
            self._edit.drop_group(group)
        return {group.pk for group in emptied}

    def _summary(self, targets: dict[int, Group]) -> str:
        moved = [move for move in self._moves if move.to is not None]
        groups = group_count(len(targets))
        if self._is_incremental:
            new = set(targets) - set(self._proposal.carried)
            if not moved:
                return f"applied run {self._run.number}: no image joined a group"
            joined = f"{images(len(moved))} joined {group_count(len({move.to for move in moved}))}"
            return f"applied run {self._run.number}: {joined}" + (f", {len(new)} of them new" if new else "")
        out = sum(
            not place.is_fixed and self._edit.group_of(place.image_id) is None
            for place in self._proposal.places
        )
        return f"applied run {self._run.number}: {groups}, {images(len(moved))} moved, {out} unassigned"


def touched_by_people(batch: Batch) -> bool:
    """Whether a person has placed, locked, confirmed or named anything in the batch."""
    placed = (AssignedBy.MANUAL, AssignedBy.IMPORT)
    return (
        batch.batch_images.filter(assigned_by__in=placed).exists()
        or batch.batch_images.filter(locked=True).exists()
        or batch.groups.filter(status=Group.Status.CONFIRMED).exists()
        or batch.groups.exclude(name="").exists()
    )
