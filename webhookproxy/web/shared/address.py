"""The words that addresses of lists have in common: periods, ids, the query of another page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from flask import abort

from webhookproxy.web.shared import figures

_HOUR_MS = 3_600_000
PERIODS = {"": "Tudo", "1h": "Última hora", "hoje": "Hoje", "24h": "24 horas", "7d": "7 dias"}
_LENGTHS = {"1h": _HOUR_MS, "24h": 24 * _HOUR_MS, "7d": 7 * 24 * _HOUR_MS}
# Where more could be chosen than these, one chooses on a company's page.
CHOICES_MAX = 200


def period_begins(period: str, timezone: str) -> int | None:
    """Return when one of PERIODS began, in milliseconds since 1970; None for "Tudo"."""
    if period == "hoje":
        return figures.first_hour_of_today(timezone) * _HOUR_MS
    return round(time.time() * 1000) - _LENGTHS[period] if period else None


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
