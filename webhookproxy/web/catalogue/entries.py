"""The event names that a company may get: those of the catalogue, and others that came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webhookproxy.events.catalog import CATALOG
from webhookproxy.models import HourlyEvents, Webhook
from webhookproxy.search.typed import fits_event
from webhookproxy.web.shared import figures

# A name is new for NEW_HOURS, if it did not come in the BEFORE_HOURS before those.
NEW_HOURS = 7 * 24
BEFORE_HOURS = 30 * 24
# Nearly every name that is not new came in the NEAR_HOURS before those.
NEAR_HOURS = 2 * 24
DAY_HOURS = 24
OUTSIDE = "fora do catálogo"
SHOWN = {
    "": "Todos",
    "chegaram": "Chegaram em 24 h",
    "novos": "Novos",
    "sem-webhook": "Sem webhook",
}


@dataclass(slots=True)
class Entry:
    """One name: what it is, how many came in 24 hours, and the webhooks that take it.

    `last_hour` is the hour since 1970 in which it last came; None if not in seven days.
    """

    name: str
    category: str
    description: str
    documented: bool
    evidence: str = ""
    count: int = 0
    last_hour: int | None = None
    is_new: bool = False
    webhooks: list[Webhook] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Return whether the catalogue has the name."""
        return self.name in CATALOG

    @property
    def source(self) -> str:
        """Return how sure it is that 3C Plus sends it."""
        if not self.is_known:
            return "só visto aqui"
        return "documentado" if self.documented else "não confirmado"


def all_entries(session: Session, company_id: int, webhooks: Collection[Webhook]) -> list[Entry]:
    """Return an entry for every name, the most frequent first."""
    found = {name: entry_of(name) for name in CATALOG}
    now = figures.this_hour()
    rows = _counted(session, company_id, now)
    new = _new(session, company_id, {row.name for row in rows}, now - NEW_HOURS)
    for row in rows:
        entry = found.setdefault(row.name, entry_of(row.name))
        entry.count, entry.last_hour = int(row.day), row.last
        entry.is_new = row.name in new
    for entry in found.values():
        entry.webhooks = [each for each in webhooks if takes(each, entry.name)]
    return sorted(found.values(), key=lambda each: (-each.count, each.name))


def entry_of(name: str) -> Entry:
    """Return what the catalogue says about a name."""
    known = CATALOG.get(name)
    if known is None:
        sentence = "Não está no catálogo: a 3C Plus o enviou a esta empresa."
        return Entry(name, OUTSIDE, sentence, documented=False)
    return Entry(name, known.category, known.description, known.documented, known.evidence)


def takes(webhook: Webhook, name: str) -> bool:
    """Return whether a webhook asks for events of that name."""
    return webhook.events is None or name in webhook.events


def chosen_of(found: Sequence[Entry], words: str, category: str, shown: str) -> list[Entry]:
    """Return the entries that fit the filter."""
    return [
        each
        for each in found
        if (not category or each.category == category)
        and fits_event(words, each.name, each.description)
        and (shown != "chegaram" or each.count)
        and (shown != "novos" or each.is_new)
        and (shown != "sem-webhook" or not each.webhooks)
    ]


def by_category(found: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return the entries by category, the most frequent category first."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for each in found:
        groups[each.category].append(each)
    return sorted(groups.items(), key=lambda of: (-sum(each.count for each in of[1]), of[0]))


def _counted(session: Session, company_id: int, now: int) -> Sequence[Any]:
    in_day = case((HourlyEvents.hour > now - DAY_HOURS, HourlyEvents.count), else_=0)
    return session.execute(
        select(
            HourlyEvents.name,
            func.max(HourlyEvents.hour).label("last"),
            func.sum(in_day).label("day"),
        )
        .where(HourlyEvents.company_id == company_id, HourlyEvents.hour > now - NEW_HOURS)
        .group_by(HourlyEvents.name)
    ).all()


def _new(session: Session, company_id: int, names: set[str], until: int) -> set[str]:
    """Return the names that had not come up to that hour; none if the company itself is new.

    In two steps: a month of every name and hour is too much to read for each look.
    """
    before = select(HourlyEvents.name).where(
        HourlyEvents.company_id == company_id, HourlyEvents.hour <= until
    )
    if session.scalar(before.limit(1)) is None:
        return set()
    near = before.where(HourlyEvents.hour > until - NEAR_HOURS).distinct()
    left = names.difference(session.scalars(near))
    if not left:
        return left
    rest = before.where(HourlyEvents.hour > until - BEFORE_HOURS, HourlyEvents.name.in_(left))
    return left.difference(session.scalars(rest.distinct()))
