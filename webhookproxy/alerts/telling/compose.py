"""The text of a message, written when it is sent from what it tells of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, Condition
from webhookproxy.alerts.message import Message
from webhookproxy.alerts.people import Person
from webhookproxy.alerts.telling.gaps import recovery_of, was_resent
from webhookproxy.alerts.telling.words import account, advice, begun, over
from webhookproxy.events import contract
from webhookproxy.models import (
    Alert,
    AlertMessage,
    AlertMessagePart,
    Company,
    Outage,
    Recovery,
    Webhook,
)
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import RECOVERED_GAP
from webhookproxy.troubles.recovered import recovery_words

# Lines about single alerts in one message, names in its subject, and alerts in our own POST.
LINES_MAX = 10
NAMES_MAX = 3
FACTS_MAX = 100
# Of a name that a person typed this much is shown.
NAME_MAX = 60
INSTALLATION = "Servidor"


@dataclass(frozen=True, slots=True)
class Item:
    """One alert of a message: what is told of it, and the name of what it is about."""

    alert: Alert
    parts: frozenset[str]
    changes: int
    name: str
    outage: Outage | None
    # What came back of the calls of a time without a socket.
    recovery: Recovery | None = None
    # Whether the server sent everything again that was missed in it.
    was_resent: bool = False

    @property
    def came_back(self) -> str:
        """Return what came back of a time without a socket, in words; empty if nothing is known."""
        return RECOVERED_GAP if self.was_resent else recovery_words(self.recovery)

    @property
    def label(self) -> str:
        """Return the name of the condition."""
        return CONDITIONS[Condition(self.alert.condition)].label

    @property
    def is_over(self) -> bool:
        """Return whether the message says that it ended."""
        return Part.CLOSED in self.parts


def compose(
    session: Session, row: AlertMessage, person: Person | None, base: str | None, now: datetime
) -> Message | None:
    """Return the message as it is true now, None if its user may not know of any of it any more.

    `base` is the address of the pages, None if it is unknown.
    """
    if row.body is not None:
        own = tuple(row.body.split("\n"))
        return Message(row.message_id, row.kind, row.subject or "", own, row.link, {})
    if person is None:
        return None
    items = _items(session, row.id, person)
    if not items:
        return None
    lines = _lines(session, items, now)
    facts = {"alerts": [_facts(each) for each in items[:FACTS_MAX]]}
    link = None if base is None else base + _path(items)
    subject = _subject(row.kind, items)
    return Message(row.message_id, row.kind, subject, tuple(lines), link, facts)


def _items(session: Session, message_id: int, person: Person) -> list[Item]:
    """Return what a message tells of, as far as the user may know."""
    query = (
        select(AlertMessagePart, Alert)
        .join(Alert, Alert.id == AlertMessagePart.alert_id)
        .where(AlertMessagePart.message_id == message_id)
        .order_by(Alert.since, Alert.id)
    )
    parts: dict[int, set[str]] = {}
    alerts: dict[int, Alert] = {}
    changes: Counter[int] = Counter()
    for part, alert in session.execute(query):
        if alert.condition in CONDITIONS and person.may_see(alert.company_id):
            alerts[alert.id] = alert
            parts.setdefault(alert.id, set()).add(part.part)
            changes[alert.id] = max(changes[alert.id], part.changes)
    names = _names(session, alerts.values())
    outages = {each.outage_id for each in alerts.values() if each.outage_id}
    accounts = {
        each.id: each for each in session.scalars(select(Outage).where(Outage.id.in_(outages)))
    }
    return [
        Item(
            alert,
            frozenset(parts[alert.id]),
            changes[alert.id],
            names[alert.id],
            accounts.get(alert.outage_id or 0),
            recovery_of(session, alert),
            was_resent(session, alert),
        )
        for alert in alerts.values()
        if alert.id in names
    ]


def _names(session: Session, alerts: Collection[Alert]) -> dict[int, str]:
    """Return "Loja" or "CRM (Loja)" for each alert of something that is not deleted."""
    ids = {each.company_id for each in alerts if each.company_id}
    query = select(Company.id, Company.name).where(
        Company.id.in_(ids), Company.deleted_at.is_(None)
    )
    companies = {row[0]: _clean(row[1]) for row in session.execute(query)}
    hooks = {each.webhook_id for each in alerts if each.webhook_id}
    found = select(Webhook.id, Webhook.name).where(Webhook.id.in_(hooks))
    webhooks = {row[0]: _clean(row[1]) for row in session.execute(found)}
    names: dict[int, str] = {}
    for alert in alerts:
        if alert.company_id is None:
            names[alert.id] = INSTALLATION
        elif alert.company_id in companies:
            company = companies[alert.company_id]
            webhook = webhooks.get(alert.webhook_id or 0)
            names[alert.id] = company if webhook is None else f"{webhook} ({company})"
    return names


def _clean(name: str) -> str:
    """Return a typed name on one line, without control characters, and not too long."""
    text = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    return text if len(text) <= NAME_MAX else text[: NAME_MAX - 1] + "…"


def _subject(kind: str, items: Sequence[Item]) -> str:
    """Return what, and which; the prefix says whether it is over."""
    if kind == MessageKind.DIGEST and len(items) > 1:
        return f"Resumo: {_counted(items)}"
    prefix = {MessageKind.CLOSED: "Resolvido: ", MessageKind.REMINDER: "Continua: "}.get(
        MessageKind(kind), ""
    )
    if kind == MessageKind.CLOSED and all(each.alert.ending != "well" for each in items):
        prefix = "Encerrado: "
    item = items[0]
    if len(items) == 1 and item.is_over and Part.OPENED in item.parts:
        prefix = "Já passou: "
    # All are of one condition, and some may be of the same place.
    places = {(each.alert.company_id, each.alert.webhook_id): each.name for each in items}
    if len(places) == 1:
        times = f" ({len(items)} vezes)" if len(items) > 1 else ""
        return f"{prefix}{item.label}: {item.name}{times}"
    names = list(places.values())
    more = f" e mais {len(names) - NAMES_MAX}" if len(names) > NAMES_MAX else ""
    what = "webhooks" if item.alert.webhook_id else "empresas"
    listed = ", ".join(names[:NAMES_MAX])
    return f"{prefix}{item.label} em {len(names)} {what}: {listed}{more}"


def _counted(items: Sequence[Item]) -> str:
    ended = sum(each.is_over for each in items)
    lasting = len(items) - ended
    texts = []
    if lasting:
        texts.append(f"{lasting} {'problema' if lasting == 1 else 'problemas'}")
    if ended:
        texts.append(f"{ended} {'resolvido' if ended == 1 else 'resolvidos'}")
    return ", ".join(texts)


def _lines(session: Session, items: Sequence[Item], now: datetime) -> list[str]:
    # What lasts is read first.
    listed = sorted(items, key=lambda each: each.is_over)
    lines = [_line(each, now) for each in listed[:LINES_MAX]]
    if len(listed) > LINES_MAX:
        lines.append(f"E mais {len(listed) - LINES_MAX}.")
    advices = {advice(each.alert) for each in listed if not each.is_over}
    if len(advices) == 1 and (only := advices.pop()):
        lines.append(only)
    lines += _still(session, items)
    changing = [each for each in items if each.changes]
    if changing:
        many = max(each.changes for each in changing)
        what = changing[0].name if len({each.name for each in changing}) == 1 else "Alguns destes"
        verb = "mudou" if what == changing[0].name else "mudaram"
        lines.append(
            f"{what} {verb} {many} vezes na última hora: as próximas mudanças vêm juntas, num"
            " resumo."
        )
    return lines


def _line(item: Item, now: datetime) -> str:
    alert, recovered = item.alert, item.came_back
    if not item.is_over:
        text = begun(alert, now, recovered)
        # A message that was sent late, or of which the end is told next.
        if alert.closed_at is not None and alert.condition != Condition.GAP:
            text += f" Depois {over(alert, now, recovered)}"
        return f"{item.name}: {text}"
    text = over(alert, now, recovered)
    if item.outage is not None:
        text += f" {account(item.outage)}"
    return f"{item.name}: {text}"


def _still(session: Session, items: Sequence[Item]) -> list[str]:
    """Return what else is wrong with the webhooks whose trouble ended."""
    ended = {each.alert.webhook_id: each.name for each in items if each.is_over}
    query = select(Alert.webhook_id, Alert.condition).where(
        Alert.webhook_id.in_([each for each in ended if each]), Alert.closed_at.is_(None)
    )
    told = {each.alert.id for each in items if not each.is_over}
    query = query.where(Alert.id.not_in(told)).limit(LINES_MAX)
    return [
        f"Atenção, {ended[webhook_id]}: {CONDITIONS[Condition(condition)].label}."
        for webhook_id, condition in session.execute(query)
        if condition in CONDITIONS
    ]


def _path(items: Sequence[Item]) -> str:
    """Return the page where it can be mended."""
    webhooks = {each.alert.webhook_id for each in items}
    companies = {each.alert.company_id for each in items}
    if len(webhooks) == 1 and (webhook := webhooks.pop()) is not None:
        return f"/webhooks/webhook_{webhook}"
    if len(companies) == 1 and (company := companies.pop()) is not None:
        return f"/empresas/company_{company}"
    return "/"


def _facts(item: Item) -> Mapping[str, object]:
    """Return an alert for our own POST: ids, codes and times."""
    alert, outage, ended = item.alert, item.outage, item.alert.closed_at
    facts: dict[str, object] = {
        "id": f"alert_{alert.id}",
        "condition": alert.condition,
        "name": item.name,
        "company_id": None if alert.company_id is None else f"company_{alert.company_id}",
        "webhook_id": None if alert.webhook_id is None else f"webhook_{alert.webhook_id}",
        "since": contract.timestamp(to_ms(alert.since)),
        "ended": None if ended is None else contract.timestamp(to_ms(ended)),
        "reason": alert.reason,
        "status": alert.status,
    }
    if (back := item.recovery) is not None:
        facts["recovery"] = {
            "state": back.state,
            "recovered": back.recovered,
            "trouble": back.trouble,
        }
    if item.was_resent:
        facts["recovered_by_server"] = True
    if outage is not None and item.is_over:
        facts["account"] = {
            "waited": outage.waited,
            "delivered": outage.delivered,
            "missed": outage.missed,
            "on_the_way": outage.on_the_way,
            "calls": outage.calls,
        }
    return facts
