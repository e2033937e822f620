"""Begins a sweep of each company that wants them, every half an hour while it is connected."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text

from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import WHOLE, Fence, Share
from webhookproxy.database.store import Store
from webhookproxy.models.recovery.recoveries import LOOKS_MS, SWEEP_EVERY_MS, SWEEP_OVER_MS

# How often it is looked for companies whose sweep is due.
LOOK_SECONDS = 30.0

# A sweep of a time to come was asked for before the clock was set back.
_DUE = (
    "FROM companies c WHERE c.sweep_calls AND c.should_connect AND c.deleted_at IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM recoveries r WHERE r.company_id = c.id AND r.sweep"
    " AND (r.state = 'running' OR (r.asked_ms > :now - :every AND r.asked_ms <= :now)))"
)
_IS_ANY_DUE = f"SELECT 1 {_DUE}"
_BEGIN = (
    "INSERT INTO recoveries (company_id, sweep, asked_ms, since_ms, until_ms, state, look, next_ms)"
    f" SELECT c.id, TRUE, :now, :now - :over, :now, 'running', :look, :now {_DUE}"
)


class Sweeping:
    """Writes the requests; what asks 3C Plus for the calls of gaps works through them."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        where = share.where("c.id")
        self._is_any_due, self._begin = text(f"{_IS_ANY_DUE}{where} LIMIT 1"), text(_BEGIN + where)
        self._store = store
        self._reading = reading
        self._clock = clock
        self._next_look = 0.0

    def step(self, fence: Fence) -> None:
        """Begin the sweeps that are due, if it is time to look for them."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        given = {"now": round(self._clock() * 1000), "every": SWEEP_EVERY_MS}
        with self._reading.connect() as connection:
            if connection.execute(self._is_any_due, given).first() is None:
                return
        # One look is enough: the next sweep asks for the same hours again.
        begun = {**given, "over": SWEEP_OVER_MS, "look": len(LOOKS_MS) - 1}

        def job(connection: Connection) -> None:
            connection.execute(self._begin, begun)

        self._store.run(job, fence=fence)
