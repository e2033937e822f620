"""Compares what a second socket brings with what the company's own socket does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from webhookproxy.listener.alignment.pairing import Pairing
from webhookproxy.reasons import ConnectionReason

logger = logging.getLogger(__name__)

FIRST, SECOND = "first", "second"


class Comparison:
    """Hears two sockets, from before the second one is opened until one of them ends.

    It keeps a number for each text, and no text. The feed of the first socket calls it, and
    the second socket does (protocol.Owner): it never raises and never yields.
    """

    def __init__(self) -> None:
        # Called once when it is over, by the greenlet of either socket.
        self.on_over: Callable[[], None] = _nothing
        # What was counted so far; others only look at it.
        self.pairing = Pairing()
        self.pairing.open(FIRST)
        self.pairing.join(FIRST)
        self.pairing.open(SECOND)
        # When the second socket was accepted and the first one was lost, monotonic, and why.
        self._joined_at: float | None = None
        self._first_lost_at: float | None = None
        self.first_lost_by: ConnectionReason | None = None
        # Whether no more can be compared: too many texts wait for their pair, or it failed.
        self.is_full = False
        self._is_over = False

    @property
    def finds_no_pair(self) -> bool:
        """Whether the texts differ, and not only one socket lags: few had a pair."""
        return self.pairing.paired * 2 < self.pairing.order.brought(SECOND)

    @property
    def seconds_joined(self) -> float:
        """How long ago the second socket was accepted; 0 before."""
        return 0.0 if self._joined_at is None else time.monotonic() - self._joined_at

    def first_was_ended_for(self, seconds: float) -> bool:
        """Return whether the server ended the first socket within `seconds` of accepting this."""
        if self._joined_at is None or self._first_lost_at is None:
            return False
        ended = self.first_lost_by in (ConnectionReason.KICKED, ConnectionReason.DROPPED)
        return ended and abs(self._first_lost_at - self._joined_at) < seconds

    def close(self) -> None:
        """Hear nothing more."""
        self._is_over = True

    def first_brought(self, text: str) -> None:
        """Take an event of the first socket."""
        self._take(self.pairing.feed, FIRST, hash(text))

    def first_pinged(self) -> None:
        """Take a PING of the first socket."""
        self._take(self.pairing.ping, FIRST)

    def first_lost(self, reason: ConnectionReason) -> None:
        """End: nothing can be compared with a socket that ended."""
        if not self._is_over:
            self._first_lost_at, self.first_lost_by = time.monotonic(), reason
            self._is_over = True
            self.on_over()

    def connected(self, _socket_id: str, _pid: str) -> None:
        """Take notice that the second socket was accepted, before its first event."""
        self._joined_at = time.monotonic()
        self._take(self.pairing.join, SECOND)

    def event(self, text: str, offset: str = "") -> None:  # noqa: ARG002 - Owner's
        """Take an event of the second socket."""
        self._take(self.pairing.feed, SECOND, hash(text))

    def malformed(self, _error: Exception, text: str) -> None:
        """Take a packet of the second socket that could not be read: the first has it too."""
        self._take(self.pairing.feed, SECOND, hash(text))

    def oversized(self, text: str, _length: int) -> None:
        """Take the beginning of an event that is too long: the first has the same."""
        self._take(self.pairing.feed, SECOND, hash(text))

    def pinged(self) -> None:
        """Take a PING of the second socket."""
        self._take(self.pairing.ping, SECOND)

    def wait_until_accepting(self, timeout: float) -> bool:  # noqa: ARG002 - Owner's
        """Return that there is place: nothing is kept."""
        return True

    def _take(self, step: Callable[..., object], *given: object) -> None:
        if self._is_over:
            return
        try:
            step(*given)
        except Exception:  # observing may cost the first socket nothing
            logger.exception("two sockets could not be compared")
            self.is_full = True
        if self.is_full or self.pairing.is_full:
            self.is_full = True
            self._is_over = True
            self.on_over()


def _nothing() -> None:
    """Do nothing: no socket is open yet."""
