"""Text that PostgreSQL cannot store: NUL characters and half surrogate pairs, at any depth of a JSON value."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def has_unstorable_characters(value: Any) -> bool:
    """Whether a text, or any text within a list or an object, has such a character."""
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, dict):
        return any(has_unstorable_characters(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return any(map(has_unstorable_characters, value))
    return False
