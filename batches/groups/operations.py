"""What people do with groups. Every function is one step of the history; interfaces call these and nothing else.

All of them raise ApiError: 400 for what is not in the batch, 409 for a closed batch, 409 or 412 for a stale version.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from api.core.errors import ApiError, ErrorCode, invalid_choice, invalid_field
from batches import phrases
from batches.groups.validation import (
    UNASSIGNED,
    checked_colour,
    checked_label,
    checked_name,
    checked_text,
    checked_values,
)
from batches.history import changes
from batches.history.changes import ExpectedVersion, GroupStep, Kind, Step
from batches.history.edit import Edit, titles
from batches.models import Batch, BatchImage, Group
from batches.phrases import groups as group_count
from batches.phrases import images

AssignedBy, Decision = BatchImage.AssignedBy, BatchImage.Decision
MAX_REASON = 500


def move(
    batch: Batch,
    image_ids: Sequence[UUID],
    *,
    to: str | None,
    actor: Any,
    expected_version: ExpectedVersion | None = None,
) -> Step:
    """Put images into a group, or into none (`to` None). The machine leaves them there."""
    with changes.edit(batch, actor=actor, kind=Kind.MOVE, expected_version=expected_version) as edit:
        target = None if to is None else edit.group(to, field="to")
        moved = [key for key in edit.members(_named(image_ids)) if edit.group_of(key) != target]
        sources = [edit.group_of(key) for key in moved]
        for key in moved:
            _place(edit, key, target)
        out = "out of its group" if len(moved) == 1 else "out of their groups"
        start = f"from {titles(sources)} " if sources else ""
        edit.summary = f"moved {images(len(moved))} {out if target is None else f'{start}to {target.title}'}"
    return Step(change=edit.change)


def _place(edit: Edit, key: UUID, group: Group | None) -> None:
    edit.set_image(key, group=group, assigned_by=AssignedBy.MANUAL, probability=None)


def _named(image_ids: Sequence[UUID]) -> Sequence[UUID]:
    if not image_ids:
        raise invalid_field("image_ids", phrases.SELECT_IMAGES, code=ErrorCode.REQUIRED)
    return image_ids


def create_group(
    batch: Batch,
    *,
    actor: Any,
    label: str | None = None,
    name: str = "",
    colour: str = "",
    image_ids: Sequence[UUID] = (),
    expected_version: ExpectedVersion | None = None,
) -> GroupStep:
    """Make a group, with images when some are named."""
    label, name, colour = checked_label(label), checked_name(name), checked_colour(colour)
    with changes.edit(batch, actor=actor, kind=Kind.CREATE_GROUP, expected_version=expected_version) as edit:
        members = edit.members(image_ids)
        group = edit.new_group(label=label, name=name, colour=colour)
        for key in members:
            _place(edit, key, group)
        contents = f" with {images(len(members))}" if members else ""
        edit.summary = f"created the group {group.title}{contents}"
    return GroupStep(change=edit.change, group=group)


def edit_group(
    batch: Batch,
    label: str,
    *,
    actor: Any,
    values: Mapping[str, Any],
    expected_version: ExpectedVersion | None = None,
) -> GroupStep:
    """Rename a group, give it another label or colour, set its cover, confirm it or open it again.

    Args:
        values: any of name, label, colour, cover (the id of an image in the group, or None), status.
    """
    checked = checked_values(values)
    kind = Kind.CONFIRM if set(checked) == {"status"} else Kind.EDIT_GROUP
    with changes.edit(batch, actor=actor, kind=kind, expected_version=expected_version) as edit:
        group = edit.group(label)
        if "name" in checked and checked["name"] != group.name:
            edit.summary = f"renamed {group.title} to {checked['name'] or f'Group {group.label}'}"
        elif "status" in checked:
            is_confirmed = checked["status"] == Group.Status.CONFIRMED
            edit.summary = f"{'confirmed' if is_confirmed else 'reopened'} {group.title}"
        else:
            edit.summary = f"changed the {' and '.join(checked)} of {group.title}"
        new_label, cover = checked.get("label", label), checked.get("cover")
        if any(other.label == new_label and other.pk != group.pk for other in edit.groups.values()):
            detail = f"This batch has another group “{new_label}”."
            raise invalid_field("label", detail, code=ErrorCode.UNIQUE)
        if cover:
            edit.members([cover], field="cover")
            if edit.group_of(cover) != group:
                raise invalid_field("cover", phrases.not_in_group(cover, group.title))
        edit.set_group(group, **checked)
    return GroupStep(change=edit.change, group=group)


def delete_group(
    batch: Batch, label: str, *, actor: Any, expected_version: ExpectedVersion | None = None
) -> Step:
    """Dissolve a group; its images are in no group then."""
    with changes.edit(batch, actor=actor, kind=Kind.DELETE_GROUP, expected_version=expected_version) as edit:
        group = edit.group(label)
        members = edit.members_of(group)
        for key in members:
            _place(edit, key, None)
        edit.drop_group(group)
        edit.summary = f"dissolved {group.title} ({images(len(members))})"
    return Step(change=edit.change)


def merge(
    batch: Batch,
    *,
    into: str,
    sources: Sequence[str],
    actor: Any,
    expected_version: ExpectedVersion | None = None,
) -> Step:
    """Put all images of several groups into one; the emptied groups go."""
    if not sources:
        raise invalid_field("from", "Select at least one group.", code=ErrorCode.REQUIRED)
    if into in sources:
        raise invalid_field("from", f"Group {into!r} cannot be merged into itself.")
    with changes.edit(batch, actor=actor, kind=Kind.MERGE, expected_version=expected_version) as edit:
        target = edit.group(into, field="into")
        groups = [edit.group(label, field="from") for label in dict.fromkeys(sources)]
        members = edit.members_of(*groups)
        for key in members:
            _place(edit, key, target)
        for group in groups:
            edit.drop_group(group)
        edit.summary = f"merged {titles(groups)} ({images(len(members))}) into {target.title}"
    return Step(change=edit.change)


def split(
    batch: Batch,
    label: str,
    image_ids: Sequence[UUID],
    *,
    actor: Any,
    name: str = "",
    expected_version: ExpectedVersion | None = None,
) -> GroupStep:
    """Take some images of a group out into a new one."""
    name = checked_name(name)
    with changes.edit(batch, actor=actor, kind=Kind.SPLIT, expected_version=expected_version) as edit:
        group = edit.group(label)
        chosen = edit.members(_named(image_ids))
        inside = edit.members_of(group)
        if strangers := [key for key in chosen if key not in inside]:
            raise invalid_field("image_ids", phrases.not_in_group(strangers[0], group.title))
        if len(chosen) == len(inside):
            raise invalid_field(
                "image_ids", f"At least one of the {images(len(inside))} must stay in {group.title}."
            )
        part = edit.new_group(name=name)
        for key in chosen:
            _place(edit, key, part)
        edit.summary = f"split {images(len(chosen))} off {group.title} as {part.title}"
    return GroupStep(change=edit.change, group=part)


def split_into(
    batch: Batch, group_id: UUID, parts: Sequence[Sequence[UUID]], *, actor: Any
) -> tuple[list[Group], int]:
    """Part a group as computed: the first part stays, each other one becomes a group.

    Images that left the group meanwhile stay where they are. Answers the new groups and how many images moved.
    """
    with changes.edit(batch, actor=actor, kind=Kind.SPLIT) as edit:
        group = edit.groups.get(group_id)
        if group is None:
            raise ApiError(ErrorCode.CONFLICT, phrases.NOTHING_TO_SPLIT)
        inside = edit.members_of(group)
        kept = [[key for key in part if key in inside] for part in parts]
        new: list[Group] = []
        moved = 0
        for part in kept[1:]:
            if part:
                made = edit.new_group(name=f"{group.name} {len(new) + 2}" if group.name else "")
                new.append(made)
                moved += len(part)
                for key in part:
                    _place(edit, key, made)
        edit.summary = f"split {group.title} ({images(len(inside))}) into {group_count(len(new) + 1)}"
    return new, moved


def decide(
    batch: Batch,
    image_ids: Sequence[UUID],
    *,
    decision: str,
    actor: Any,
    reason: str = "",
    expected_version: ExpectedVersion | None = None,
) -> Step:
    """Accept, reject or clear a decision; a rejected one stays in its group, and analyses do not move it."""
    if decision not in Decision.values:
        raise invalid_choice("decision", decision, Decision.values)
    reason = checked_text("reason", reason, limit=MAX_REASON)
    if reason and decision != Decision.REJECTED:
        raise invalid_field("reason", "Only a rejection can have a reason.")
    with changes.edit(batch, actor=actor, kind=Kind.DECIDE, expected_version=expected_version) as edit:
        chosen = edit.members(_named(image_ids))
        for key in chosen:
            edit.set_image(key, decision=decision, reject_reason=reason)
        verb = {"accepted": "accepted", "rejected": "rejected", "pending": "reset the decision on"}[decision]
        edit.summary = f"{verb} {images(len(chosen))}" + (f": {reason}" if reason else "")
    return Step(change=edit.change)


def lock(
    batch: Batch,
    image_ids: Sequence[UUID],
    *,
    locked: bool,
    actor: Any,
    expected_version: ExpectedVersion | None = None,
) -> Step:
    """Hold images where they are against every later run, or let go of them."""
    with changes.edit(batch, actor=actor, kind=Kind.LOCK, expected_version=expected_version) as edit:
        chosen = edit.members(_named(image_ids))
        for key in chosen:
            edit.set_image(key, locked=locked)
        edit.summary = f"{'locked' if locked else 'unlocked'} {images(len(chosen))}"
    return Step(change=edit.change)


def set_groups(
    batch: Batch,
    groups: Mapping[str, Sequence[UUID]],
    *,
    actor: Any,
    creates: bool = True,
    expected_version: ExpectedVersion | None = None,
) -> Step:
    """Say for images which group each is in; images that are not named stay where they are.

    Args:
        groups: label to images; the labels of `UNASSIGNED` stand for none.
        creates: whether a label that the batch does not have becomes a group.
    """
    named = [key for keys in groups.values() for key in keys]
    if not named:
        raise invalid_field("groups", phrases.SELECT_IMAGES, code=ErrorCode.REQUIRED)
    twice = next((key for key, count in Counter(named).items() if count > 1), None)
    if twice is not None:
        raise invalid_field("groups", f"Image {twice} appears twice.")
    with changes.edit(batch, actor=actor, kind=Kind.SET_GROUPS, expected_version=expected_version) as edit:
        edit.members(named, field="groups")
        moved = 0
        for label, keys in groups.items():
            target: Group | None = None
            if label.strip().lower() not in UNASSIGNED:
                is_new = creates and all(group.label != label for group in edit.groups.values())
                target = (
                    edit.new_group(label=checked_label(label))
                    if is_new
                    else edit.group(label, field="group_label")
                )
            moving = [key for key in keys if edit.group_of(key) != target]
            moved += len(moving)
            for key in keys:
                _place(edit, key, target)
        edit.summary = f"set the groups of {images(len(named))}; {moved} moved"
    return Step(change=edit.change)
