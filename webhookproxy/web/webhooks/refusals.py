"""Why a webhook's receiver refused: the refusals of a day, grouped by its answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, render_template, request, url_for
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.events.call_facts import Fact, Value
from webhookproxy.events.masked import MASK
from webhookproxy.extensions import db
from webhookproxy.models import Delivery, Event, RefusalGroup
from webhookproxy.models.call_facts import values_of_events
from webhookproxy.models.deliveries.refusals import groups_of, refusals_by_day
from webhookproxy.models.types import day_number
from webhookproxy.web.deliveries.resend_request import request_for_group
from webhookproxy.web.deliveries.words import refusal_words
from webhookproxy.web.shared.access import account, company_or_404, webhook_or_404

blueprint = Blueprint("refusals", __name__)

# The days that can be chosen, and those that the webhook's page looks at.
DAYS = 30
LATEST_DAYS = 7
# The groups that the webhook's page shows.
LATEST = 3
# The values that receivers refuse, as the page names them.
_NAMES: Mapping[Fact, str] = {
    Fact.TELEPHONE: "Telefone",
    Fact.AGENT: "Agente",
    Fact.CAMPAIGN: "Campanha",
    Fact.QUEUE: "Fila",
    Fact.OUTCOME: "Resultado",
    Fact.QUALIFICATION: "Tabulação",
}
_PERSONAL = (Fact.TELEPHONE, Fact.AGENT)


class ShownValue(NamedTuple):
    """A value of an event, and where a filter begins that leaves out events with it."""

    name: str
    path: str
    text: str
    filter_url: str


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """One answer: what it said, how often, and the last event that got it, with its values.

    `event` is None if that event is no longer stored. The addresses are empty without it.
    """

    group: RefusalGroup
    said: str
    event: Row[int, int, str, str, int] | None
    values: Sequence[ShownValue]
    filter_url: str
    resend_url: str

    @property
    def sample_url(self) -> str:
        """Return where the last answer is shown."""
        return url_for("deliveries.show", delivery_id=self.group.sample_id) if self.event else ""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The groups of one day, and how many refusals that day had."""

    day: date
    total: int
    groups: Sequence[ShownGroup]


@blueprint.get("/webhooks/<webhook:webhook_id>/recusas")
def show(webhook_id: int) -> str:
    """Show what the receiver answered to the refusals of a day: the newest, or the one chosen."""
    webhook = webhook_or_404(webhook_id)
    company = company_or_404(webhook.company_id)
    session = db.session()
    since = _today(company.timezone) - DAYS
    days = refusals_by_day(session, webhook_id, since)
    chosen = _chosen(request.args.get("dia", ""), next(iter(days), None))
    refusals = None if chosen is None else _refusals(session, webhook_id, chosen)
    dates = [(date.fromordinal(date(1970, 1, 1).toordinal() + day), days[day]) for day in days]
    given = {"webhook": webhook, "company": company, "days": dates, "refusals": refusals}
    return render_template("webhooks/refusals/show.html", **given)


def latest_refusals(session: Session, webhook_id: int, timezone: str) -> Refusals | None:
    """Return the largest groups of the newest day with refusals, if that was in LATEST_DAYS."""
    days = refusals_by_day(session, webhook_id, _today(timezone) - LATEST_DAYS + 1)
    newest = next(iter(days), None)
    return None if newest is None else _refusals(session, webhook_id, newest, LATEST)


def _today(timezone: str) -> int:
    return day_number(utc_now().astimezone(ZoneInfo(timezone)).date())


def _chosen(text: str, newest: int | None) -> int | None:
    """Return the day that the address names, or the newest. Answers 404 to what is no day."""
    if not text:
        return newest
    try:
        return day_number(date.fromisoformat(text))
    except ValueError:
        abort(404)


def _refusals(
    session: Session, webhook_id: int, day: int, most: int | None = None
) -> Refusals | None:
    """Return the groups of a day, `most` at most; None if it has none."""
    groups = groups_of(session, webhook_id, day)
    if not groups:
        return None
    shown = groups[:most]
    events = _events(session, {each.sample_id for each in shown})
    values = values_of_events(session, [each.event_id for each in events.values()])
    rows = [_shown(group, events.get(group.sample_id), values) for group in shown]
    return Refusals(groups[0].date, sum(each.count for each in groups), rows)


def _shown(
    group: RefusalGroup,
    event: Row[int, int, str, str, int] | None,
    values: Mapping[int, Sequence[Value]],
) -> ShownGroup:
    webhook_id = group.webhook_id
    resends = url_for("bulk_resends.ask", webhook_id=webhook_id) + request_for_group(group.id).query
    filters, shown = "", []
    if event is not None and event.name:
        begun = {"webhook_id": webhook_id, "evento": event.name, "amostra": event.public_id}
        filters = url_for("filters.edit", **begun)
        shown = [
            ShownValue(_NAMES[value.fact], value.path, _text(value), f"{filters}&sem={value.path}")
            for value in values.get(event.event_id, ())
            if value.fact in _NAMES
        ]
    return ShownGroup(group, refusal_words(group), event, shown, filters, resends)


def _text(value: Value) -> str:
    """Return a value as this account may see it."""
    return MASK if value.fact in _PERSONAL and not account().sees_personal else value.text


def _events(
    session: Session, deliveries: Collection[int]
) -> dict[int, Row[int, int, str, str, int]]:
    """Return the events of these deliveries that are still stored."""
    query = (
        select(Delivery.id, Delivery.event_id, Event.public_id, Event.name, Event.received_ms)
        .join(Event, Event.id == Delivery.event_id)
        .where(Delivery.id.in_(deliveries))
    )
    return {row.id: row for row in session.execute(query)}
