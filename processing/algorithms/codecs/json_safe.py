"""Make any value into JSON that a PostgreSQL jsonb column takes."""

import math
from collections.abc import Mapping
from typing import Any

_MAX_TEXT = 1_000
_MAX_ITEMS = 100
_MAX_DEPTH = 4
_MAX_INTEGER = 2**63 - 1


def json_safe(value: Any, *, depth: int = 0) -> Any:
    """Convert a metadata value to plain JSON.

    NUL characters and lone surrogates are dropped from text, numbers that are not finite become None, bytes
    become text where they are printable and otherwise a remark of their length; long texts and lists are cut.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, bytes):
        return _from_bytes(value)
    is_container = isinstance(value, Mapping | list | tuple | set | frozenset)
    if not is_container:
        return _from_number(value)
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return {_clean(str(key)): json_safe(item, depth=depth + 1) for key, item in items}
    return [json_safe(item, depth=depth + 1) for item in list(value)[:_MAX_ITEMS]]


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
    # EXIF UserComment begins with eight bytes that name its encoding
    body = value.removeprefix(b"ASCII\x00\x00\x00").rstrip(b"\x00")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"
    return _clean(text) if text.isprintable() else f"<{len(value)} bytes>"


def _clean(text: str) -> str:
    without_nul = text.replace("\x00", "")[:_MAX_TEXT]
    return without_nul.encode("utf-8", "ignore").decode("utf-8")
