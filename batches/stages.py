"""The way of a batch through its review: work, validation, acceptance, approved."""

from typing import Any

from django.db import transaction

from api.access import audit
from api.access.permissions import has_scope, require_scope
from api.core.errors import ApiError, ErrorCode, invalid_field
from batches import phrases
from batches.groups.validation import checked_text
from batches.history import changes
from batches.history.changes import ExpectedVersion, Kind
from batches.models import Batch

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
    if name in ("submit", "reject") or (is_validation and _is_reviewer(batch, user)):
        return "write"
    return "process"


def _is_reviewer(batch: Batch, user: Any) -> bool:
    return batch.reviewer_id is not None and batch.reviewer_id == getattr(user, "pk", None)


def move(
    batch: Batch,
    name: str,
    *,
    actor: Any,
    subject: Any = None,
    reason: str = "",
    seen: ExpectedVersion | None = None,
) -> Batch:
    """Hand a batch on, send it back or open it again.

    Args:
        name: submit, approve, reject or reopen.
        subject: whose scopes count: the request, where a key limits its user.
        reason: why it goes back; needed for a rejection.

    Raises:
        ApiError: 409 where the batch is at another stage, 400 for a rejection without a reason.
        PermissionDenied: where the move needs another scope.
    """
    reason = _checked_reason(name, reason)
    with transaction.atomic():
        locked = changes.lock(batch)
        if locked.is_archived or locked.deleted_at is not None:
            changes.check_open(locked)
        changes.check_version(locked, seen)
        target = MOVES[name].get(locked.review_stage)
        if target is None:
            stages = ", ".join(MOVES[name])
            detail = f"Cannot {name} a batch in the stage {locked.review_stage}. Allowed stages: {stages}."
            raise ApiError(ErrorCode.CONFLICT, detail)
        require_scope(actor if subject is None else subject, _scope_of(locked, name, actor))
        before, locked.review_stage = locked.review_stage, target
        locked.save(update_fields=["review_stage", "updated_at"])
        done = DONE.get(name) or f"{'approved' if target == Stage.APPROVED else 'validated'} the batch"
        summary = done + (f": {reason}" if reason else "")
        cell = {"batch": {str(locked.pk): {"review_stage": target}}}
        was = {"batch": {str(locked.pk): {"review_stage": before}}}
        changes.record(locked, kind=Kind.STAGE, summary=summary, actor=actor, forward=cell, inverse=was)
        audit.record(f"batch.{name}", locked, actor=actor, detail={"stage": target, "reason": reason})
    return locked


def _checked_reason(name: str, reason: str) -> str:
    reason = reason.strip()
    if name == "reject" and not reason:
        raise invalid_field("reason", phrases.REASON_NEEDED, code=ErrorCode.REQUIRED)
    return checked_text("reason", reason, limit=MAX_REASON)
