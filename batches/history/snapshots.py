"""Rows as values: read, compared and written by their keys, for changes that know their way back.

State: {table: {key: {cell: value}, or None where the row is absent}}. Values are those that JSON gives back.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime

from batches.models import Batch, BatchImage, Group
from images.models import DuplicatePair

Values = dict[str, Any] | None
State = dict[str, dict[str, Values]]

# Cell to attribute. A row's own place is written when it is made and never again.
IMAGE = {
    "group": "group_id",
    "assigned_by": "assigned_by",
    "locked": "locked",
    "probability": "probability",
    "outlier_score": "outlier_score",
    "decision": "decision",
    "reject_reason": "reject_reason",
}
PLACE = {"position": "position", "added_by": "added_by_id", "added_at": "added_at"}
GROUP = {"label": "label", "name": "name", "colour": "colour", "cover": "cover_id", "status": "status"}
PAIR = {"verdict": "verdict", "decided_by": "decided_by_id", "decided_at": "decided_at"}
BATCH = {"active_run": "active_run_id"}
ATTRIBUTES: dict[str, dict[str, str]] = {
    "images": {**IMAGE, **PLACE},
    "groups": GROUP,
    "pairs": PAIR,
    "batch": BATCH,
}
TIMES = ("added_at", "decided_at")
PEOPLE = ("added_by", "decided_by")


def values_of(table: str, row: Model) -> dict[str, Any]:
    """A row's cells."""
    return {cell: plain(getattr(row, attribute)) for cell, attribute in ATTRIBUTES[table].items()}


def plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def read(batch: Batch, rows_by_table: Mapping[str, Iterable[str]]) -> State:
    """The rows of these keys as they are now."""
    state: State = {}
    for table, keys in rows_by_table.items():
        named = list(keys)
        state[table] = dict.fromkeys(named)
        for row in _rows(batch, table, named):
            state[table][key_of(table, row)] = values_of(table, row)
    return state


def _rows(batch: Batch, table: str, keys: list[str]) -> Iterable[Model]:
    if table == "batch":
        return [batch]
    rows: dict[str, QuerySet] = {
        "images": BatchImage.objects.filter(batch=batch, image_id__in=keys),
        "groups": Group.objects.filter(batch=batch, pk__in=keys),
        "pairs": DuplicatePair.objects.filter(pk__in=keys),
    }
    return rows[table]


def key_of(table: str, row: Model) -> str:
    return str(row.image_id if isinstance(row, BatchImage) else row.pk)


def difference(before: State, after: State) -> tuple[State, State]:
    """What differs, as (forward, inverse); a row that both have is described by the cells that differ."""
    forward: State = {}
    inverse: State = {}
    for table, rows in after.items():
        for key, values in rows.items():
            old = before[table][key]
            if old == values:
                continue
            if old is not None and values is not None:
                changed = [cell for cell in values if values[cell] != old[cell]]
                old, values = {c: old[c] for c in changed}, {c: values[c] for c in changed}
            forward.setdefault(table, {})[key] = values
            inverse.setdefault(table, {})[key] = old
    return forward, inverse


def apply_patch(current: State, patch: State) -> State:
    """The whole rows after `patch` is written over `current`."""
    return {
        table: {
            key: None if values is None else {**(current[table][key] or {}), **values}
            for key, values in rows.items()
        }
        for table, rows in patch.items()
    }


def inverse_of(current: State, patch: State) -> State:
    """What `current` has in those cells that `patch` sets: its inverse."""
    return {
        table: {key: _narrow(current[table][key], values) for key, values in rows.items()}
        for table, rows in patch.items()
    }


def _narrow(current: Values, values: Values) -> Values:
    return current if current is None or values is None else {cell: current[cell] for cell in values}


