"""What a group may be called and look like."""

import re
from collections.abc import Mapping
from typing import Any

from api.core.errors import invalid_choice, invalid_field
from api.core.phrases import UNSTORABLE, too_long
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
        raise invalid_field(
            "label", f"{label!r} is reserved for images without a group. Choose another label."
        )
    if label in (*ACTIONS, ".", ".."):
        raise invalid_field("label", f"{label!r} is a reserved word. Choose another label.")
    if not 1 <= len(label) <= MAX_LABEL or not label.isprintable() or "/" in label:
        detail = f"{label[:MAX_LABEL]!r} is not a valid label. Use 1 to {MAX_LABEL} printable characters without /."
        raise invalid_field("label", detail)
    return label


def checked_name(name: str) -> str:
    return checked_text("name", name, limit=MAX_NAME)


def checked_text(field: str, text: str, *, limit: int) -> str:
    """A text of a person without the blanks around it.

    Raises:
        ApiError: 400 where it is longer than `limit` characters or cannot be stored.
    """
    text = text.strip()
    if len(text) > limit:
        raise invalid_field(field, too_long(len(text), limit))
    if has_unstorable_characters(text):
        raise invalid_field(field, UNSTORABLE)
    return text


def checked_colour(colour: str) -> str:
    if colour and not _COLOUR.match(colour):
        raise invalid_field("colour", "Enter a colour such as #e11d48.")
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
        raise invalid_choice("status", checked["status"], Group.Status.values)
    return checked
