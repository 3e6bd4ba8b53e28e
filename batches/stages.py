"""The way of a batch through its review: work, validation, acceptance, approved."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from api.access import audit
from api.access.permissions import has_scope, require_scope
from api.core.errors import ApiError, ErrorCode, invalid_field
from batches import phrases
from batches.groups.validation import checked_text
from batches.history import changes
from batches.history.changes import ExpectedVersion, Kind
from batches.models import Batch, BatchImage, Group

Stage = Batch.Stage
MAX_REASON = 500
# From where each move starts and where it leads to.
MOVES: dict[str, dict[str, str]] = {
    "submit": {Stage.WORK: Stage.VALIDATION},
    "approve": {Stage.VALIDATION: Stage.ACCEPTANCE, Stage.ACCEPTANCE: Stage.APPROVED},
    "reject": {Stage.VALIDATION: Stage.WORK, Stage.ACCEPTANCE: Stage.WORK},
    "reopen": {Stage.APPROVED: Stage.WORK},
}
DONE = {
    "submit": "submitted the batch for validation",
    "reject": "sent the batch back to work",
    "reopen": "reopened the batch",
}


@dataclass(frozen=True)
class Unfinished:
    """What nobody has decided on in a batch.

    Attributes:
        ungrouped: images in no group that are not rejected.
        groups_open: groups that nobody has confirmed.
        undecided: images that are neither accepted nor rejected nor in a confirmed group.
    """

    ungrouped: int
    groups_open: int
    undecided: int

    def __bool__(self) -> bool:
        return bool(self.ungrouped or self.groups_open or self.undecided)

    def __str__(self) -> str:
        return phrases.unfinished(self.ungrouped, self.groups_open, self.undecided)


def unfinished(batch: Batch) -> Unfinished:
    """What is still open in a batch, of the images that are in the library."""
    present = BatchImage.objects.filter(batch=batch).present()
    pending = Q(decision=BatchImage.Decision.PENDING) & ~Q(group__status=Group.Status.CONFIRMED)
    counts = present.aggregate(
        ungrouped=Count("pk", filter=Q(group=None) & ~Q(decision=BatchImage.Decision.REJECTED)),
        groups_open=Count("group", filter=~Q(group__status=Group.Status.CONFIRMED), distinct=True),
        # A pending image without a group has no status to compare: SQL answers neither yes nor no.
        undecided=Count("pk", filter=pending | Q(group=None, decision=BatchImage.Decision.PENDING)),
    )
    return Unfinished(**counts)


def moves_open_to(batch: Batch, user: Any, *, subject: Any = None) -> list[str]:
    """The moves that somebody may make now.

    Args:
        subject: whose scopes count: the request, where a key limits its user.
    """
    subject = user if subject is None else subject
    return [
        name
        for name, steps in MOVES.items()
        if batch.review_stage in steps and has_scope(subject, _scope_of(batch, name, user))
    ]


def _scope_of(batch: Batch, name: str, user: Any) -> str:
    """Reviewers hand in and send back; the batch's own reviewer validates; operators accept and reopen."""
    is_validation = name == "approve" and batch.review_stage == Stage.VALIDATION
    is_reviewer = batch.reviewer_id is not None and batch.reviewer_id == getattr(user, "pk", None)
    if name in ("submit", "reject") or (is_validation and is_reviewer):
        return "write"
    return "process"


def move(
    batch: Batch,
    name: str,
    *,
    actor: Any,
    subject: Any = None,
    reason: str = "",
    confirm: bool = False,
    expected_version: ExpectedVersion | None = None,
) -> Batch:
    """Hand a batch on, send it back or open it again.

    Args:
        name: submit, approve, reject or reopen.
        subject: whose scopes count: the request, where a key limits its user.
        reason: why it goes back; needed for a rejection, and to approve an unfinished batch.
        confirm: approve it although it is unfinished.

    Raises:
        ApiError: 409 where the batch is at another stage, or unfinished and not confirmed; 400 without a needed reason.
        PermissionDenied: where the move needs another scope.
    """
    reason = reason.strip()
    if name == "reject" and not reason:
        raise invalid_field("reason", phrases.REASON_NEEDED, code=ErrorCode.REQUIRED)
    reason = checked_text("reason", reason, limit=MAX_REASON)
    with transaction.atomic():
        locked = changes.lock(batch)
        if locked.is_archived or locked.deleted_at is not None:
            changes.check_open(locked)
        changes.check_version(locked, expected_version)
        target = MOVES[name].get(locked.review_stage)
        if target is None:
            stages = ", ".join(MOVES[name])
            detail = f"Cannot {name} a batch in the stage {locked.review_stage}. Allowed stages: {stages}."
            raise ApiError(ErrorCode.CONFLICT, detail)
        require_scope(actor if subject is None else subject, _scope_of(locked, name, actor))
        told = _checked_unfinished(locked, reason=reason, confirm=confirm) if name == "approve" else {}
        before, locked.review_stage = locked.review_stage, target
        locked.save(update_fields=["review_stage", "updated_at"])
        done = DONE.get(name) or f"{'approved' if target == Stage.APPROVED else 'validated'} the batch"
        summary = done + (f": {reason}" if reason else "")
        cell = {"batch": {str(locked.pk): {"review_stage": target}}}
        was = {"batch": {str(locked.pk): {"review_stage": before}}}
        changes.record(locked, kind=Kind.STAGE, summary=summary, actor=actor, forward=cell, inverse=was)
        audit.record(f"batch.{name}", locked, actor=actor, detail={"stage": target, "reason": reason, **told})
    return locked


def _checked_unfinished(batch: Batch, *, reason: str, confirm: bool) -> dict[str, Any]:
    """What the audit log keeps of a batch that is approved although it is unfinished.

    Raises:
        ApiError: 409 `batch_unfinished` with the counts, 400 for a confirmation without a reason.
    """
    found = unfinished(batch)
    if not found:
        return {}
    counts = asdict(found)
    if not confirm:
        detail = phrases.not_finished(str(found))
        raise ApiError(ErrorCode.BATCH_UNFINISHED, detail, extra={"unfinished": counts})
    if not reason:
        raise invalid_field("reason", phrases.APPROVAL_REASON_NEEDED, code=ErrorCode.REQUIRED)
    return {"unfinished": counts}
