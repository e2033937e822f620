"""The pages of a list of deliveries, newest first, and the other deliveries of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.models import Delivery
from webhookproxy.reasons import WAITING
from webhookproxy.web.deliveries.search import Found, Search, Wanted

__all__ = ["PAGE", "STATES", "Found", "Page", "Wanted", "find", "siblings"]

PAGE = 50

# By the word in the address: the name on the page, and the states.
STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("Todas", ()),
    "entregue": ("Entregues", ("delivered",)),
    "aguardando": ("Esperando", WAITING),
    "falhou": ("Falharam", ("refused", "expired")),
    "recusada": ("Recusadas", ("refused",)),
    "expirada": ("Expiradas", ("expired",)),
    "cancelada": ("Canceladas", ("cancelled",)),
    "filtrada": ("Filtradas", ("filtered",)),
    "simulada": ("Simuladas", ("simulated",)),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `older` and `newer` lead on (None: there is no more that way).

    `cut_ms` is set when the search stopped with the page not full, having looked at enough rows
    for once: when the event came that it stopped at.
    """

    rows: list[Found]
    older: int | None
    newer: int | None
    cut_ms: int | None


def find(session: Session, wanted: Wanted, count: int = PAGE) -> Page:
    """One page of the deliveries that are wanted."""
    search = Search(session, wanted)
    search.run(count + 1)
    rows, full = search.found[:count], len(search.found) > count
    beyond = rows[-1].id if full else search.edge
    cut_ms = None if full else search.edge_ms()
    if wanted.after is None:
        # One that is not there, such as that of a page whose rows were purged, leads back too.
        newest = rows[0].id if rows else (wanted.before or 0) - 1
        return Page(rows, beyond, None if wanted.before is None else newest, cut_ms)
    if beyond is None:
        # What is newer may not fill a page: the first page has it, with what comes after it.
        return find(session, replace(wanted, after=None), count)
    oldest = rows[0].id if rows else wanted.after + 1
    return Page(rows[::-1], oldest, beyond, cut_ms)


def siblings(session: Session, event_id: int, but: int) -> Sequence[Delivery]:
    """The other deliveries of an event."""
    query = select(Delivery).where(Delivery.event_id == event_id, Delivery.id != but)
    return session.scalars(query.order_by(Delivery.id).limit(PAGE)).all()
