"""The pages of a list of deliveries, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from webhookproxy.reasons import WAITING
from webhookproxy.search.deliveries import Found, Search, Wanted

PAGE = 50

# By the word in the address: the name on the page, and the states.
STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("Todas", ()),
    "entregue": ("Entregues", ("delivered",)),
    "aguardando": ("Esperando", WAITING),
    "na-fila": ("Na fila", ("queued",)),
    "nova-tentativa": ("Aguardando nova tentativa", ("retrying",)),
    "falhou": ("Falharam", ("refused", "expired")),
    "recusada": ("Recusadas", ("refused",)),
    "expirada": ("Expiradas", ("expired",)),
    "cancelada": ("Canceladas", ("cancelled",)),
    "filtrada": ("Filtradas", ("filtered",)),
    "simulada": ("Simuladas", ("simulated",)),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `older` and `newer` lead on (None: there are no more in that direction).

    `cut_ms` is set when the search stopped before the page was full, because it had looked at
    enough rows: it is the time of the event at which it stopped.
    """

    rows: list[Found]
    older: int | None
    newer: int | None
    cut_ms: int | None


def find_deliveries(session: Session, wanted: Wanted, count: int = PAGE) -> Page:
    """Return one page of the deliveries that are wanted."""
    search = Search(session, wanted)
    search.run(count + 1)
    rows, full = search.found[:count], len(search.found) > count
    beyond = rows[-1].id if full else search.edge
    cut_ms = None if full else search.edge_ms()
    if wanted.after is None:
        # A delivery that was purged meanwhile leads back too.
        newest = rows[0].id if rows else (wanted.before or 0) - 1
        return Page(rows, beyond, None if wanted.before is None else newest, cut_ms)
    if beyond is None:
        # The newer ones do not fill a page: show the first page, which has them and older ones.
        return find_deliveries(session, replace(wanted, after=None), count)
    oldest = rows[0].id if rows else wanted.after + 1
    return Page(rows[::-1], oldest, beyond, cut_ms)
