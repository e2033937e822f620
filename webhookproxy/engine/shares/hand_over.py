"""The owner's side of a handover: it goes on until its successor has sockets of its own."""

from __future__ import annotations

import logging
import time

import gevent
from gevent.event import Event
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.database.store import StoreUnavailable
from webhookproxy.listener.handover.agreement import Agreement, State
from webhookproxy.listener.registry import Registry

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
# A process that waits asks twice a second; no one who claims the place by then will.
CLAIM_SECONDS = 1.5
# How long the successor may take to open its sockets.
OPEN_SECONDS = 9.0
# After the successor has said that it stands: what was emitted before is still under way to us.
UNDER_WAY_SECONDS = 0.3


class HandOver:
    """Offers the place of an owner that ends, and tells when its sockets can be closed."""

    def __init__(self, agreement: Agreement, registry: Registry) -> None:
        self._agreement = agreement
        self._registry = registry
        self._fence = 0
        self._offered_at = 0.0
        self._found = State()
        # The companies that had a socket before the successor opened its own, and those of them
        # that lost it to the successor's.
        self._had: frozenset[int] = frozenset()
        self._ended: frozenset[int] = frozenset()
        self._over = Event()
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def look(self, fence: int) -> bool:
        """Look, as the owner, whether another process asks for the place, and offer it.

        Returns whether a successor has sockets of its own, so that this process can end. One that
        ends before it has them leaves everything as it was.
        """
        if self._greenlet is None and self._agreement.glance().asked:
            self.offer(fence)
        if self._greenlet is None or not self._over.is_set():
            return False
        if self._found.standing is not None:
            return True
        self._greenlet = None
        self._registry.handshakes.allow(True)
        self._agreement.withdraw(fence)
        logger.info("no other process opened sockets: this one goes on")
        return False

    def offer(self, fence: int) -> None:
        """Offer the place, if a process waits for it, and look what a successor does.

        An offer that no one took up is made again: this one may be the last.
        """
        if self._greenlet is not None and not self._is_left_unanswered:
            self._offered_at = time.monotonic()
            return
        self._fence, self._had = fence, frozenset(self._registry.connected())
        self._over.clear()
        self._greenlet = None
        try:
            if not self._agreement.read().waited:
                return
            self._agreement.offer(fence)
        except (SQLAlchemyError, StoreUnavailable):
            # Without a database no one can be told anything: the next owner finds the gap.
            return
        self._offered_at = time.monotonic()
        self._greenlet = gevent.spawn(self._follow)
        self._greenlet.name = "engine_hand_over"

    def companies(self, seconds: float) -> frozenset[int]:
        """Return the companies of which the successor has a socket, as soon as it has them all.

        Empty without a successor. Waits `seconds` at most.
        """
        if self._greenlet is None:
            return frozenset()
        self._over.wait(seconds)
        self._greenlet.kill(block=False)
        self._greenlet = None
        # It may have ended since it had its sockets.
        self._read()
        standing = self._found.standing or frozenset()
        if handed := self._registry.heard() & standing:
            gevent.sleep(min(UNDER_WAY_SECONDS, seconds))
            # A socket that ended meanwhile has a gap of its own.
            handed &= self._registry.heard()
        self._ended = self._had & standing & self._registry.lost()
        return handed

    def close(self, handed: frozenset[int]) -> None:
        """Say for which companies there was no hole; called once all their events are stored."""
        if self._found.successor is None:
            return
        if self._ended:
            logger.info("3C Plus ended the sockets of %d companies for new ones", len(self._ended))
        try:
            self._agreement.hand(self._fence, handed)
            self._agreement.note_one_socket(self._ended, handed)
        except (SQLAlchemyError, StoreUnavailable):
            logger.warning("the successor could not be told: it records a gap")

    @property
    def _is_left_unanswered(self) -> bool:
        return self._over.is_set() and self._found.standing is None

    def _follow(self) -> None:
        while not self._over.is_set():
            self._read()
            self._judge(time.monotonic() - self._offered_at)
            gevent.sleep(LOOK_SECONDS)

    def _read(self) -> None:
        try:
            self._found = self._agreement.read()
        except SQLAlchemyError:
            self._found = State()

    def _judge(self, waited: float) -> None:
        found = self._found
        opening = found.successor is not None and found.fence == self._fence
        # Some servers close a token's first socket when a second one comes: two processes that
        # reconnect would close each other's without end.
        self._registry.handshakes.allow(not opening)
        stands = opening and found.standing is not None
        if stands or waited > (OPEN_SECONDS if opening else CLAIM_SECONDS):
            self._over.set()
