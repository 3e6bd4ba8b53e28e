"""Reading a list by cursor: a page begins behind the last row of the one before, whatever came or went meanwhile.

A cursor holds the values of the ordering fields at a place between two rows, never how many rows lie before it: that
number changes with every row that others add or delete. Django REST framework's own cursors count again among equal
values and look only at the first ordering field, so that deleting one of many equal rows makes them leave rows out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet

from api.core.errors import invalid_field

FOREIGN = (
    "This is not a cursor of this list in this order. Take it from next or previous, or send an empty one to "
    "start from the beginning."
)


@dataclass(frozen=True)
class Place:
    """A place in a list, and the direction to read in from there."""

    values: Sequence[Any]  # one for each ordering field, of the row at that place
    is_backward: bool = False
    is_inclusive: bool = False  # whether that row, should it be there again, belongs to the page


@dataclass(frozen=True)
class CursorPage:
    rows: list[Any]
    next: Place | None
    previous: Place | None


class _CompactJson:
    """Cursors are part of addresses, whose length is limited, and hold file names."""

    def dumps(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_as_text)
        return text.encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


def _as_text(value: Any) -> str:
    # To the microsecond, where Django's own encoder stops at milliseconds.
    return value.isoformat() if isinstance(value, datetime) else str(value)


def total_order(queryset: QuerySet[Any]) -> list[str]:
    """The names that a list is ordered by, with its key at the end: no two rows are equal in all of them."""
    key = queryset.model._meta.pk.name
    order: dict[str, str] = {}
    names: Any = queryset.query.order_by or queryset.model._meta.ordering
    for name in names:
        plain = name.removeprefix("-")
        if plain in ("pk", key):
            return [*order.values(), name]
        order.setdefault(plain, name)
    return [*order.values(), f"-{key}"]


def written(place: Place, *, order: Sequence[str], path: str) -> str:
    """A cursor as text, which `read_cursor` takes for the same list in the same order only."""
    value = [place.values, place.is_backward, place.is_inclusive]
    return signing.dumps(value, salt=_salt(order, path), serializer=_CompactJson, compress=True)


def read_cursor(text: str, *, order: Sequence[str], path: str) -> Place | None:
    """The place that a cursor means; None for an empty one, the beginning.

    Raises:
        ApiError: 400 if it was changed, or comes from another list or order.
    """
    if not text:
        return None
    try:
        return Place(*signing.loads(text, salt=_salt(order, path), serializer=_CompactJson))
    except signing.BadSignature:
        raise invalid_field("cursor", FOREIGN) from None


def _salt(order: Sequence[str], path: str) -> str:
    return f"cursor of {path.rstrip('/')} by {','.join(order)}"


def page_at(queryset: QuerySet[Any], place: Place | None, *, size: int) -> CursorPage:
    """The rows from a place on, in the list's order also when they are read backward."""
    order = total_order(queryset)
    is_backward = place is not None and place.is_backward
    direction = [_reversed(name) for name in order] if is_backward else order
    ordered = queryset.order_by(*direction)
    if place is not None:
        ordered = ordered.filter(_from(queryset.model, direction, place))
    rows = list(ordered[: size + 1])
    has_more = len(rows) > size
    rows = rows[:size]
    if is_backward:
        rows.reverse()
    if rows:
        after = Place([_value(rows[-1], name) for name in order])
        before = Place([_value(rows[0], name) for name in order], is_backward=True)
    elif place is not None:  # all rows on this side are gone; the way back begins at the same place
        after = Place(place.values, is_inclusive=not place.is_inclusive)
        before = Place(place.values, is_backward=True, is_inclusive=not place.is_inclusive)
    else:
        return CursorPage([], None, None)
    return CursorPage(
        rows,
        next=after if has_more or is_backward else None,
        previous=before if (has_more if is_backward else place is not None) else None,
    )


def _reversed(name: str) -> str:
    return name.removeprefix("-") if name.startswith("-") else f"-{name}"


def _value(row: Any, name: str) -> Any:
    for part in name.removeprefix("-").split("__"):
        row = getattr(row, part, None)
    return row


def _from(model: type[Model], order: Sequence[str], place: Place) -> Q:
    """The condition on rows that come after a place. In PostgreSQL, nulls come last, or first where it descends."""
    condition: Any = None
    for name, value in reversed(list(zip(order, place.values, strict=True))):
        field, is_descending = name.removeprefix("-"), name.startswith("-")
        is_null = Q(**{f"{field}__isnull": True})
        equal = is_null if value is None else Q(**{field: value})
        if condition is not None:
            equal &= condition
        further: Any = None
        if value is None:
            further = ~is_null if is_descending else None
        elif is_descending:
            further = Q(**{f"{field}__lt": value})
        else:
            further = Q(**{f"{field}__gt": value})
            further = further | is_null if _can_be_null(model, field) else further
        if condition is None and not place.is_inclusive:
            condition = further  # the key, which is never null
        else:
            condition = equal if further is None else further | equal
    first, value = order[0].removeprefix("-"), place.values[0]
    if value is None or (not order[0].startswith("-") and _can_be_null(model, first)):
        return Q(condition)
    # Implied by the rest; an index can begin here, where it cannot be asked for alternatives.
    bound = "lte" if order[0].startswith("-") else "gte"
    return Q(condition, **{f"{first}__{bound}": value})


def _can_be_null(model: type[Model], name: str) -> bool:
    current: Any = model
    can_be_null = False
    for part in name.split("__"):
        fields = {field.name: field for field in current._meta.fields}
        fields |= {field.attname: field for field in current._meta.fields}
        if part not in fields:
            return True  # computed by the query
        can_be_null |= fields[part].null
        current = fields[part].related_model
    return can_be_null