def drop_deleted_users(state: State) -> State:
    """The same without accounts that were deleted since: the database has emptied their places in the rows, too."""
    named = {
        values[cell]
        for rows in state.values()
        for values in rows.values()
        for cell in PEOPLE
        if values and values.get(cell) is not None
    }
    if not named:
        return state
    lost = named - set(get_user_model().objects.filter(pk__in=named).values_list("pk", flat=True))
    return {
        table: {key: _emptied(values, lost) for key, values in rows.items()} for table, rows in state.items()
    }


def _emptied(values: Values, lost: set[Any]) -> Values:
    if values is None:
        return None
    return {cell: None if cell in PEOPLE and value in lost else value for cell, value in values.items()}


def write(batch: Batch, changed: State, after: State) -> None:
    """Write the rows that `changed` names as `after` has them: groups come first and go last."""
    target = {table: {key: after[table][key] for key in rows} for table, rows in changed.items()}
    groups = target.get("groups", {})
    _write_groups(batch, {key: values for key, values in groups.items() if values is not None})
    _write_images(batch, target.get("images", {}))
    if gone := [key for key, values in groups.items() if values is None]:
        Group.objects.filter(batch=batch, pk__in=gone).delete()
    # A pair is never made or removed by a change: only its verdict is.
    if pairs := [{"pair": key, **values} for key, values in target.get("pairs", {}).items() if values]:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE_PAIRS, [json.dumps(pairs)])
    for values in target.get("batch", {}).values():
        for attribute, value in _attributes("batch", values).items():
            setattr(batch, attribute, value)
        batch.save(update_fields=[*(values or {}), "updated_at"])


def _attributes(table: str, values: Values) -> dict[str, Any]:
    names = ATTRIBUTES[table]
    return {
        names[cell]: parse_datetime(value) if cell in TIMES and value else value
        for cell, value in (values or {}).items()
    }


def _write_groups(batch: Batch, groups: Mapping[str, Values]) -> None:
    existing = {str(group.pk): group for group in Group.objects.filter(batch=batch, pk__in=groups)}
    new = [
        Group(pk=key, batch=batch, **_attributes("groups", values))
        for key, values in groups.items()
        if key not in existing
    ]
    Group.objects.bulk_create(new, batch_size=1000)
    for key, group in existing.items():
        for attribute, value in _attributes("groups", groups[key]).items():
            setattr(group, attribute, value)
    Group.objects.bulk_update(existing.values(), list(GROUP), batch_size=500)


_UPDATE = """
UPDATE batches_batchimage m SET group_id = r."group", assigned_by = r.assigned_by, locked = r.locked,
    probability = r.probability, outlier_score = r.outlier_score, decision = r.decision,
    reject_reason = r.reject_reason
FROM jsonb_to_recordset(%s::jsonb) AS r(image uuid, "group" uuid, assigned_by text, locked boolean,
    probability float8, outlier_score float8, decision text, reject_reason text)
WHERE m.batch_id = %s AND m.image_id = r.image"""


def _write_images(batch: Batch, images: Mapping[str, Values]) -> None:
    """Thousands of rows that all differ in one statement."""
    existing = {
        str(key)
        for key in BatchImage.objects.filter(batch=batch, image_id__in=images).values_list("image", flat=True)
    }
    gone = [key for key, values in images.items() if values is None]
    BatchImage.objects.filter(batch=batch, image_id__in=gone).delete()
    fresh = [
        BatchImage(batch=batch, image_id=key, **_attributes("images", values))
        for key, values in images.items()
        if values and key not in existing
    ]
    BatchImage.objects.bulk_create(fresh, batch_size=1000)
    kept = [{"image": key, **values} for key, values in images.items() if values and key in existing]
    if kept:
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [json.dumps(kept), batch.pk])


_UPDATE_PAIRS = """
UPDATE images_duplicatepair p SET verdict = r.verdict, decided_by_id = r.decided_by, decided_at = r.decided_at
FROM jsonb_to_recordset(%s::jsonb) AS r(pair uuid, verdict text, decided_by bigint, decided_at timestamptz)
WHERE p.id = r.pair"""
