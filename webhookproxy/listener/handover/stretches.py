"""What the sockets that were opened ahead brought, beside what the owner stored meanwhile."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import gevent
from sqlalchemy import Engine

from webhookproxy.database.fence import WHOLE, Share
from webhookproxy.listener.alignment.join import is_known, join
from webhookproxy.listener.alignment.numbers import number_of
from webhookproxy.listener.buffer import Buffer
from webhookproxy.listener.handover.stored import GROUP, Stored
from webhookproxy.listener.routes import Routes, Taken, read


@dataclass(frozen=True, slots=True)
class Settled:
    """How many events the last owner had stored.

    `torn` are the companies of which it had not stored what its socket had to bring: that socket
    was dead, and no one knows since when.
    """

    known: int
    torn: frozenset[int]


class Stretches:
    """Both stretches of each company since the sockets began to be opened.

    An event is kept as its number; see alignment.numbers.
    """

    def __init__(
        self, reading: Engine, buffer: Buffer, routes: Routes, share: Share = WHOLE
    ) -> None:
        self._since = Stored(reading, share)
        self._buffer = buffer
        self._routes = routes
        self._stored: defaultdict[int, list[int]] = defaultdict(list)
        self._brought: defaultdict[int, list[int]] = defaultdict(list)
        # The socket that each stretch is of, and where it begins in the buffer: until the owner is
        # told of the sockets, a new one begins a new stretch, as the owner heard what was between.
        self._sockets: dict[int, str] = {}
        self._begins: dict[int, int] = {}
        self._standing: frozenset[int] = frozenset()
        self._looked_at = 0

    def look(self) -> None:
        """Look at what came since the last look."""
        self._look_at_brought()
        while self._look_at_stored() == GROUP:
            gevent.sleep(0)

    def stand(self, companies: Iterable[int]) -> None:
        """Keep all that comes for these from now on: the owner may have closed its sockets."""
        self._standing = frozenset(companies)

    def count(self, company_id: int) -> int:
        """Return how many events the socket of a company brought."""
        return len(self._brought[company_id])

    def is_known(self, company_id: int) -> bool:
        """Return whether what its socket brought can be told from what comes later."""
        return is_known(self._brought[company_id])

    def settle(self, least: dict[int, int]) -> Settled:
        """Take out of the buffer what the last owner stored.

        `least`: how many events of each company the last owner must have stored, if it closed its
        socket in peace. Of what may be a repeat every event says so.
        """
        self.look()
        joins = {
            company_id: join(self._stored[company_id], brought, least.get(company_id, 0))
            for company_id, brought in self._brought.items()
        }
        seen: Counter[int] = Counter()
        # The socket may have brought more since, which is kept.
        kept: list[Taken] = []
        known = 0
        for number, taken in enumerate(self._buffer.since(0)):
            if number < self._begins.get(taken.company_id, 0):
                # An earlier socket's, which ended while the owner had its own.
                known += 1
                continue
            place = seen[taken.company_id]
            seen[taken.company_id] += 1
            found = joins.get(taken.company_id)
            if found is not None and place < found.known:
                known += 1
            elif found is not None and place < found.known + found.doubtful:
                kept.append(replace(taken, may_be_repeat=True))
            else:
                kept.append(taken)
        self._buffer.replace(kept)
        torn = [each for each, count in least.items() if count and not joins[each].known]
        return Settled(known, frozenset(torn))

    def _look_at_brought(self) -> None:
        for number, taken in enumerate(self._buffer.since(self._looked_at)):
            company_id = taken.company_id
            is_new = self._sockets.get(company_id) != taken.socket_id
            if is_new and company_id not in self._standing:
                self._sockets[company_id] = taken.socket_id
                self._begins[company_id] = self._looked_at
                self._brought[company_id].clear()
            event = read(taken, self._routes).event
            self._brought[company_id].append(number_of(event.name, event.payload))
            self._looked_at += 1
            if number % GROUP == GROUP - 1:
                gevent.sleep(0)

    def _look_at_stored(self) -> int:
        group = self._since.group()
        for company_id, number in group:
            self._stored[company_id].append(number)
        return len(group)
