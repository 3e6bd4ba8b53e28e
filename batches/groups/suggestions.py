"""Taking suggestions: images in no group go where a person agrees that they belong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from batches import phrases
from batches.groups import statistics
from batches.history import changes
from batches.history.changes import ExpectedVersion, Kind
from batches.history.edit import NAMED, Edit, titles
from batches.models import Batch, BatchImage, Group, GroupingChange


def accept(
    batch: Batch,
    *,
    image_ids: Sequence[UUID] | None = None,
    group_label: str | None = None,
    max_distance: float | None = None,
    actor: Any,
    expected_version: ExpectedVersion | None = None,
) -> tuple[GroupingChange | None, int]:
    """Put images that are in no group into the group nearest to each; answers the change and how many.

    Args:
        image_ids: these images, with `group_label` into that group. Else all that are suggested:
        group_label: those whose nearest group is this,
        max_distance: those that are not farther from it (Euclidean, 0 to 2).

    Raises:
        ApiError: 400 where nothing, or what is not in the batch, is named; 409 for a named image that is not
            suggested any more: somebody has placed, locked or rejected it, or it has no vector.
    """
    _check_request(image_ids, group_label, max_distance)
    with changes.edit(
        batch, actor=actor, kind=Kind.ACCEPT_SUGGESTIONS, expected_version=expected_version
    ) as edit:
        if image_ids is None:
            targets = _targets(
                edit, statistics.nearest(batch, max_distance=max_distance, group_label=group_label)
            )
        else:
            targets = _named(edit, batch, image_ids, group_label)
        edit.members(targets)
        for key, group in targets.items():
            edit.set_image(key, group=group, assigned_by=BatchImage.AssignedBy.MANUAL, probability=None)
        groups = titles([group for group, _ in _by_group(targets)], most=2)
        edit.summary = f"accepted {phrases.suggestions(len(targets))} into {groups}"
    return edit.change, len(targets)


def preview(
    batch: Batch,
    *,
    image_ids: Sequence[UUID] | None = None,
    group_label: str | None = None,
    max_distance: float | None = None,
) -> list[tuple[Group, int]]:
    """How many images `accept` would put into each group, the most first; nothing is changed."""
    _check_request(image_ids, group_label, max_distance)
    changes.check_open(batch)
    edit = Edit(batch)
    if image_ids is None:
        images = statistics.nearest(batch, max_distance=max_distance, group_label=group_label)
        targets = _targets(edit, images)
    else:
        targets = _named(edit, batch, image_ids, group_label)
    return _by_group(targets)


def _check_request(
    image_ids: Sequence[UUID] | None, group_label: str | None, max_distance: float | None
) -> None:
    if image_ids is None and group_label is None and max_distance is None:
        raise invalid_field("image_ids", "Enter images, a group or a distance.", code=ErrorCode.REQUIRED)
    if image_ids is not None and not image_ids:
        raise invalid_field("image_ids", phrases.SELECT_IMAGES, code=ErrorCode.REQUIRED)
    if image_ids is not None and max_distance is not None:
        raise invalid_field("max_distance", "This cannot be combined with image_ids.")


def _targets(edit: Edit, images: Sequence[statistics.Near]) -> dict[UUID, Group]:
    return {near.image_id: edit.groups[near.groups[0]] for near in images if near.groups[0] in edit.groups}


def _named(edit: Edit, batch: Batch, image_ids: Sequence[UUID], group_label: str | None) -> dict[UUID, Group]:
    target = None if group_label is None else edit.group(group_label, field="group_label")
    members = edit.members(image_ids)
    suggested = _targets(edit, statistics.nearest(batch))
    if stale := [key for key in members if key not in suggested]:
        errors = [
            FieldError("image_ids", ErrorCode.CONFLICT, _stale_reason(edit, members[key]))
            for key in stale[:NAMED]
        ]
        raise ApiError(ErrorCode.CONFLICT, f"image_ids: {errors[0].detail}", errors=errors)
    return {key: target or suggested[key] for key in members}


def _stale_reason(edit: Edit, row: BatchImage) -> str:
    """Why there is no suggestion for an image that somebody wants to accept one for."""
    group = edit.group_of(row.image_id)
    if group is not None:
        return f"Image {row.image_id} is now in {group.title}."
    if row.decision == BatchImage.Decision.REJECTED:
        return f"Image {row.image_id} is rejected."
    if row.locked:
        return f"Image {row.image_id} is locked."
    if row.assigned_by:
        return f"Image {row.image_id} was taken out of its group by a person. Move it instead."
    return f"There are no vectors to compare image {row.image_id} with a group. Analyze the batch."


def _by_group(targets: Mapping[UUID, Group]) -> list[tuple[Group, int]]:
    counts = Counter(group.pk for group in targets.values())
    groups = {group.pk: group for group in targets.values()}
    return sorted(
        ((groups[key], count) for key, count in counts.items()), key=lambda row: (-row[1], row[0].label)
    )
