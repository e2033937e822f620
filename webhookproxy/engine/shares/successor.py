"""Opens the sockets beside an owner that is about to end, so that there is no hole between them."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.database.store import StoreUnavailable
from webhookproxy.engine.shares.placement import Placement
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.listener.handover.agreement import SILENT_MS, Agreement, State
from webhookproxy.listener.handover.stretches import Stretches

logger = logging.getLogger(__name__)

# How often a process that only waits says so, and how often one that opens its sockets looks.
WAIT_SECONDS = 2.0
LOOK_SECONDS = 0.1
BEAT_SECONDS = 0.5
# How long the sockets may take to open, and how long one that is open waits for an event that can
# be told from the others.
OPEN_SECONDS = 8.0
KNOWN_SECONDS = 3.0
# An owner that offered its place and did not end after this time will not. One that is frozen
# loses PostgreSQL's lock after 30 s of silence; see lease.SILENCE_MS.
END_SECONDS = 45.0


class Successor:
    """Waits for an owner's offer, and then has sockets of its own, whose events wait."""

    def __init__(
        self, relay: Relay, agreement: Agreement, placement: Placement, *, takes_over: bool
    ) -> None:
        self._relay = relay
        self._agreement = agreement
        self._placement = placement
        self._holder = placement.holder
        # When an owner was first seen to offer its place, monotonic; None while none does.
        self._offered_at: float | None = None
        # Whether the owner is asked to end, once.
        self._takes_over = takes_over
        # When this process last said that it waits, monotonic; None if it did not.
        self._said_waiting: float | None = None
        self._beaten = 0.0
        # Until when another process counts as chosen.
        self._another_until = 0.0
        # The owner that is followed; None while none is.
        self._fence: int | None = None
        self._owner: str | None = None
        self._began = 0.0
        self._stretches: Stretches | None = None
        # How many events each socket had brought when the owner was told of it.
        self._least: dict[int, int] = {}
        self._stands = False
        self._connected: dict[int, float] = {}

    @property
    def pause(self) -> float | None:
        """Seconds until the next step; None if there is no hurry."""
        is_idle = self._fence is None and self._offered_at is None
        return None if is_idle else LOOK_SECONDS

    def another_is_chosen(self) -> bool:
        """Return whether another process opens its sockets: the lease is meant for that one."""
        return time.monotonic() < self._another_until

    def step(self) -> None:
        """Look once, as a process that is not the owner."""
        found = self._agreement.glance()
        if found.offered or self.pause is not None:
            # What is written now depends on it.
            found = self._agreement.read()
        if found.successor not in (None, self._holder):
            self.let_another()
        free = found.offered and found.successor is None and found.handed is None
        if not free:
            self._offered_at = None
        if self._fence is not None:
            self._go_on(found)
        elif free:
            if self._may_follow() and self._agreement.claim(self._holder, found.fence):
                self._begin(found)
        elif self._takes_over or self._placement.asked == self._relay.share.number:
            self._agreement.ask()
            self._say_waiting()
        elif self._said_waiting is None or time.monotonic() - self._said_waiting >= WAIT_SECONDS:
            self._agreement.wait()
            self._say_waiting()

    def let_another(self) -> None:
        """Leave the share to the process that follows this one: it asks for the lease next."""
        self._another_until = time.monotonic() + SILENT_MS / 1000

    @property
    def is_ahead(self) -> bool:
        """Whether sockets were opened ahead."""
        return self._fence is not None

    def take_over(self) -> frozenset[int]:
        """Put in order what the sockets brought, as the new owner.

        Returns the companies that had no hole. Called before the relay starts.
        """
        stretches, self._stretches = self._stretches, None
        self._fence, self._takes_over, self._said_waiting = None, False, None
        if stretches is None:
            return frozenset()
        found = self._agreement.read()
        # Without the owner's word it was killed, and no one knows how far its sockets read.
        handed = found.handed if found.handed is not None else frozenset()
        settled = stretches.settle({each: self._least.get(each, 0) for each in handed})
        logger.info(
            "took the sockets of %d companies over without a hole; %d events were stored already",
            len(handed - settled.torn),
            settled.known,
        )
        return handed - settled.torn

    def give_up(self) -> None:
        """Close the sockets that were opened ahead, if any."""
        if self._fence is None:
            return
        self._fence = self._stretches = None
        # If the database is away, the owner sees that no one says any more that he lives.
        with suppress(SQLAlchemyError, StoreUnavailable):
            self._agreement.leave(self._holder)
        self._relay.close_ahead()
        logger.info("the sockets that were opened ahead are closed: the owner stays")

    def _may_follow(self) -> bool:
        if self._offered_at is None:
            self._offered_at = time.monotonic()
        offered_for = time.monotonic() - self._offered_at
        return self._placement.may_follow(self._relay.share.number, offered_for)

    def _say_waiting(self) -> None:
        if self._said_waiting is None:
            words = "another process owns %s: this one serves pages and waits"
            logger.info(words, self._relay.share)
        self._said_waiting = time.monotonic()

    def _begin(self, found: State) -> None:
        logger.info("the owner of %s ends: opening sockets beside its own", self._relay.share)
        self._fence, self._owner, self._began = found.fence, found.owner, time.monotonic()
        self._stands, self._least, self._connected = False, {}, {}
        self._stretches = Stretches(
            self._relay.reading,
            self._relay.intake.buffer,
            self._relay.routes,
            self._relay.share,
        )
        self._relay.open_ahead()

    def _go_on(self, found: State) -> None:
        stretches, fence = self._stretches, self._fence
        if stretches is None or fence is None:
            return
        opened_for = time.monotonic() - self._began
        # Its owner stays, or lost the lease and took it again, or another process was quicker, if
        # this one was frozen for a while.
        followed = (found.owner, found.owner_fence) == (self._owner, fence)
        another_owns = found.owner != self._holder and not followed
        if found.chosen != self._holder or another_owns or opened_for > END_SECONDS:
            self.give_up()
            return
        stretches.look()
        standing = None
        if not self._stands and self._is_ready(stretches, opened_for):
            self._stands = True
            standing = self._relay.registry.stand()
            stretches.stand(standing)
            # Counted after the socket was seen open, and before the owner can hear of it.
            self._least = {each: stretches.count(each) for each in standing}
        if standing is not None or time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._beaten = time.monotonic()
            self._agreement.seen(self._holder, fence, standing)

    def _is_ready(self, stretches: Stretches, opened_for: float) -> bool:
        """Return whether every socket is open, and its events can be told apart."""
        if opened_for > OPEN_SECONDS:
            return True
        now = time.monotonic()
        connected = self._relay.registry.connected()
        for company_id in connected:
            self._connected.setdefault(company_id, now)
        if len(connected) < self._relay.registry.counts()[0]:
            return False
        return all(
            stretches.is_known(each) or now - self._connected[each] > KNOWN_SECONDS
            for each in connected
        )
