"""The one way to change a batch's groups: locked, checked against what the caller saw, recorded with its way back.

A change is a set of cells: for each touched row the values that it set (`forward`) and those that were there before
(`inverse`); null stands for a row that is not there. Undo writes the inverse where the forward values still stand, so
it never overwrites what somebody did later: it names those conflicts instead. An undo is a change itself, and redo is
the undo of an undo.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from api.core.errors import ApiError, ErrorCode, FieldError
from batches import phrases
from batches.history import conflicts, snapshots
from batches.history.edit import Edit
from batches.models import Batch, Group, GroupingChange

Kind = GroupingChange.Kind
CONFLICTS_NAMED = 50


@dataclass(frozen=True)
class ExpectedVersion:
    """The version that the caller looked at when they decided; `is_header`: it came as `If-Match`."""

    version: int
    is_header: bool = True


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a change of a batch became: the step of the history, None where nothing changed, and how many images."""

    change: GroupingChange | None
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class GroupStep(Step):
    """A step that made or changed one group."""

    group: Group


def lock(batch: Batch) -> Batch:
    """The batch's row, locked until the end of the transaction: changes of one batch happen one after the other."""
    return Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)


def check_open(batch: Batch, *, approved_ok: bool = False) -> None:
    """Refuse changes of a batch that is deleted, archived or, unless they leave its groups alone, approved."""
    if batch.deleted_at is not None:
        raise ApiError(ErrorCode.GONE, phrases.deleted(batch))
    if batch.is_archived:
        raise ApiError(ErrorCode.CONFLICT, phrases.archived(batch))
    if batch.is_approved and not approved_ok:
        raise ApiError(ErrorCode.CONFLICT, phrases.approved(batch))


def check_version(batch: Batch, expected_version: ExpectedVersion | None) -> None:
    """Refuse a decision that was made on an older state, saying what happened since."""
    if expected_version is None or expected_version.version == batch.version:
        return
    since = batch.changes.filter(version__gt=expected_version.version).order_by("sequence")
    last = since.last()
    newest = f" Last change, by {last.actor_name or 'Pix'}: {last.summary}." if last else ""
    versions = f"The batch is at version {batch.version}, not {expected_version.version}."
    detail = f"{versions}{newest} Reload it and try again."
    code = ErrorCode.PRECONDITION_FAILED if expected_version.is_header else ErrorCode.CONFLICT
    raise ApiError(code, detail, headers={"ETag": f'"{batch.version}"'})


@contextmanager
def edit(
    batch: Batch, *, actor: Any, kind: str, expected_version: ExpectedVersion | None = None
) -> Iterator[Edit]:
    """Change a batch's groups and images inside the block; all of it is written at its end, as one step.

    Raises:
        ApiError: 412 or 409 where the batch is not at the version that the caller saw, 409 where it is closed.
    """
    with transaction.atomic():
        locked = lock(batch)
        check_open(locked)
        check_version(locked, expected_version)
        under_way = Edit(locked)
        yield under_way
        forward, inverse = under_way.difference()
        if forward:
            snapshots.write(locked, forward, under_way.after)
            under_way.change = record(
                locked, kind=kind, summary=under_way.summary, actor=actor, forward=forward, inverse=inverse
            )
        batch.version, batch.active_run_id = locked.version, locked.active_run_id


def record(
    batch: Batch,
    *,
    kind: str,
    summary: str,
    actor: Any,
    forward: Mapping[str, Any],
    inverse: Mapping[str, Any],
    undoes: GroupingChange | None = None,
    bumps_version: bool = True,
) -> GroupingChange:
    """Write a line of the history. The caller holds the batch's lock.

    Args:
        bumps_version: whether decisions made on the state before are outdated by this one.
    """
    last = GroupingChange.objects.filter(batch=batch).aggregate(last=Max("sequence"))["last"] or 0
    batch.version += bumps_version
    batch.save(update_fields=["version", "last_label", "updated_at"])
    is_person = actor is not None and actor.pk is not None
    return GroupingChange.objects.create(
        batch=batch,
        sequence=last + 1,
        kind=kind,
        summary=summary[:500],
        actor=actor if is_person else None,
        actor_name=actor.get_username() if is_person else "",
        forward=forward,
        inverse=inverse,
        image_count=len(forward.get("images", {})),
        version=batch.version,
        undoes=undoes,
    )


def undo(
    batch: Batch,
    *,
    actor: Any,
    sequence: int | None = None,
    expected_version: ExpectedVersion | None = None,
    skip_conflicts: bool = False,
) -> GroupingChange:
    """Take back the last step, or the one with this number.

    Args:
        skip_conflicts: take back what nobody has changed since, and leave the rest.

    Raises:
        ApiError: 404 for an unknown number, 409 where there is nothing to undo, where the step was undone before or
            where later changes touch the same images or groups; `errors` names them.
    """
    with transaction.atomic():
        locked = _ready(batch, expected_version)
        step = _step(locked, sequence)
        entry = _revert(locked, step, kind=Kind.UNDO, actor=actor, skip_conflicts=skip_conflicts)
        _mark(step, undone_by=entry)
    _take_over(batch, locked)
    return entry


