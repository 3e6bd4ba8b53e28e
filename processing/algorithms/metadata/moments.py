"""Dates as cameras and programs write them, and the ISO 8601 that is kept of them."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

# Years 1 and 9999 are "no date" and "for ever" in several systems, and their UTC value may lie outside of what
# Python can hold: PostgreSQL would store it, and nobody could read the row again.
FIRST_YEAR, LAST_YEAR = 2, 9998
_DATE = r"(?P<year>\d{4})(?P<mark>[:\-/.]?)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
_CLOCK = (
    r"(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?(?!\d)\s*(?P<half>[AaPp][Mm])?"
)
_ZONE = r"(?:UTC|GMT)?(?P<zone>[Zz]|(?P<sign>[+\-\u2212])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?)(?!\d)"
_MOMENT = re.compile(rf"\s*{_DATE}(?:(?:[Tt_]|\s+){_CLOCK}\s*(?:{_ZONE})?|\s*$)")
_OFFSET = re.compile(rf"\s*{_ZONE}")
_MAX_OFFSET_HOURS = 15


def moment(text: str | None, offset: str | None = None) -> str | None:
    """ISO 8601 of a date that metadata state, without fractions of a second.

    Read are the separators `:`, `-`, `/`, `.` and none, a `T` or blanks before the time, a zone inside the text, dates
    without a time (midnight) and times without seconds. An hour of 24 is that of clocks which count from 1 to 24:
    the first hour of the same day.

    Args:
        text: the date and perhaps the time.
        offset: the UTC offset where it is stated apart (EXIF 2.31): `+02:00`, `-5:00`, `+0530`, `Z`.

    Returns:
        None where it is no date from the year 2 to 9998.
    """
    found = _MOMENT.match(text or "")
    if found is None:
        return _from_mail_date(text)
    try:
        hour = _hour(int(found["hour"] or 0), found["half"])
        clock = (hour, int(found["minute"] or 0), int(found["second"] or 0))
        local = datetime(int(found["year"]), int(found["month"]), int(found["day"]), *clock)
    except ValueError:
        return None
    zone = _zone(found) if found["zone"] else _zone(_OFFSET.match(offset or ""))
    return _within_bounds(local.replace(tzinfo=zone))


def first_moment(candidates: Iterable[tuple[str | None, str | None]]) -> str | None:
    """The first of several dates that can be read."""
    return next((found for text, offset in candidates if (found := moment(text, offset))), None)


def _hour(hour: int, half: str | None) -> int:
    if half:
        return hour % 12 + (12 if half.lower() == "pm" else 0)
    return 0 if hour == 24 else hour


def _zone(found: re.Match[str] | None) -> timezone | None:
    if found is None:
        return None
    hours, minutes = int(found["hours"] or 0), int(found["minutes"] or 0)
    if hours > _MAX_OFFSET_HOURS or minutes > 59:
        return None
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if found["sign"] in ("-", "\u2212") else offset)


def _from_mail_date(text: str | None) -> str | None:
    """The date of RFC 2822, which the PNG specification suggests for its texts."""
    try:
        return _within_bounds(parsedate_to_datetime(text or ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _within_bounds(found: datetime) -> str | None:
    return found.isoformat() if FIRST_YEAR <= found.year <= LAST_YEAR else None
