"""A request to resend a webhook's deliveries, as the form and the address say it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import abort
from werkzeug.datastructures import MultiDict

from webhookproxy.database.clock import utc_now
from webhookproxy.models.deliveries.missed import Wanted
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import DeliveryState
from webhookproxy.web.shared.address import digits, period_begins

TYPED = "outro"
SINCE = {
    "1h": "Última hora",
    "hoje": "Hoje",
    "24h": "Últimas 24 horas",
    "7d": "Últimos 7 dias",
    "tudo": "Tudo o que há",
    TYPED: "Desde o dia e a hora digitados",
}
STATES = {
    "recusada": ("Recusadas", DeliveryState.REFUSED),
    "expirada": ("Expiradas", DeliveryState.EXPIRED),
    "cancelada": ("Canceladas", DeliveryState.CANCELLED),
}
# A delivery that was cancelled was not wanted.
_USUAL = ("recusada", "expirada")


@dataclass(frozen=True, slots=True)
class ResendRequest:
    """Since when ("outro": `typed`), which states, which event, which group of refusals.

    `problem` says what is wrong.
    """

    since: str = "24h"
    typed: str = ""
    states: tuple[str, ...] = _USUAL
    event: str = ""
    group: int | None = None
    since_ms: int | None = None
    problem: str = ""

    @classmethod
    def read(cls, given: MultiDict[str, str], timezone: str) -> ResendRequest:
        """Return the request in an address or a form; the usual one if that says nothing."""
        since, typed = given.get("desde", "24h"), given.get("hora", "").strip()[:40]
        asked = given.getlist("situacao")
        if since not in SINCE or not set(asked) <= STATES.keys():
            abort(404)
        states = tuple(word for word in STATES if word in asked)
        states = states if "desde" in given else _USUAL
        event = given.get("evento", "").strip()[:200]
        group = digits(given["grupo"], 18) if given.get("grupo") else None
        since_ms, problem = read_since(since, typed, timezone)
        if not states:
            problem = "Marque ao menos uma: recusadas, expiradas ou canceladas."
        # A browser's time field cannot show what is no time.
        typed = "" if since == TYPED and since_ms is None else typed
        return cls(since, typed, states, event, group, since_ms, problem)

    def wanted(self, webhook_id: int) -> Wanted:
        """Return the request for the search."""
        states = tuple(STATES[word][1] for word in self.states)
        return Wanted(webhook_id, states, self.event, self.since_ms, self.group)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return the fields of the form, as they were filled in."""
        return [
            ("desde", self.since),
            ("hora", self.typed),
            ("evento", self.event),
            ("grupo", str(self.group or "")),
            *(("situacao", word) for word in self.states),
        ]

    @property
    def query(self) -> str:
        """Return the request as the query of an address."""
        return "?" + urlencode([(name, value) for name, value in self.fields if value])


def request_for(period: str, states: tuple[str, ...], event: str) -> ResendRequest:
    """Return the request for the deliveries that a list shows."""
    mine = tuple(word for word, (_, state) in STATES.items() if state.value in states)
    return ResendRequest(since=period or "tudo", states=mine, event=event)


def request_for_group(group_id: int) -> ResendRequest:
    """Return the request for the deliveries whose last refusal is in a group."""
    return ResendRequest(since="tudo", states=("recusada",), group=group_id)


def read_since(since: str, typed: str, timezone: str) -> tuple[int | None, str]:
    """Return the moment that a choice means, None for the beginning, or what is wrong with it."""
    if since == "tudo":
        return None, ""
    if since != TYPED:
        return period_begins(since, timezone), ""
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return None, "Digite o dia e a hora, como 25/11/2026 09:30."
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    if moment > utc_now() or moment.year < 2000:
        return None, "Esta hora não serve: escolha uma que já passou."
    return to_ms(moment), ""
