"""The review page without scripts: plain forms, each one step of the history, then back to where they came from."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from api.core.errors import ApiError
from batches.groups import operations as grouping
from batches.history.changes import Step
from batches.models import Batch, BatchImage, Group
from batches.pages.presenters import find, seen
from pixproject.web.access import needs, next_path, tell

Decision, Status = BatchImage.Decision, Group.Status
Act = Callable[..., Step]


def _images(data: QueryDict) -> list[uuid.UUID]:
    """The ticked images; what is no id is left out."""
    found = []
    for word in data.getlist("image"):
        try:
            found.append(uuid.UUID(word))
        except ValueError:
            continue
    return found


def _move(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.move(batch, _images(data), to=data.get("to", ""), **who)


def _unassign(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.move(batch, _images(data), to=None, **who)


def _new_group(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.create_group(batch, name=data.get("name", ""), image_ids=_images(data), **who)


def _decide(decision: str) -> Act:
    def act(batch: Batch, data: QueryDict, **who: Any) -> Step:
        reason = data.get("reason", "") if decision == Decision.REJECTED else ""
        return grouping.decide(batch, _images(data), decision=decision, reason=reason, **who)

    return act


def _edit(**values: Any) -> Act:
    def act(batch: Batch, data: QueryDict, **who: Any) -> Step:
        return grouping.edit_group(batch, data.get("label", ""), values=values, **who)

    return act


def _rename(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.edit_group(batch, data.get("label", ""), values={"name": data.get("name", "")}, **who)


def _merge(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.merge(batch, into=data.get("to", ""), sources=[data.get("label", "")], **who)


def _delete(batch: Batch, data: QueryDict, **who: Any) -> Step:
    return grouping.delete_group(batch, data.get("label", ""), **who)


ACTS: dict[str, Act] = {
    "move": _move,
    "unassign": _unassign,
    "new": _new_group,
    "reject": _decide(Decision.REJECTED),
    "accept": _decide(Decision.ACCEPTED),
    "reset": _decide(Decision.PENDING),
    "rename": _rename,
    "merge": _merge,
    "confirm": _edit(status=Status.CONFIRMED),
    "reopen": _edit(status=Status.OPEN),
    "delete": _delete,
}
GONE_AFTER = ("merge", "delete")  # the page of the group that the form stood on


@require_POST
@needs("write")
def act(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Do what the form's button says; `do` may carry the group: `confirm:12`."""
    batch = find(batch_id)
    data = request.POST.copy()
    name, _, label = data.get("do", "").partition(":")
    if label:
        data["label"] = label
    try:
        if name not in ACTS:
            messages.error(request, "Choose what to do.")
        else:
            _show_step(request, ACTS[name](batch, data, actor=request.user, seen=seen(request)))
            if name in GONE_AFTER:
                return redirect("batch-review", batch_id=batch.pk)
    except ApiError as error:
        tell(request, error)
    return redirect(next_path(request, reverse("batch-review", args=[batch.pk])))


def _show_step(request: HttpRequest, step: Step) -> None:
    if step.change is None:
        messages.info(request, "Nothing changed.")
    else:
        messages.success(request, f"{capfirst(step.change.summary)}.")
