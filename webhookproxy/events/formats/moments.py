"""Moments in every form that 3C Plus and the lists of its users write them.

A time that names no zone is Brasília's, as in the 3C Plus API. A date stays a date.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Sao_Paulo")
_UNIX = re.compile(r"[0-9]{9,10}", re.ASCII)
_UNIX_MS = re.compile(r"[0-9]{12,13}", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_BRAZILIAN = re.compile(r"(\d\d)[/-](\d\d)[/-](\d{4})(?:,? +(\d\d):(\d\d)(?::(\d\d))?)?", re.ASCII)
_LENGTH_MAX = 40

Moment = datetime | date


def read_moment(text: str) -> Moment | None:
    """Return the moment that a text writes, in ZONE; None if it writes none."""
    text = text.strip()
    if not text or len(text) > _LENGTH_MAX:
        return None
    try:
        return _moment(text)
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> Moment:
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text), ZONE)
    if _UNIX_MS.fullmatch(text):
        return datetime.fromtimestamp(int(text) // 1000, ZONE)
    if _ISO_DATE.fullmatch(text):
        return date.fromisoformat(text)
    if found := _BRAZILIAN.fullmatch(text):
        day, month, year, hour, minute, second = (int(each or 0) for each in found.groups())
        if found[4] is None:
            return date(year, month, day)
        return datetime(year, month, day, hour, minute, second, tzinfo=ZONE)
    moment = datetime.fromisoformat(text)
    return moment.astimezone(ZONE) if moment.tzinfo else moment.replace(tzinfo=ZONE)


def iso(moment: Moment) -> str:
    """Return "2024-01-01T09:00:00-03:00", or a date's "2024-01-01"."""
    if isinstance(moment, datetime):
        return moment.isoformat(timespec="seconds")
    return moment.isoformat()


def brazilian(moment: Moment) -> str:
    """Return "01/01/2024 09:00", or a date's "01/01/2024"."""
    day = f"{moment.day:02}/{moment.month:02}/{moment.year:04}"
    return f"{day} {moment.hour:02}:{moment.minute:02}" if isinstance(moment, datetime) else day


def unix(moment: Moment) -> int:
    """Return seconds since 1970; for a date, of its midnight in Brasília."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=ZONE)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
