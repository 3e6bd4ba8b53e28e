"""Sentences about batches, for people."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.text import capfirst
from django.utils.translation import ngettext

from batches.models import Batch, GroupingChange

SELECT_IMAGES = "Select at least one image."
CHOOSE_ACTION = "Choose an action."
REASON_NEEDED = "Give a reason for sending the batch back."
APPROVAL_REASON_NEEDED = "Give a reason for approving a batch that is not finished."
NOTHING_CHANGED = "Nothing changed."
JOB_STARTED = "The job has started."
NOTHING_TO_SPLIT = "The group was dissolved in the meantime. Nothing was split."


def images(count: int) -> str:
    return ngettext("{} image", "{} images", count).format(count)


def groups(count: int) -> str:
    return ngettext("{} group", "{} groups", count).format(count)


def operations(count: int) -> str:
    return ngettext("{} operation", "{} operations", count).format(count)


def suggestions(count: int) -> str:
    return ngettext("{} suggestion", "{} suggestions", count).format(count)


def step(change: GroupingChange) -> str:
    """A step of the history as a message: Moved 37 images from boots to red shoes."""
    return f"{capfirst(change.summary)}."


def unfinished(ungrouped: int, groups_open: int, undecided: int) -> str:
    """3 images unassigned, 2 groups not confirmed, 5 images without a decision."""
    parts = (
        f"{images(ungrouped)} unassigned" if ungrouped else "",
        f"{groups(groups_open)} not confirmed" if groups_open else "",
        f"{images(undecided)} without a decision" if undecided else "",
    )
    return ", ".join(part for part in parts if part)


def not_finished(what: str) -> str:
    return f"This batch is not finished: {what}. To approve it anyway, confirm this and give a reason."


def too_many_found(limit: int) -> str:
    return f"The filter finds more than {limit:,} images. Narrow it down."


def too_many_selected(count: int, limit: int) -> str:
    return f"You selected {count:,} images. The limit is {limit:,}."


def created(count: int) -> str:
    return f"The batch was created with {images(count)}."


def added(count: int, existing: int = 0) -> str:
    """3 images added. 1 was already in the batch."""
    rest = ngettext(" {} was already in the batch.", " {} were already in the batch.", existing).format(
        existing
    )
    return f"{images(count)} added.{rest if existing else ''}"


def removed(count: int) -> str:
    return f"{images(count)} removed from the batch."


def run_started(number: int) -> str:
    return f"Run {number} has started. The result will appear on this page."


def titles(names: Sequence[str], *, most: int = 3) -> str:
    """Names of groups for a sentence: red shoes, boots and 4 others."""
    names = list(dict.fromkeys(names))
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} others"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def no_batch(key: Any) -> str:
    return f"Batch “{str(key)[:50]}” does not exist."


def no_group(label: Any) -> str:
    return f"This batch has no group “{str(label)[:64]}”."


def not_in_batch(image_id: UUID) -> str:
    return f"Image {image_id} is not in this batch."


def not_in_group(image_id: UUID, title: str) -> str:
    return f"Image {image_id} is not in {title}."


def deleted(batch: Batch) -> str:
    return f"Batch “{batch.batch_name}” has been deleted. Restore it first."


def archived(batch: Batch) -> str:
    return f"Batch “{batch.batch_name}” is archived. Unarchive it to make changes."


def approved(batch: Batch) -> str:
    return f"Batch “{batch.batch_name}” is approved. Reopen it to make changes."


def difference(bits: int | None, distance: float | None) -> str:
    """How far two images are apart: 'distance 0.042 · 3 of 64 bits differ'; empty where nothing was compared."""
    parts = []
    if distance is not None:
        parts.append(f"distance {distance:.3f}")
    if bits is not None:
        parts.append(f"{bits} of 64 bits differ")
    return " · ".join(parts)


def moves(*, keeps: int, gains: int, loses: int, sources: Sequence[tuple[str, int]]) -> str:
    """What a run would do to a group: '12 stay, 3 join (2 from Shoes, 1 from Bags), 4 leave'."""
    parts = []
    if keeps:
        parts.append(ngettext("{:,} stays", "{:,} stay", keeps).format(keeps))
    if gains:
        origins = ", ".join(f"{count:,} from {title}" for title, count in sources)
        joining = ngettext("{:,} joins", "{:,} join", gains).format(gains)
        parts.append(joining + (f" ({origins})" if origins else ""))
    if loses:
        parts.append(ngettext("{:,} leaves", "{:,} leave", loses).format(loses))
    return ", ".join(parts)


def dissolved(*, loses: int, sources: Sequence[tuple[str, int]]) -> str:
    """Where the images of a group go that a run dissolves: '3 images leave: 2 to Shoes, 1 to Bags'."""
    leave = ngettext("{:,} image leaves", "{:,} images leave", loses).format(loses)
    places = ", ".join(f"{count:,} to {title}" for title, count in sources)
    return f"{leave}: {places}" if places else leave
