"""What of a change can still be taken back, and what conflicts with the rest, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from batches.history import snapshots
from batches.models import Batch, BatchImage, ClusterRun, Group, GroupingChange
from images.models import Image

LOOKED_AT = 500  # later changes that are searched for the one to name


@dataclass(frozen=True)
class Conflict:
    """A row of a change that is not any more as the change left it, or that cannot be as it was before."""

    table: str
    key: str
    reason: str


def revertible_part(
    batch: Batch, step: GroupingChange, current: snapshots.State
) -> tuple[snapshots.State, list[Conflict]]:
    """The part of a change's inverse that can be written, and what conflicts with the rest.

    Leaving one row out can hold back another, as a group cannot go while an image stays in it: it is checked again
    until nothing more is left out.
    """
    refused = [
        Conflict(table, key, reason)
        for table, rows in step.forward.items()
        for key, values in rows.items()
        if (reason := _differs(values, current[table][key]))
    ]
    target: snapshots.State = {table: dict(rows) for table, rows in step.inverse.items()}
    _leave_out(target, refused)
    while more := _impossible(batch, target, current):
        refused += more
        _leave_out(target, more)
    return {table: rows for table, rows in target.items() if rows}, refused


def _leave_out(target: snapshots.State, refused: Sequence[Conflict]) -> None:
    for conflict in refused:
        target.get(conflict.table, {}).pop(conflict.key, None)


def _differs(left: snapshots.Values, now: snapshots.Values) -> str:
    """Why a row is not as the change left it; empty where it is."""
    if left is None:
        return "" if now is None else "exists again"
    if now is None:
        return "no longer exists"
    return "has changed" if any(now[cell] != value for cell, value in left.items()) else ""


def _impossible(batch: Batch, target: snapshots.State, current: snapshots.State) -> list[Conflict]:
    return [
        *_labels_taken(batch, target),
        *_groups_in_use(batch, target),
        *_groups_missing(batch, target),
        *_images_missing(target, current),
        *_runs_missing(batch, target),
    ]


def _labels_taken(batch: Batch, target: snapshots.State) -> list[Conflict]:
    groups = target.get("groups", {})
    labels = {key: values["label"] for key, values in groups.items() if values and "label" in values}
    if not labels:
        return []
    leaving = [key for key, values in groups.items() if values is None or "label" in values]
    others = Group.objects.filter(batch=batch, label__in=labels.values()).exclude(pk__in=leaving)
    taken = set(others.values_list("label", flat=True))
    return [
        Conflict("groups", key, f"had the label {label!r}, which another group uses now")
        for key, label in labels.items()
        if label in taken
    ]


def _groups_in_use(batch: Batch, target: snapshots.State) -> list[Conflict]:
    gone = [key for key, values in target.get("groups", {}).items() if values is None]
    if not gone:
        return []
    leaving = [key for key, values in target.get("images", {}).items() if values is None or "group" in values]
    staying = BatchImage.objects.filter(batch=batch, group_id__in=gone).exclude(image_id__in=leaving)
    used = {str(key) for key in staying.values_list("group", flat=True)}
    arriving = {
        values["group"] for values in target.get("images", {}).values() if values and "group" in values
    }
    return [
        Conflict("groups", key, "contains images that were added later")
        for key in gone
        if key in used | arriving
    ]


def _groups_missing(batch: Batch, target: snapshots.State) -> list[Conflict]:
    targets = {
        key: values["group"]
        for key, values in target.get("images", {}).items()
        if values and values.get("group")
    }
    made = {key for key, values in target.get("groups", {}).items() if values is not None}
    needed = set(targets.values()) - made
    there = {
        str(key) for key in Group.objects.filter(batch=batch, pk__in=needed).values_list("pk", flat=True)
    }
    return [
        Conflict("images", key, "was in a group that no longer exists")
        for key, group in targets.items()
        if group not in made and group not in there
    ]


def _images_missing(target: snapshots.State, current: snapshots.State) -> list[Conflict]:
    back = [
        key
        for key, values in target.get("images", {}).items()
        if values is not None and current["images"][key] is None
    ]
    if not back:
        return []
    # Locked against a purge, as where images enter a batch for the first time.
    alive = (
        Image.objects.select_for_update(no_key=True).filter(pk__in=back).exclude(status=Image.Status.PURGED)
    )
    there = {str(key) for key in alive.order_by("pk").values_list("pk", flat=True)}
    return [Conflict("images", key, "was permanently deleted") for key in back if key not in there]


def _runs_missing(batch: Batch, target: snapshots.State) -> list[Conflict]:
    runs = {key: values.get("active_run") for key, values in target.get("batch", {}).items() if values}
    there = {
        str(key)
        for key in ClusterRun.objects.filter(
            batch=batch, pk__in=[run for run in runs.values() if run]
        ).values_list("pk", flat=True)
    }
    return [
        Conflict("batch", key, "used a run that no longer exists")
        for key, run in runs.items()
        if run and run not in there
    ]


def sentences(batch: Batch, step: GroupingChange, refused: Sequence[Conflict]) -> list[str]:
    """Each conflict for people: the thing by its name, what happened, in which change, by whom."""
    names = _names(batch, step, refused)
    later = list(
        batch.changes.filter(sequence__gt=step.sequence).order_by("-sequence")[:LOOKED_AT].iterator()
    )
    told = []
    for conflict in refused:
        name = names.get((conflict.table, conflict.key), conflict.key)
        change = next((row for row in later if conflict.key in row.forward.get(conflict.table, {})), None)
        by = (
            f" (change {change.sequence} by {change.actor_name or 'Pix'}: {change.summary})" if change else ""
        )
        told.append(f"{name} {conflict.reason}{by}.")
    return told


def _names(batch: Batch, step: GroupingChange, refused: Sequence[Conflict]) -> dict[tuple[str, str], str]:
    images = [conflict.key for conflict in refused if conflict.table == "images"]
    names: dict[tuple[str, str], str] = {
        ("images", str(key)): name
        for key, name in Image.objects.filter(pk__in=images).values_list("pk", "original_filename")
    }
    for group in Group.objects.filter(batch=batch):
        names["groups", str(group.pk)] = f"The group “{group.title}”"
    for payload in (step.forward, step.inverse):
        for key, values in payload.get("groups", {}).items():
            title = (values or {}).get("name") or f"Group {(values or {}).get('label', '?')}"
            names.setdefault(("groups", key), f"The group “{title}”")
    names |= {(c.table, c.key): "The pair of near-duplicates" for c in refused if c.table == "pairs"}
    return names | {(c.table, c.key): "The batch" for c in refused if c.table == "batch"}
