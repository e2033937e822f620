"""Asks 3C Plus for the calls of gaps, page by page, and writes the events of the missing ones.

The ledger, the events and the place in the pages are one transaction: the next owner of the sockets
goes on from there, and no call is recovered twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import gevent
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import SHARD, WHOLE, Fence, Fenced, Share
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.events.recovery.comparison import began_ms
from webhookproxy.events.recovery.histories import Row, id_of, is_the_end, missing
from webhookproxy.events.recovery.rebuilt import payload_of
from webhookproxy.listener.routes import Arrival
from webhookproxy.models.recovery.call_histories import KEPT_DAYS, known_histories
from webhookproxy.models.recovery.recoveries import HOUR_MS
from webhookproxy.network.guard import Policy
from webhookproxy.platform.rest import AT_ONCE, PlatformError, Rest
from webhookproxy.recovery.call_keys import CallKeys
from webhookproxy.recovery.filling import Filling
from webhookproxy.recovery.progress import Progress, Task, write_page, write_recovered
from webhookproxy.recovery.sweeping import Sweeping
from webhookproxy.recovery.writing import BATCH, Origin, Writer

logger = logging.getLogger(__name__)

# Seconds between two steps: while calls are written, while an answer or a turn is waited for, and
# while nothing is under way.
PAUSE_WRITING = 0.02
PAUSE_WAITING = 0.25
PAUSE_IDLE = 2.0
# Pages of one period: a server that ignores the page gives the same calls without end.
PAGES_MAX = 2_000
# How long a company rests whose webhooks still have the last calls, so that others get their turn.
BUSY_SECONDS = 0.5
# After a bug of ours in a company's step.
AFTER_BUG_SECONDS = 60.0
# Pages that are held at once, waiting to be written.
PAGES_HELD = 16


@dataclass
class _Page:
    """The calls of a page that are still to be written."""

    number: int
    rows: list[Row]
    listed: int
    missing: int


@dataclass
class _Hand:
    """What this process knows of a recovery that its row does not say.

    `place` is the look and its period, `seen` are the calls of the period's earlier pages,
    and `had_nothing_new` is about the last of them.
    """

    place: tuple[int, int]
    page: _Page | None = None
    seen: set[str] = field(default_factory=set)
    had_nothing_new: bool = False


class Recovering:
    """Works in steps; `pause` is the number of seconds to wait before the next."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        rest: Rest,
        writer: Writer,
        keys: CallKeys,
        policy: Policy,
        clock: Callable[[], float] = seconds_now,
        share: Share = WHOLE,
    ) -> None:
        self.pause = PAUSE_IDLE
        self.filling = Filling(store, reading)
        self.sweeping = Sweeping(store, reading, clock, share)
        self._reading = reading
        self._rest = rest
        self._writer = writer
        self._keys = keys
        self._clock = clock
        self._progress = Progress(store, reading, policy, share)
        self._fence: Fence | None = None
        self._hands: dict[int, _Hand] = {}
        # The deliveries of each company's last calls, whichever recovery wrote them.
        self._last_due: dict[int, list[int]] = {}
        self._rests_until: dict[int, float] = {}

    def step(self) -> bool:
        """Go on with the recoveries of a few companies; return whether anything was written."""
        fence = self._writer.fence
        if fence != self._fence:
            self._begin(fence)
        if not self.filling.is_done:
            self.filling.step(fence)
            self.pause = PAUSE_WRITING if SHARD in fence.numbers else PAUSE_IDLE
            return True
        self.sweeping.step(fence)
        due = self._progress.due(round(self._clock() * 1000))
        companies = dict(due)
        self._hands = {each: hand for each, hand in self._hands.items() if each in companies}
        chosen = self._chosen(due)
        self.pause = PAUSE_WAITING if due else PAUSE_IDLE
        wrote = self._run_at_once(chosen, companies, fence) if chosen else False
        if wrote:
            self.pause = PAUSE_WRITING
        return wrote

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, that have a recovery under way."""
        return self._progress.concerned()

    def _begin(self, fence: Fence) -> None:
        """Begin as a new owner: another one may have gone on, and may have asked this moment."""
        self._fence = fence
        self._hands.clear()
        self._last_due.clear()
        self._rest.pace.hold_all()

    def _chosen(self, due: list[tuple[int, int]]) -> list[int]:
        """Return a recovery of each of the first companies that may go on now."""
        chosen: dict[int, int] = {}
        now = time.monotonic()
        self._rests_until = {each: at for each, at in self._rests_until.items() if at > now}
        room = PAGES_HELD - self._pages_held()
        for recovery_id, company_id in due:
            if company_id in chosen or company_id in self._rests_until:
                continue
            hand = self._hands.get(recovery_id)
            needs_turn = hand is None or hand.page is None
            if needs_turn and (room <= 0 or self._rest.pace.free_in(company_id) > 0):
                continue
            room -= needs_turn
            chosen[company_id] = recovery_id
            if len(chosen) == AT_ONCE:
                break
        return list(chosen.values())

    def _run_at_once(self, chosen: list[int], companies: dict[int, int], fence: Fence) -> bool:
        """Run a step of each; return whether one wrote. Raises what the database raised."""
        wrote: list[bool] = []
        errors: list[Exception] = []

        def run(recovery_id: int) -> None:
            try:
                wrote.append(self._go_on_or_rest(recovery_id, companies[recovery_id], fence))
            except (Fenced, StoreUnavailable, SQLAlchemyError) as error:
                errors.append(error)

        greenlets = []
        for recovery_id in chosen:
            greenlet = gevent.spawn(run, recovery_id)
            greenlet.name = f"recovery_{recovery_id}"
            greenlets.append(greenlet)
        try:
            # Each ends by itself. Only a stop of the server ends one before: whatever is committed
            # then has its numbers read again by the next owner.
            gevent.joinall(greenlets)
        finally:
            gevent.killall(greenlets, block=False)
        if errors:
            raise errors[0]
        return any(wrote)

    def _go_on_or_rest(self, recovery_id: int, company_id: int, fence: Fence) -> bool:
        """Go on with one; after a bug of ours, or a token that no key opens, others do."""
        try:
            return self._go_on(recovery_id, fence)
        except (Fenced, StoreUnavailable, SQLAlchemyError):
            raise
        except Exception:
            logger.exception("recovery %d failed, and is tried again", recovery_id)
            self._rests_until[company_id] = time.monotonic() + AFTER_BUG_SECONDS
            own = fence.of_company(company_id)
            self._progress.give_up_old(recovery_id, round(self._clock() * 1000), own)
            return False

    def _go_on(self, recovery_id: int, fence: Fence) -> bool:
        """Fetch a page, or write some calls of it; return whether calls were written."""
        now_ms = round(self._clock() * 1000)
        task = self._progress.task(recovery_id)
        if task is None:
            return False
        if not task.is_wanted:
            self._progress.stopped(task, now_ms, fence)
            return False
        if task.period is None:
            self._hands.pop(recovery_id, None)
            self._progress.look_is_done(task, now_ms, fence)
            return False
        hand = self._hand(task)
        company_id = task.access.company_id
        if company_id not in self._last_due:
            # The last owner's: a kill must not let a second batch follow them at once.
            self._last_due[company_id] = self._progress.last_due(company_id, BATCH, now_ms)
        if self._progress.not_begun(self._last_due[company_id]):
            # The webhooks still have the last few: a live event must not wait for more.
            self._rests_until[company_id] = time.monotonic() + BUSY_SECONDS
            if self._pages_held() >= PAGES_HELD:
                # Its page is fetched again: until then another company has the room.
                self._hands.pop(recovery_id)
            return False
        if hand.page is None:
            self._fetch(task, hand, now_ms, fence)
            return False
        return self._write(task, hand, hand.page, fence)

    def _pages_held(self) -> int:
        return sum(hand.page is not None for hand in self._hands.values())

    def _hand(self, task: Task) -> _Hand:
        """Return what is known of a recovery that is still at the same place as its row."""
        found = task.recovery
        place = found.look, found.period
        hand = self._hands.get(found.id)
        if hand is None or hand.place != place:
            hand = self._hands[found.id] = _Hand(place)
        if hand.page is not None and hand.page.number != found.page:
            # Its last calls were committed, and the database could not say so.
            hand.page = None
        return hand

    def _fetch(self, task: Task, hand: _Hand, now_ms: int, fence: Fence) -> None:
        """Ask for the next page, and find out which of its calls are missing."""
        found = task.recovery
        if task.period is None:
            return
        try:
            rows = self._rest.calls(task.access, task.period, found.page)
        except PlatformError as error:
            logger.warning(
                "company_%d: 3C Plus was asked for calls: %s", found.company_id, error.trouble.value
            )
            self._progress.failed(task, error, now_ms, fence)
            return
        fresh = missing(rows, hand.seen)
        is_end = is_the_end(rows, fresh, had_nothing_new=hand.had_nothing_new)
        if is_end or found.page > PAGES_MAX:
            self._progress.period_is_done(task, fence)
            return
        with self._reading.connect() as connection:
            known = known_histories(connection, found.company_id, [id_of(row) for row in fresh])
        gone = [row for row in missing(fresh, known) if _is_in_ledgers_time(row, now_ms)]
        if task.is_counting or not gone:
            self._progress.page_is_done(task, len(fresh), len(gone), fence)
        else:
            hand.page = _Page(found.page, gone, len(fresh), len(gone))
        # Only now: a page that the database did not take is fetched again.
        hand.seen.update(map(id_of, fresh))
        hand.had_nothing_new = not fresh

    def _write(self, task: Task, hand: _Hand, page: _Page, fence: Fence) -> bool:
        """Write the next few calls of a page; the last of them with the place of the next page."""
        batch, rest = page.rows[:BATCH], page.rows[BATCH:]

        def also(connection: Connection, written: list[Arrival]) -> None:
            write_recovered(connection, task, len(written))
            if not rest:
                write_page(connection, task, page.listed, page.missing)

        access = task.access
        origin = Origin(access.company_id, task.token_mask, task.hide_credentials)
        keys = self._keys.of(access.company_id, batch)
        self._last_due[access.company_id] = self._writer.write(origin, batch, keys, fence, also)
        page.rows = rest
        if not rest:
            hand.page = None
        return True


def _is_in_ledgers_time(row: Row, now_ms: int) -> bool:
    """Return whether the ledger still knows of a call, if it arrived: a request may take days."""
    at_ms = began_ms(payload_of(row))
    return at_ms is None or at_ms >= now_ms - KEPT_DAYS * 24 * HOUR_MS
