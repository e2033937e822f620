"""Writes the results of deliveries in groups."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import gevent
from gevent.event import Event
from sqlalchemy import Connection

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.fence import NO_FENCE, SHARDS, Fence, Fenced, shard_of
from webhookproxy.database.store import Store, StoreUnavailable
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
        on_fenced: Callable[[Fence], None],
        tell: Callable[[int], None] = ignore_change,
    ) -> None:
        self.tally = Tally()
        self._store = store
        self._tell = tell
        self._on_fenced = on_fenced
        self._waiting: list[Result] = []
        # Those of shards that another process took: start() decides about them.
        self._refused: list[Result] = []
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Event()
        self._idle.set()
        self._fence = NO_FENCE

    def start(self, fence: Fence, *, continued: Collection[int]) -> None:
        """Begin as the owner with this fence.

        `continued` are the shards that no other process owned since this one did. Of these, results
        left from that time are written first; of others, another process sent the deliveries.
        """
        left = [*self._refused, *self._waiting]
        kept = [each for each in left if shard_of(each.due.facts.company_id) in continued]
        if len(kept) < len(left):
            given_up = len(left) - len(kept)
            logger.warning("%d results are given up: another process took over", given_up)
        if self._refused or len(kept) < len(left):
            self._waiting, self._refused = kept, []
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
            try:
                self._commit(group, fence)
            except Fenced as error:
                self._on_fenced(fence)
                # If not, start() decides about the rest, or has done so already.
                if fence == self._fence and not self._set_aside(len(group), error.shards):
                    break
            else:
                del waiting[: len(group)]
                self.tally.add(group)
                for result in group:
                    result.committed(result.due.id)
                for company_id in {result.due.facts.company_id for result in group}:
                    self._tell(company_id)
        self._writer = None
        self._idle.set()

    def _set_aside(self, count: int, lost: frozenset[int]) -> bool:
        """Set the first results aside that are of lost shards; return whether others go on."""
        rest: list[Result] = []
        for each in self._waiting[:count]:
            is_lost = shard_of(each.due.facts.company_id) in lost
            (self._refused if is_lost else rest).append(each)
        self._waiting[:count] = rest
        return len(lost) < SHARDS

    def _commit(self, group: list[Result], fence: Fence) -> None:
        """Write a group, however long the database is away; raise Fenced if a shard is lost.

        An empty group is filled when the writer starts it, so results that arrived meanwhile share
        the commit.
        """
        waiting, again = self._waiting, False

        def fill() -> Fence:
            group.extend(() if group else waiting[:GROUP_MAX])
            return fence.of_companies(each.due.facts.company_id for each in group)

        def job(connection: Connection) -> None:
            write_group(connection, group, again=again)

        patience = GATHER_SECONDS if len(waiting) < GATHER_MAX else 0.0
        while True:
            try:
                self._store.run(job, fence=fill, patience=patience)
            except StoreUnavailable:
                again = True
                gevent.sleep(RETRY_SECONDS)
            except Fenced:
                if again:
                    # They are perhaps written: only all of them together can be looked for.
                    raise Fenced from None
                raise
            except Exception:  # one bad row must not stop the others
                fill()
                logger.exception("cannot write %d results", len(group))
                return self._commit_singly(group, fence)
            else:
                return None

    def _commit_singly(self, group: list[Result], fence: Fence) -> None:
        """Write all of a group, also after a failed one; raise Fenced if a shard is lost."""
        is_lost = False
        for each in group if len(group) > 1 else ():
            try:
                self._commit([each], fence)
            except Fenced:
                is_lost = True
        if is_lost:
            # Some are written: all wait, as if none were.
            raise Fenced
