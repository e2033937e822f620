"""Words about events on the pages: the ordering key, the moment, the time between two."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from markupsafe import Markup

from webhookproxy.events.catalog import CATALOG
from webhookproxy.events.masked import MASK, masked_text
from webhookproxy.models.types import from_ms
from webhookproxy.search.asking import BEHIND_MOST
from webhookproxy.search.typed import more_words
from webhookproxy.web.shared.access import sees_personal
from webhookproxy.web.shared.formats import clock, number, plural

# What an order key (catalog.order_key) is the key of, by the word in front of it.
_KINDS = {
    "call": "Ligação",
    "callhistory": "Histórico",
    "agent": "Agente",
    "chat": "Conversa",
    "protocol": "Protocolo",
    "message": "Mensagem",
    "list": "Lista",
    "campaign": "Campanha",
}
_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


def init_app(app: Flask) -> None:
    """Register the filters of the templates."""
    app.add_template_filter(_shown_key, "key_words")
    for each in (lapse, moment, stamp, described, in_short, more_words, unread):
        app.add_template_filter(each)


def key_words(order_key: str) -> str:
    """Return whose event it is: "Ligação TEL0000001", "Agente 7007"; "Empresa" for no key."""
    kind, _, value = order_key.partition(":")
    if not order_key:
        return "Empresa"
    if kind not in _KINDS or not value:
        return order_key
    # A key that was too long is stored as a hash; its end says nothing.
    return f"{_KINDS[kind]} {value[:13] + '…' if value.startswith('#') else value}"


def _shown_key(order_key: str) -> str:
    """Return key_words; a chat's key may be a telephone, so not every user sees its value."""
    kind, colon, value = order_key.partition(":")
    if value and not sees_personal():
        return key_words(kind + colon + masked_text(value))
    return key_words(order_key) if sees_personal() or not order_key else MASK


def lapse(lasted: int | timedelta) -> str:
    """Return a time as "320 ms", "3,4 s", "3 min 20 s", "1 h 5 min" or "2 dias 3 h".

    A number is one of milliseconds.
    """
    span = max(0, lasted if isinstance(lasted, int) else lasted // timedelta(milliseconds=1))
    if span < _SECOND_MS:
        return f"{span} ms"
    if span < _MINUTE_MS:
        # Cut, not rounded: 59,97 s is not 60,0 s.
        return f"{span // 100 / 10:.1f} s".replace(".", ",").replace(",0 ", " ")
    if span < _HOUR_MS:
        return _two(span, _MINUTE_MS, "min", _SECOND_MS, "s")
    if span < _DAY_MS:
        return _two(span, _HOUR_MS, "h", _MINUTE_MS, "min")
    return _two(span, _DAY_MS, "dia" if span < 2 * _DAY_MS else "dias", _HOUR_MS, "h")


def _two(span: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = span % large // small
    return f"{span // large} {large_name}" + (f" {rest} {small_name}" if rest else "")


def moment(received_ms: int, timezone: str) -> str:
    """Return the exact time: "25/11/2026 10:12:33,123"."""
    local = from_ms(received_ms).astimezone(ZoneInfo(timezone))
    return f"{local:%d/%m/%Y %H:%M:%S},{received_ms % 1000:03}"


def stamp(received_ms: int, timezone: str) -> Markup:
    """Return a `<time>` that shows the time of day and holds the exact time."""
    local = from_ms(received_ms).astimezone(ZoneInfo(timezone))
    return Markup('<time datetime="{}" title="{} ({})">{}</time>').format(
        local.isoformat(timespec="milliseconds"),
        moment(received_ms, timezone),
        timezone,
        clock(received_ms, timezone),
    )


def described(name: str) -> str:
    """Return the catalogue's description of a name; "" if the catalogue does not have it."""
    known = CATALOG.get(name)
    return "" if known is None else known.description


def in_short(name: str) -> str:
    """Return the first sentence of the description."""
    first, dot, _ = described(name).partition(". ")
    return first + "." if dot else first


def unread(behind: int, one: str, many: str) -> str:
    """Return how many events the search has not read, with their word; not all are counted."""
    if behind > BEHIND_MOST:
        return f"mais de {number(BEHIND_MOST)} {many}"
    return plural(behind, one, many)
