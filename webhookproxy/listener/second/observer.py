"""One company's second socket: a greenlet that opens it beside the first one and compares them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import gevent
from gevent.event import Event

from webhookproxy.database.clock import ms_now
from webhookproxy.listener.alignment.comparison import Comparison
from webhookproxy.listener.client import NotConnected, Socket
from webhookproxy.listener.connection import Supervisor
from webhookproxy.listener.handshakes import Handshakes
from webhookproxy.listener.second.report import Report
from webhookproxy.reasons import (
    SECOND_SOCKET_WORDS,
    ConnectionReason,
    ConnectionState,
    SecondSocketState,
)

logger = logging.getLogger(__name__)

# How long the first socket is open before a second one is asked for: if 3C Plus ends it for that,
# it is opened again at once.
FIRST_OPEN_MS = 6_000
LOOK_SECONDS = 1.0
# A socket that ends within this time after the other one was accepted was ended because of it.
KICK_SECONDS = 2.0
# Whether the network dropped both sockets is known after this time.
BOTH_SECONDS = 0.3
AGAIN_FIRST, AGAIN_MAX = 10.0, 300.0
# A second socket counts as refused at the third refusal in a row: while its database is away, a
# server that goes on with the sockets it has may refuse every new one.
REFUSALS_UNTIL_SURE = 3

_ENDED_BY_SERVER = (ConnectionReason.KICKED, ConnectionReason.DROPPED)
_REFUSED = (ConnectionReason.REFUSED, ConnectionReason.SERVER_REFUSED)


class Observer:
    """Observes the second socket of a company, from `report` on."""

    def __init__(
        self,
        supervisor: Supervisor,
        handshakes: Handshakes,
        report: Report,
        on_change: Callable[[], None],
    ) -> None:
        self.supervisor = supervisor
        self._handshakes = handshakes
        self._report = report
        self._on_change = on_change
        self._comparison: Comparison | None = None
        self._refusals = 0
        self._stopping = Event()
        self._greenlet = gevent.Greenlet(self._run)
        self._greenlet.name = f"second_socket_{report.company_id}"
        self._greenlet.link_exception(_log_death)

    def start(self) -> None:
        """Begin to observe."""
        self._greenlet.start()

    def stop(self) -> None:
        """Close the second socket. Never waits: an attempt that is under way is killed."""
        self._stopping.set()
        self._greenlet.kill(block=False)

    @property
    def report(self) -> Report:
        """What was seen so far, with what is open now."""
        if self._comparison is None:
            return self._report
        pairing = self._comparison.pairing
        return replace(
            self._report,
            paired=self._report.paired + pairing.paired,
            unpaired=self._report.unpaired + pairing.unpaired,
            replayed=self._report.replayed + pairing.replayed,
            displacement=max(self._report.displacement, pairing.order.displacement),
        )

    def _run(self) -> None:
        again = AGAIN_FIRST
        while not self._report.is_over:
            if not self._first_is_open(FIRST_OPEN_MS):
                self._stopping.wait(LOOK_SECONDS)
                continue
            joins = self._report.joins
            try:
                self._become(self._observe())
            except Exception:  # a bug must not leave the page saying that it is observed
                logger.exception("company_%d, second socket: it failed", self._report.company_id)
                self._become(SecondSocketState.WAITING)
            again = AGAIN_FIRST if self._report.joins > joins else min(again * 2, AGAIN_MAX)
            self._stopping.wait(again)

    def _observe(self) -> SecondSocketState:
        """Open a second socket and compare until either ends; return what is known then."""
        comparison = Comparison()
        socket = Socket(comparison)
        comparison.on_over = socket.interrupt
        try:
            refused = self._compare(comparison, socket)
            return self._judged(comparison, socket, refused=refused)
        finally:
            socket.close()

    def _compare(self, comparison: Comparison, socket: Socket) -> bool:
        """Open the socket and count until either ends; return whether it was refused."""
        feed = self.supervisor.feed
        try:
            with self._handshakes.turn():
                # Not earlier: the wait for a turn may be long.
                feed.beside = self._comparison = comparison
                socket.open(
                    self.supervisor.address, self._handshakes.policy, self._handshakes.resolver
                )
            self._report = replace(self._report, joins=self._report.joins + 1)
            self._become(SecondSocketState.OBSERVING)
            socket.wait()
        except NotConnected as error:
            return error.reason in _REFUSED
        finally:
            feed.beside = None
            comparison.close()
            self._report, self._comparison = self.report, None
        return False

    def _judged(
        self, comparison: Comparison, socket: Socket, *, refused: bool
    ) -> SecondSocketState:
        if comparison.is_full:
            differ = comparison.finds_no_pair
            return SecondSocketState.TEXTS_DIFFER if differ else SecondSocketState.BEHIND
        self._refusals = self._refusals + 1 if refused else 0
        if 0 < self._refusals < REFUSALS_UNTIL_SURE:
            return SecondSocketState.WAITING
        is_short = comparison.seconds_joined < KICK_SECONDS
        if refused or (is_short and socket.lost in _ENDED_BY_SERVER):
            gevent.sleep(BOTH_SECONDS)
            if self._first_is_open(0):
                return SecondSocketState.REFUSED if refused else SecondSocketState.ONE_SOCKET
        elif comparison.first_was_ended_for(KICK_SECONDS):
            kicked = comparison.first_lost_by is ConnectionReason.KICKED
            if not kicked:
                gevent.sleep(BOTH_SECONDS)
            # The first one may be open again already, and have ended this one in turn.
            if kicked or socket.lost in (None, ConnectionReason.KICKED):
                return SecondSocketState.ONE_SOCKET
        return SecondSocketState.WAITING

    def _first_is_open(self, milliseconds: int) -> bool:
        if self.supervisor.state is not ConnectionState.CONNECTED:
            return False
        return ms_now() - self.supervisor.feed.connected_ms >= milliseconds

    def _become(self, state: SecondSocketState) -> None:
        if state is not self._report.state:
            logger.info(
                "company_%d, second socket: %s",
                self._report.company_id,
                SECOND_SOCKET_WORDS[state].english,
            )
            self._report = replace(self._report, state=state)
            self._on_change()


def _log_death(greenlet: gevent.Greenlet[..., None]) -> None:
    logger.error("the observer %s died", greenlet.name, exc_info=greenlet.exc_info)
