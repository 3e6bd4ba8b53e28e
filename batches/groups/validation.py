"""What a group may be called and look like."""

import re
from collections.abc import Mapping
from typing import Any

from api.core.errors import ErrorCode, invalid_field
from batches.history.edit import MAX_LABEL
from batches.models import Group
from pixproject.web.base.text import has_unstorable_characters

MAX_NAME = 200
UNASSIGNED = ("unassigned", "noise", "-1", "")  # words for no group, which no group may have as its label
ACTIONS = ("merge", "split", "move", "decide", "lock")  # what stands in addresses where labels do
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")


def checked_label(label: str | None) -> str | None:
    if label is None:
        return None
    label = label.strip()
    if label.lower() in UNASSIGNED:
        raise invalid_field("label", f"{label!r} stands for images without a group.")
    if label in (*ACTIONS, ".", ".."):
        raise invalid_field("label", f"{label!r} is a word of the groups' addresses; choose another one.")
    if not 1 <= len(label) <= MAX_LABEL or not label.isprintable() or "/" in label:
        detail = f"{label[:MAX_LABEL]!r}: 1 to {MAX_LABEL} printable characters without / are allowed."
        raise invalid_field("label", detail)
    return label


def checked_name(name: str) -> str:
    name = name.strip()
    if len(name) > MAX_NAME or has_unstorable_characters(name):
        raise invalid_field("name", f"{len(name)} characters; the limit is {MAX_NAME}.")
    return name


def checked_colour(colour: str) -> str:
    if colour and not _COLOUR.match(colour):
        raise invalid_field("colour", f"{colour[:20]!r} is no colour such as #e11d48.")
    return colour.lower()


def checked_values(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    if "label" in checked:
        checked["label"] = checked_label(checked["label"])
    if "name" in checked:
        checked["name"] = checked_name(checked["name"])
    if "colour" in checked:
        checked["colour"] = checked_colour(checked["colour"])
    if checked.get("status", Group.Status.OPEN) not in Group.Status.values:
        raise invalid_field(
            "status",
            f"{str(checked['status'])[:20]!r} is neither open nor confirmed.",
            code=ErrorCode.INVALID_CHOICE,
        )
    return checked
