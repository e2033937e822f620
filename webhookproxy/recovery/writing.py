"""Writes the events of recovered calls as those of the sockets are written, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import Fence
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.events.recovery.histories import Row, id_of
from webhookproxy.events.recovery.rebuilt import order_key_of, packet_of
from webhookproxy.listener.intake import Intake
from webhookproxy.listener.routes import Arrival, Routes, Taken, read

# A live event waits behind this many recovered ones at most.
BATCH = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """What the events of a company's recovered calls have in common."""

    company_id: int
    token_mask: str
    hide_credentials: bool


class Writer:
    """Takes its turn between the groups of the intake; only the owner of the sockets has one."""

    def __init__(
        self,
        intake: Intake,
        routes: Routes,
        attend: Callable[[Mapping[int, list[int]]], None],
        clock: Callable[[], float] = seconds_now,
    ) -> None:
        self._intake = intake
        self._routes = routes
        self._attend = attend
        self._clock = clock
        self._is_unsure = False

    @property
    def fence(self) -> Fence:
        """Return the fence of the present owner."""
        return self._intake.journal.fence

    def write(
        self,
        origin: Origin,
        rows: Sequence[Row],
        keys: Mapping[str, str],
        fence: Fence,
        also: Callable[[Connection, list[Arrival]], None],
    ) -> list[int]:
        """Write the events of at most BATCH calls, with what `also` writes; return what is due.

        `keys` are the ordering keys of calls of which other events are stored.
        The ledger decides which of them the socket brought meanwhile, and whether an earlier try
        was committed without our hearing of it. Raises what the store raises.
        """
        now_ms = round(self._clock() * 1000)
        arrivals = [read(_taken(origin, row, keys, now_ms), self._routes) for row in rows]
        try:
            written = self._intake.journal.write(arrivals, fence, also=also)
        except StoreUnavailable:
            self._is_unsure = True
            raise
        self._intake.pass_on(written)
        if self._is_unsure:
            # What was perhaps committed before, the lanes find in the database.
            self._is_unsure = False
            routes = {route.webhook_id for each in arrivals for route in each.routes}
            self._attend({webhook_id: [] for webhook_id in routes})
        return [due.id for due in written.dues]


def _taken(origin: Origin, row: Row, keys: Mapping[str, str], now_ms: int) -> Taken:
    return Taken(
        origin.company_id,
        origin.token_mask,
        origin.hide_credentials,
        "",
        packet_of(row),
        now_ms,
        recovered_key=keys.get(id_of(row)) or order_key_of(row),
    )