def redo(batch: Batch, *, actor: Any, expected_version: ExpectedVersion | None = None) -> GroupingChange:
    """Do the step again that was undone last; not after a new step, which continues from what undoing left.

    Raises:
        ApiError: 409 where there is nothing to redo, or where later changes conflict with it.
    """
    with transaction.atomic():
        locked = _ready(batch, expected_version)
        taken_back = next_redo(locked)
        if taken_back is None:
            raise ApiError(ErrorCode.CONFLICT, "There is nothing to redo.")
        entry = _revert(locked, taken_back, kind=Kind.REDO, actor=actor, skip_conflicts=False)
        _mark(taken_back, undone_by=entry)
        assert taken_back.undoes is not None
        _mark(taken_back.undoes, undone_by=None)
    _take_over(batch, locked)
    return entry


def next_undo(batch: Batch) -> GroupingChange | None:
    """The step that undo takes back; its payload, which may be large, is loaded by whoever reads it."""
    steps = _steps(batch).filter(undone_by=None).defer("forward", "inverse")
    change: GroupingChange | None = steps.order_by("-sequence").first()
    return change


def next_redo(batch: Batch) -> GroupingChange | None:
    """The undo that redo takes back."""
    last = _steps(batch).aggregate(last=Max("sequence"))["last"] or 0
    undos = batch.changes.filter(kind=Kind.UNDO, undone_by=None, sequence__gt=last)
    payloads = ("forward", "inverse", "undoes__forward", "undoes__inverse")
    undos = undos.select_related("undoes").defer(*payloads)
    change: GroupingChange | None = undos.order_by("-sequence").first()
    return change


def _steps(batch: Batch) -> Any:
    return batch.changes.exclude(kind__in=[Kind.UNDO, Kind.REDO, Kind.STAGE])


def _ready(batch: Batch, expected_version: ExpectedVersion | None) -> Batch:
    locked = lock(batch)
    check_open(locked)
    check_version(locked, expected_version)
    return locked


def _step(batch: Batch, sequence: int | None) -> GroupingChange:
    step = next_undo(batch) if sequence is None else batch.changes.filter(sequence=sequence).first()
    if step is None:
        if sequence is None:
            raise ApiError(ErrorCode.CONFLICT, "There is nothing to undo.")
        raise ApiError(ErrorCode.NOT_FOUND, f"This batch has no change {sequence}.")
    if not step.is_step:
        raise ApiError(ErrorCode.CONFLICT, f"Change {step.sequence} ({step.kind}) cannot be undone.")
    if step.is_undone:
        raise ApiError(ErrorCode.CONFLICT, f"Change {step.sequence} has already been undone.")
    return step


def _revert(
    batch: Batch, step: GroupingChange, *, kind: str, actor: Any, skip_conflicts: bool
) -> GroupingChange:
    step.forward, step.inverse = map(snapshots.drop_deleted_users, (step.forward, step.inverse))
    current = snapshots.read(batch, step.forward)
    target, refused = conflicts.revertible_part(batch, step, current)
    if refused and not (skip_conflicts and target):
        sentences = conflicts.sentences(batch, step, refused[:CONFLICTS_NAMED])
        detail = f"A later change conflicts with this: {sentences[0]}"
        if len(refused) > 1:
            more = f" And {len(refused) - CONFLICTS_NAMED} more." if len(refused) > CONFLICTS_NAMED else ""
            detail = f"{len(refused)} later changes conflict with this, for example: {sentences[0]}{more}"
        errors = [
            FieldError(f"{conflict.table}.{conflict.key}", ErrorCode.CONFLICT, sentence)
            for conflict, sentence in zip(refused, sentences, strict=False)
        ]
        raise ApiError(ErrorCode.CONFLICT, detail, errors=errors)
    after = snapshots.apply_patch(current, target)
    snapshots.write(batch, target, after)
    words = {Kind.UNDO: "undid", Kind.REDO: "redid"}[Kind(kind)]
    original = step.undoes if step.undoes is not None else step
    partly = f" (except {len(refused)} that changed since)" if refused else ""
    return record(
        batch,
        kind=kind,
        summary=f"{words}: {original.summary}{partly}",
        actor=actor,
        forward=target,
        inverse=snapshots.inverse_of(current, target),
        undoes=step,
    )


def _mark(change: GroupingChange, *, undone_by: GroupingChange | None) -> None:
    change.undone_by = undone_by
    change.save(update_fields=["undone_by"])


def _take_over(batch: Batch, locked: Batch) -> None:
    batch.version, batch.active_run_id = locked.version, locked.active_run_id


def history(batch: Batch, *, since: int | None = None) -> Any:
    """The changes, the newest first, without their payloads; `since`: those after that version."""
    steps = batch.changes.defer("forward", "inverse")
    if since is not None:  # uploads into a new batch leave it at version 0
        steps = steps.filter(version__gt=since)
    return steps.select_related("undone_by", "undoes").order_by("-sequence")
