"""Make any value into JSON that a PostgreSQL jsonb column takes."""

import math
from collections.abc import Mapping
from typing import Any

from processing.algorithms.metadata.texts import as_utf8, comment, up_to_nul

_MAX_TEXT = 1_000
_MAX_ITEMS = 100
_MAX_DEPTH = 4
_MAX_INTEGER = 2**63 - 1


def json_safe(value: Any, *, depth: int = 0) -> Any:
    """Convert a metadata value to plain JSON.

    Texts end at their first NUL, read as Latin-1 they become the UTF-8 that they are; control characters and lone
    surrogates are dropped. Numbers that are not finite become None, bytes become text where they are printable and
    otherwise a remark of their length; long texts and lists are cut.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(as_utf8(value))
    if isinstance(value, bytes):
        return _from_bytes(value)
    is_container = isinstance(value, Mapping | list | tuple | set | frozenset)
    if not is_container:
        return _from_number(value)
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return {clean(str(key)): json_safe(item, depth=depth + 1) for key, item in items}
    return [json_safe(item, depth=depth + 1) for item in list(value)[:_MAX_ITEMS]]


def clean(text: str) -> str:
    """A text that PostgreSQL, JSON and a page can show: it ends at a NUL and has no control characters."""
    kept = (letter for letter in up_to_nul(text)[:_MAX_TEXT] if letter in "\n\t" or not _is_control(letter))
    return "".join(kept).encode("utf-8", "ignore").decode("utf-8")


def _is_control(letter: str) -> bool:
    return letter < " " or "\x7f" <= letter <= "\x9f"


def _from_number(value: Any) -> int | float | str | None:
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INTEGER else None
    try:
        number = float(value)  # also rationals, which may have a zero denominator
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) <= _MAX_INTEGER else number


def _from_bytes(value: bytes) -> str:
    named = comment(value, is_little_endian=True)
    if named is not None:
        return clean(named)
    body = value.rstrip(b"\x00")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"
    return clean(text) if text.isprintable() else f"<{len(value)} bytes>"
