"""The words that addresses of lists have in common: periods, ids, the query of another page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import abort
from werkzeug.routing import BaseConverter, ValidationError

from webhookproxy.database.clock import ms_now
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.formats import span

_HOUR_MS = 3_600_000
PERIODS = {"": "Tudo", "1h": "Última hora", "hoje": "Hoje", "24h": "24 horas", "7d": "7 dias"}
_LENGTHS = {"1h": _HOUR_MS, "24h": 24 * _HOUR_MS, "7d": 7 * 24 * _HOUR_MS}
# Where more could be chosen than these, one chooses on a company's page.
CHOICES_MAX = 200


# An hour or a minute, by its number since 1970.
_ONE_SLOT = re.compile(r"(?:h\d{6}|m\d{8})")
_SLOTS = {"h": _HOUR_MS, "m": 60_000}
# The calendar's first and last days have no moment in some zones.
_ONE_DAY = re.compile(r"d((?:19|20)\d{2}-\d{2}-\d{2})")


def day_period(day: date) -> str:
    """Return the word in an address for one day."""
    return f"d{day.isoformat()}"


def check_period(period: str) -> None:
    """Answer 404 to what is neither one of PERIODS nor one hour, minute or day."""
    if period not in PERIODS:
        period_span(period, "UTC")


def period_span(period: str, timezone: str) -> tuple[int | None, int | None]:
    """Return when a period began and ended, in milliseconds since 1970; None for no bound.

    Answers 404 to a text that is no period.
    """
    if period in PERIODS:
        return period_begins(period, timezone), None
    if _ONE_SLOT.fullmatch(period):
        length, number = _SLOTS[period[0]], int(period[1:])
        return number * length, (number + 1) * length
    day = _ONE_DAY.fullmatch(period)
    try:
        first = date.fromisoformat(day[1] if day else "")
    except ValueError:
        abort(404)
    begins, ends = (
        datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(timezone))
        for each in (first, first + timedelta(days=1))
    )
    return round(begins.timestamp() * 1000), round(ends.timestamp() * 1000)


def period_name(period: str, timezone: str) -> str:
    """Return the words of a period: "Hoje", "23/11, das 14h às 15h", "23/11"."""
    if period in PERIODS:
        return PERIODS[period]
    begins, ends = (each or 0 for each in period_span(period, timezone))
    return span(begins // 1000, (ends - begins) // 1000, timezone)


def periods_with(period: str, timezone: str) -> dict[str, str]:
    """Return the periods to choose from by their words: PERIODS, and the chosen one."""
    return {**PERIODS, period: period_name(period, timezone)}


def period_begins(period: str, timezone: str) -> int | None:
    """Return when one of PERIODS began, in milliseconds since 1970; None for "Tudo"."""
    if period == "hoje":
        return figures.first_hour_of_today(timezone) * _HOUR_MS
    return ms_now() - _LENGTHS[period] if period else None


def number_of(text: str, kind: str) -> int | None:
    """Return the number in an id of that kind, None for no text. Answers 404 to anything else."""
    if not text:
        return None
    prefix, _, number = text.partition("_")
    if prefix != kind:
        abort(404)
    return digits(number)


def digits(text: str, most: int = 18) -> int:
    """Return the number that a text of at most `most` digits is. Answers 404 to anything else."""
    if not (text.isascii() and text.isdigit()) or len(text) > most:
        abort(404)
    return int(text)


def query_of(fields: Mapping[str, object]) -> str:
    """Return the query of an address with those fields that are not empty."""
    return "?" + urlencode({name: value for name, value in fields.items() if value})


class PublicId(BaseConverter):
    """An id such as `company_12` in an address, which views get as the number 12."""

    regex = "[a-z]+_[1-9][0-9]{0,17}"
    kind = ""

    def to_python(self, value: str) -> int:
        """Return the number. Raises ValidationError, which answers 404, for another kind of id."""
        kind, _, number = value.partition("_")
        if kind != self.kind:
            raise ValidationError
        return int(number)

    def to_url(self, value: int) -> str:
        """Return the id with its kind."""
        return f"{self.kind}_{value}"
