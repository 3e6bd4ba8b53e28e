"""Text: what PostgreSQL cannot store, and sizes as people read them."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def has_unstorable_characters(value: Any) -> bool:
    """Whether a text, or any text within a list or an object, has such a character."""
    open_values = [value]  # not by recursion: JSON may be nested more deeply than Python calls
    while open_values:
        part = open_values.pop()
        if isinstance(part, str):
            if _UNSTORABLE.search(part):
                return True
        elif isinstance(part, dict):
            open_values += [*part, *part.values()]
        elif isinstance(part, list | tuple):
            open_values += part
    return False


def is_deeper_than(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested in more than `limit` levels."""
    level = [value]
    for _ in range(limit + 1):
        containers = [part for part in level if isinstance(part, dict | list | tuple)]
        if not containers:
            return False
        level = [
            inner for part in containers for inner in (part.values() if isinstance(part, dict) else part)
        ]
    return True


def byte_size(value: int) -> str:
    """1234567 -> '1.2 MB' (decimal units, as file managers show them)."""
    if value < 1000:
        return f"{value} B"
    size = float(value)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"
    return f"{size / 1000:.1f} TB"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# A spreadsheet takes a cell that begins so for a formula, also in wide characters; one that separates cells by
# semicolons does so behind each of them.
_FORMULA = re.compile(r"(^|;)(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def plain_cell(value: Any) -> Any:
    """A value for a CSV file, on one line, that no spreadsheet takes for a formula."""
    return _FORMULA.sub(r"\1'\2", _CONTROL.sub(" ", value)) if isinstance(value, str) else value
