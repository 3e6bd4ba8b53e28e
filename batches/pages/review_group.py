"""One group opened: its images in the requested order, a screenful at a time."""

import math
from collections.abc import MutableMapping
from typing import Any

from django.db.models import Case, F, FloatField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from batches.models import Batch, BatchImage, Group
from batches.pages import review_presenter

IMAGES_PER_PAGE = 120
BY_PLACE, UNSURE = "place", "unsure"
ORDERS = {BY_PLACE: "As added", UNSURE: "Least certain first"}
REMEMBERED = "review_pictures"  # in the session: people go from group to group in one order
BY_PERSON, REJECTED = 2.0, 3.0  # after every probability: nobody needs to look at these again


def order_of(requested: str, session: MutableMapping[str, Any]) -> str:
    """The order that the address asks for, or else the one of the last group that was opened."""
    if requested in ORDERS:
        if session.get(REMEMBERED, BY_PLACE) != requested:
            session[REMEMBERED] = requested
        return requested
    remembered = session.get(REMEMBERED)
    return remembered if remembered in ORDERS else BY_PLACE


def with_sureness(members: QuerySet[BatchImage]) -> QuerySet[Any]:
    """`sureness` of each picture in its group: its probability; what a person decided comes after the others."""
    by_person = Q(assigned_by__in=[BatchImage.AssignedBy.MANUAL, BatchImage.AssignedBy.IMPORT])
    is_sure = by_person | Q(locked=True) | Q(decision=BatchImage.Decision.ACCEPTED)
    sureness = Case(
        When(decision=BatchImage.Decision.REJECTED, then=Value(REJECTED)),
        When(is_sure, then=Value(BY_PERSON)),
        default=Coalesce(F("probability"), Value(1.0)),
        output_field=FloatField(),
    )
    return members.annotate(sureness=sureness)


def pictures(
    batch: Batch, group: Group | None, *, order: str = BY_PLACE, after: str = ""
) -> tuple[list[BatchImage], str]:
    """A screenful of a group's images (None: of those in none), and the cursor of the next one or "".

    A cursor is a place in the order: it holds though its image be gone.
    """
    members = with_sureness(review_presenter.members(BatchImage.objects.filter(batch=batch, group=group)))
    sureness, position = _place(after)
    if order == UNSURE:
        following = Q(sureness__gt=sureness) | Q(sureness=sureness, position__gt=position)
        members = members.filter(following).order_by("sureness", "position", "pk")
    else:
        members = members.filter(position__gt=position).order_by("position", "pk")
    rows = list(members[: IMAGES_PER_PAGE + 1])
    shown = rows[:IMAGES_PER_PAGE]
    return shown, f"{shown[-1].sureness!r}_{shown[-1].position}" if len(rows) > len(shown) else ""


def _place(cursor: str) -> tuple[float, int]:
    """Sureness and position of a cursor; of something else the beginning."""
    words = cursor.split("_")
    try:
        sureness, position = float(words[0]), int(words[1])
    except (ValueError, IndexError):
        return -1.0, -1
    is_place = math.isfinite(sureness) and -1 <= position < 2**31
    return (sureness, position) if is_place else (-1.0, -1)
