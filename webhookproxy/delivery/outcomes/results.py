"""Writes the results of deliveries in groups."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.event import Event
from sqlalchemy import Connection

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.store import Fenced, Store, StoreUnavailable
from webhookproxy.delivery.outcomes.ledger import Result, write_group
from webhookproxy.delivery.outcomes.tally import Tally

logger = logging.getLogger(__name__)

GROUP_MAX = 256
RETRY_SECONDS = 0.5
# Seconds that fewer than GATHER_MAX results wait for more, or for another commit: a commit costs
# the same for one as for ten. A crash may repeat all that is answered during the wait; a lane
# bounds that (UNSETTLED_MAX).
GATHER_SECONDS = 0.005
GATHER_MAX = 16


class Results:
    """Collects results and commits them in groups; one greenlet, while there is work."""

    def __init__(
        self,
        store: Store,
        on_fenced: Callable[[int], None],
        tell: Callable[[int], None] = ignore_change,
    ) -> None:
        self.tally = Tally()
        self._store = store
        self._tell = tell
        self._on_fenced = on_fenced
        self._waiting: list[Result] = []
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Event()
        self._idle.set()
        self._fence = 0

    def start(self, fence: int, *, continued: bool) -> None:
        """Begin as the owner with this fence.

        `continued` says that no other process owned the sockets since this one did. Then results
        left from that time are written first; otherwise the other process sent these deliveries.
        """
        if self._waiting and not continued:
            logger.warning("%d results are given up: another process took over", len(self._waiting))
            self._waiting = []
        self._fence = fence
        self._kick()

    def put(self, result: Result) -> None:
        """Write a result soon; `result.committed` is called after the commit."""
        self._waiting.append(result)
        self._kick()

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything is written; return whether it is."""
        return bool(self._idle.wait(timeout))

    def _kick(self) -> None:
        if self._waiting and self._writer is None:
            self._idle.clear()
            self._writer = gevent.spawn(self._write)
            self._writer.name = "results"

    def _write(self) -> None:
        while self._waiting:
            fence, waiting = self._fence, self._waiting
            group: list[Result] = []
            if self._commit(group, fence):
                del waiting[: len(group)]
                self.tally.add(group)
                for result in group:
                    result.committed(result.due.id)
                for company_id in {result.due.facts.company_id for result in group}:
                    self._tell(company_id)
            elif fence == self._fence:
                # No longer the owner: start() decides about the rest.
                break
        self._writer = None
        self._idle.set()

    def _commit(self, group: list[Result], fence: int) -> bool:
        """Write a group, however long the database is away; return False if no longer the owner.

        An empty group is filled when the writer starts it, so results that arrived meanwhile share
        the commit.
        """
        waiting, again = self._waiting, False

        def fill() -> None:
            group.extend(() if group else waiting[:GROUP_MAX])

        def job(connection: Connection) -> None:
            fill()
            write_group(connection, group, again=again)

        patience = GATHER_SECONDS if len(waiting) < GATHER_MAX else 0.0
        while True:
            try:
                self._store.run(job, fence=fence, patience=patience)
            except StoreUnavailable:
                again = True
                gevent.sleep(RETRY_SECONDS)
            except Fenced:
                self._on_fenced(fence)
                return False
            except Exception:  # one bad row must not stop the others
                fill()
                logger.exception("cannot write %d results", len(group))
                return len(group) == 1 or self._commit_singly(group, fence)
            else:
                return True

    def _commit_singly(self, group: list[Result], fence: int) -> bool:
        # Write all of them, also after a failed one.
        written = [self._commit([each], fence) for each in group]
        return all(written)
