"""The review page without scripts: plain forms, each one step of the history, then back to where they came from."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from api.core.errors import ApiError
from batches import phrases
from batches.groups import operations as grouping
from batches.history.changes import Step
from batches.models import Batch, BatchImage, Group
from batches.pages.forms import ReviewForm
from batches.pages.presenters import find
from batches.pages.refusals import shows_refusals
from pixproject.web.access import needs, next_path
from pixproject.web.forms import read

Decision, Status = BatchImage.Decision, Group.Status
Act = Callable[..., Step]
Values = Mapping[str, Any]


def _decide(decision: str) -> Act:
    def act(batch: Batch, values: Values, **who: Any) -> Step:
        reason = values["reason"] if decision == Decision.REJECTED else ""
        return grouping.decide(batch, values["image"], decision=decision, reason=reason, **who)

    return act


def _edit(**changed: Any) -> Act:
    def act(batch: Batch, values: Values, **who: Any) -> Step:
        return grouping.edit_group(batch, values["label"], values=changed, **who)

    return act


ACTS: dict[str, Act] = {
    "move": lambda batch, values, **who: grouping.move(batch, values["image"], to=values["to"], **who),
    "unassign": lambda batch, values, **who: grouping.move(batch, values["image"], to=None, **who),
    "new": lambda batch, values, **who: grouping.create_group(
        batch, name=values["name"], image_ids=values["image"], **who
    ),
    "reject": _decide(Decision.REJECTED),
    "accept": _decide(Decision.ACCEPTED),
    "reset": _decide(Decision.PENDING),
    "rename": lambda batch, values, **who: grouping.edit_group(
        batch, values["label"], values={"name": values["name"]}, **who
    ),
    "merge": lambda batch, values, **who: grouping.merge(
        batch, into=values["to"], sources=[values["label"]], **who
    ),
    "confirm": _edit(status=Status.CONFIRMED),
    "reopen": _edit(status=Status.OPEN),
    "delete": lambda batch, values, **who: grouping.delete_group(batch, values["label"], **who),
}
GONE_AFTER = ("merge", "delete")  # the page of the group that the form stood on


def _back(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    return redirect(next_path(request, reverse("batch-review", args=[batch_id])))


@require_POST
@needs("write")
@shows_refusals(_back)
def act(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Do what the form's button says; `do` may carry the group: `confirm:12`."""
    batch = find(batch_id)
    values = read(ReviewForm(request.POST))
    name, _, label = values["do"].partition(":")
    if name not in ACTS:
        raise ApiError("invalid_choice", phrases.CHOOSE_ACTION)
    values |= {"label": label or values["label"]}
    change = ACTS[name](batch, values, actor=request.user, expected_version=values["version"]).change
    if change is None:
        messages.info(request, phrases.NOTHING_CHANGED)
    else:
        messages.success(request, phrases.step(change))
    return redirect("batch-review", batch_id=batch_id) if name in GONE_AFTER else _back(request, batch_id)
