"""The event names that a company may get: those of the catalogue, and those that came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webhookproxy.catalog import CATALOG
from webhookproxy.models import HourlyEvents, Webhook
from webhookproxy.web import figures

# A name is new for so long, if it did not come in the time before it that is looked at.
NEW_HOURS = 7 * 24
LOOK_BACK_HOURS = 30 * 24 + NEW_HOURS
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

    `last_hour` is that in which it last came (since 1970), None if it did not in 37 days.
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
        """Whether the catalogue has it."""
        return self.name in CATALOG

    @property
    def source(self) -> str:
        """How sure it is that 3C Plus sends it."""
        if not self.is_known:
            return "só visto aqui"
        return "documentado" if self.documented else "não confirmado"


def entries(session: Session, company_id: int, webhooks: Collection[Webhook]) -> list[Entry]:
    """All of them, the most frequent first."""
    found = {name: entry_of(name) for name in CATALOG}
    now = figures.this_hour()
    rows = _counted(session, company_id, now)
    # Of a company that is itself new, everything would be.
    first = min((row.first for row in rows), default=now)
    for row in rows:
        entry = found.setdefault(row.name, entry_of(row.name))
        entry.count, entry.last_hour = int(row.day), row.last
        entry.is_new = first <= now - NEW_HOURS < row.first
    for entry in found.values():
        entry.webhooks = [each for each in webhooks if takes(each, entry.name)]
    return sorted(found.values(), key=lambda each: (-each.count, each.name))


def entry_of(name: str) -> Entry:
    """What is known of a name without looking at what came."""
    known = CATALOG.get(name)
    if known is None:
        sentence = "Não está no catálogo: a 3C Plus o enviou a esta empresa."
        return Entry(name, OUTSIDE, sentence, documented=False)
    return Entry(name, known.category, known.description, known.documented, known.evidence)


def takes(webhook: Webhook, name: str) -> bool:
    """Whether a webhook asks for events of that name; some asks for all."""
    return webhook.events is None or name in webhook.events


def chosen_of(found: Sequence[Entry], words: str, category: str, shown: str) -> list[Entry]:
    """Those that fit the filter."""
    typed = words.casefold()
    return [
        each
        for each in found
        if (not category or each.category == category)
        and typed in f"{each.name} {each.description}".casefold()
        and (shown != "chegaram" or each.count)
        and (shown != "novos" or each.is_new)
        and (shown != "sem-webhook" or not each.webhooks)
    ]


def by_category(found: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """The same under their categories; that of which most came is the first."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for each in found:
        groups[each.category].append(each)
    return sorted(groups.items(), key=lambda of: (-sum(each.count for each in of[1]), of[0]))


def _counted(session: Session, company_id: int, now: int) -> Sequence[Any]:
    in_day = case((HourlyEvents.hour > now - DAY_HOURS, HourlyEvents.count), else_=0)
    return session.execute(
        select(
            HourlyEvents.name,
            func.min(HourlyEvents.hour).label("first"),
            func.max(HourlyEvents.hour).label("last"),
            func.sum(in_day).label("day"),
        )
        .where(HourlyEvents.company_id == company_id, HourlyEvents.hour > now - LOOK_BACK_HOURS)
        .group_by(HourlyEvents.name)
    ).all()
