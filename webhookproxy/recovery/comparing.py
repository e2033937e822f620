"""Compares days with 3C Plus: lists the calls of a day page by page, and stores the result.

The listed calls are in memory only: the next owner of the sockets begins the list again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webhookproxy.broadcast import ignore_change
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import WHOLE, Fence, Fenced, Share, part_of
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.events.recovery.comparison import NAMED_MAX, Call, call_of
from webhookproxy.events.recovery.histories import Row, id_of, is_the_end, missing
from webhookproxy.events.recovery.periods import periods
from webhookproxy.models.companies import Company
from webhookproxy.models.recovery.call_histories import known_histories
from webhookproxy.models.recovery.comparisons import RUNNING, ComparisonState, DayComparison
from webhookproxy.network.guard import Policy
from webhookproxy.platform.rest import Access, PlatformError, Rest
from webhookproxy.recovery.access import access_of
from webhookproxy.recovery.day_calls import compare, only_here

logger = logging.getLogger(__name__)

# Seconds between two steps: while a turn is waited for, and while nothing is under way.
PAUSE_WAITING = 0.25
PAUSE_IDLE = 2.0
# Comparisons whose lists are in memory at once, and the calls of each list.
LISTS_MAX = 4
CALLS_MAX = 50_000
# How soon a request is made again that had no usable answer, each time twice as late, and when a
# comparison without one is given up: its user is waiting.
AGAIN_FIRST_MS = 5_000
AGAIN_MOST_MS = 60_000
GIVE_UP_MS = 600_000
# A history comes after its call has ended: how much later it is still looked for, and how long
# before the request 3C Plus may not have listed it.
LATE_MS = 3_600_000
UNSURE_MS = 120_000


@dataclass
class _List:
    """The calls of a day that 3C Plus listed so far, and the place of the next page."""

    calls: dict[str, None] = field(default_factory=dict)
    # Those that may be missing.
    details: dict[str, Call] = field(default_factory=dict)
    period: int = 0
    page: int = 1
    # Of the last page.
    had_nothing_new: bool = False
    is_cut: bool = False
    # When 3C Plus last gave a page, or the list was begun.
    answered_ms: int = 0


class Comparing:
    """Works in steps; `pause` is the number of seconds to wait before the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        rest: Rest,
        policy: Policy,
        fence: Callable[[], Fence],
        tell: Callable[[int], None] = ignore_change,
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        self._running = text(RUNNING + share.where("company_id"))
        self.pause = PAUSE_IDLE
        self._store = store
        self._reading = reading
        self._rest = rest
        self._policy = policy
        self._lease_fence = fence
        self._fence: Fence | None = None
        self._tell = tell
        self._clock = clock
        self._lists: dict[int, _List] = {}

    def step(self) -> bool:
        """Ask for a page of each of the first comparisons; return False, for a pause comes next."""
        if (fence := self._lease_fence()) != self._fence:
            # A new owner: another process may have asked this moment.
            self._fence = fence
            self._lists.clear()
            self._rest.pace.hold_all()
        now_ms = round(self._clock() * 1000)
        query = select(DayComparison).where(self._running).order_by(DayComparison.id)
        with Session(self._reading, expire_on_commit=False) as session:
            running = session.scalars(query.limit(LISTS_MAX)).all()
        self._lists = {each.id: self._lists.get(each.id) or _List() for each in running}
        self.pause = PAUSE_WAITING if running else PAUSE_IDLE
        for each in running:
            if each.next_ms <= now_ms and not self._rest.pace.free_in(each.company_id):
                self._go_on_or_stop(each, self._lists[each.id], now_ms)
        return False

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, that have a comparison under way."""
        query = select(DayComparison.company_id).where(text(RUNNING))
        with self._reading.connect() as connection:
            return set(connection.execute(query).scalars())

    def _go_on_or_stop(self, asked: DayComparison, found: _List, now_ms: int) -> None:
        """Go on with one; a bug of ours, or a token that no key opens, ends only this one."""
        try:
            self._go_on(asked, found, now_ms)
        except (Fenced, StoreUnavailable, SQLAlchemyError):
            raise
        except Exception:
            logger.exception("comparison %d failed", asked.id)
            self._stop(asked, now_ms, None)

    def _go_on(self, asked: DayComparison, found: _List, now_ms: int) -> None:
        """Fetch the next page, or compare when there is none."""
        found.answered_ms = found.answered_ms or now_ms
        access = self._access(asked.company_id)
        if access is None:
            self._stop(asked, now_ms, None)
            return
        spans = periods(asked.since_ms, asked.until_ms - 1_000)
        if found.period >= len(spans) or found.is_cut:
            self._finish(asked, found)
            return
        try:
            rows = self._rest.calls(access, spans[found.period], found.page)
        except PlatformError as error:
            self._failed(asked, found, error, now_ms)
            return
        found.answered_ms = now_ms
        self._take(asked, found, rows)

    def _access(self, company_id: int) -> Access | None:
        """Return how a company's calls are asked for; None if it was deleted."""
        with Session(self._reading) as session:
            company = session.get(Company, company_id)
            if company is None or company.deleted_at is not None:
                return None
            return access_of(company, self._policy)

    def _take(self, asked: DayComparison, found: _List, rows: list[Row]) -> None:
        """Add the calls of a page to the list, and go on to the next page or period."""
        fresh = missing(rows, found.calls)
        if is_the_end(rows, fresh, had_nothing_new=found.had_nothing_new):
            found.period, found.page, found.had_nothing_new = found.period + 1, 1, False
            return
        self._note_unknown(asked.company_id, found, fresh)
        # Only now: a page of which the database said nothing is fetched again.
        found.page += 1
        found.had_nothing_new = not fresh
        found.calls.update(dict.fromkeys(map(id_of, fresh)))
        found.is_cut = len(found.calls) >= CALLS_MAX
        self._set(asked, listed=len(found.calls), failures=0, trouble=None)

    def _note_unknown(self, company_id: int, found: _List, fresh: list[Row]) -> None:
        """Keep what the list says of calls that may be missing: their number is bounded."""
        with self._reading.connect() as connection:
            known = known_histories(connection, company_id, [id_of(row) for row in fresh])
        for row in missing(fresh, known)[: max(0, 2 * NAMED_MAX - len(found.details))]:
            found.details[id_of(row)] = call_of(row)

    def _finish(self, asked: DayComparison, found: _List) -> None:
        company_id, span = asked.company_id, (asked.since_ms, asked.until_ms)
        compared = compare(self._reading, company_id, [*found.calls], found.details)
        compared.is_cut = found.is_cut
        if not found.is_cut:
            # What arrived just before the list was made may not have been in it yet.
            until_ms = min(asked.until_ms + LATE_MS, asked.asked_ms - UNSURE_MS)
            unlisted = only_here(self._reading, company_id, span, until_ms, found.calls)
            compared.take_only_here(unlisted)
        ended_ms = round(self._clock() * 1000)
        state = ComparisonState.FINISHED.value
        self._set(asked, state=state, ended_ms=ended_ms, trouble=None, result=compared.to_json())

    def _failed(
        self, asked: DayComparison, found: _List, error: PlatformError, now_ms: int
    ) -> None:
        """Have the request be made again later, or end the comparison."""
        trouble = error.trouble.value
        logger.warning("company_%d: 3C Plus was asked for a day: %s", asked.company_id, trouble)
        if error.is_final or now_ms - found.answered_ms > GIVE_UP_MS:
            self._stop(asked, now_ms, trouble)
            return
        later = now_ms + error.wait_ms(asked.failures, AGAIN_FIRST_MS, AGAIN_MOST_MS)
        failures = min(asked.failures + 1, 1_000)
        self._set(asked, failures=failures, trouble=trouble, next_ms=later)

    def _stop(self, asked: DayComparison, now_ms: int, trouble: str | None) -> None:
        stopped = ComparisonState.STOPPED.value
        self._set(asked, state=stopped, ended_ms=now_ms, trouble=trouble)

    def _set(self, asked: DayComparison, **values: object) -> None:
        def job(connection: Connection) -> None:
            change = update(DayComparison).where(DayComparison.id == asked.id, text(RUNNING))
            connection.execute(change.values(values))

        self._store.run(job, fence=part_of(self._fence, (asked.company_id,)))
        self._tell(asked.company_id)
