"""All supervisors of this process: starts those that are wished, stops those that are not."""

from __future__ import annotations

import time
from collections.abc import Collection

from webhookproxy.database.clock import ms_now
from webhookproxy.database.fence import shard_of
from webhookproxy.events.contract import token_mask
from webhookproxy.listener.connection import Supervisor, address_of
from webhookproxy.listener.handshakes import Handshakes
from webhookproxy.listener.intake import Feed, Intake
from webhookproxy.listener.sessions import Session, stored_session
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import Company
from webhookproxy.reasons import ConnectionReason, ConnectionState

# A socket closes at once, and an attempt is killed: this is a limit for what should not happen.
STOP_SECONDS = 1.0
# What the connection of a company says that the last owner was connected with, or tried to be.
_CONNECTED_BEFORE = (ConnectionState.CONNECTED, ConnectionState.RECONNECTING)


class Registry:
    """Owns the supervisors."""

    def __init__(
        self, intake: Intake, status: StatusWriter, console: Console, handshakes: Handshakes
    ) -> None:
        self.handshakes = handshakes
        self._intake = intake
        self._status = status
        self._console = console
        # By company; others only look at them.
        self.supervisors: dict[int, Supervisor] = {}
        # The sessions of the sockets that this owner closed, by company; None if nothing may be
        # asked for. A company that is not named here has the session that is stored.
        self._sessions: dict[int, Session | None] = {}
        self._stopping = False
        # Whether another process is the owner still, and sockets are opened beside its own.
        self._ahead = False

    def apply(self, company: Company) -> None:
        """Make the fact match the wish for one company; idempotent."""
        supervisor = self.supervisors.get(company.id)
        wished = company.should_connect and company.deleted_at is None
        if supervisor is not None and not wished:
            self._stop(supervisor, ConnectionState.DISCONNECTING, ConnectionReason.UNWISHED)
            self._tell_disconnected(company.id)
        elif supervisor is not None and supervisor.address != address_of(company):
            reason = ConnectionReason.TOKEN_CHANGED
            self._stop(supervisor, ConnectionState.CONNECTING, reason, gap="open")
            self._start(company, reason, accepted_before=False)
        elif supervisor is not None:
            supervisor.feed.hide_credentials = company.hide_credentials
        elif wished:
            accepted = company.connection.state in _CONNECTED_BEFORE
            self._start(company, ConnectionReason.WISHED, accepted_before=accepted)
        elif company.connection.state != ConnectionState.DISCONNECTED:
            self._tell_disconnected(company.id)

    def forget(self, company_id: int) -> None:
        """Stop the supervisor of a company that is no more."""
        supervisor = self.supervisors.get(company_id)
        if supervisor is not None:
            self._stop(supervisor, ConnectionState.DISCONNECTING, ConnectionReason.UNWISHED)

    def counts(self) -> tuple[int, int]:
        """Return how many sockets are wished and how many are connected."""
        states = [each.state for each in self.supervisors.values()]
        return len(states), states.count(ConnectionState.CONNECTED)

    def ask_stop(self, but: Collection[int] = ()) -> None:
        """Have every socket closed and none opened. Never waits.

        Each company has a gap from now, or since the first event that is not stored; the next owner
        ends these gaps when it connects. Those of the companies `but` it leaves.
        """
        if self._stopping:
            return
        self._stopping = True
        unstored_ms = self._intake.oldest_ms()
        for each in self.supervisors.values():
            if each.company_id in but:
                continue
            refused = each.state is ConnectionState.TOKEN_REFUSED
            state = each.state if refused else ConnectionState.RECONNECTING
            each.ask_stop(state, ConnectionReason.OWNER_GONE, "open", unstored_ms)

    def connected(self) -> dict[int, str]:
        """Return the companies that have a socket, and its id."""
        return {
            each.company_id: each.feed.socket_id
            for each in self.supervisors.values()
            if each.state is ConnectionState.CONNECTED
        }

    def heard(self) -> frozenset[int]:
        """Return the companies that have a socket of which everything was read."""
        return frozenset(each for each in self.connected() if self.supervisors[each].has_read_all)

    def lost(self) -> frozenset[int]:
        """Return the companies that lost their socket, though one is wished as before."""
        supervisors = self.supervisors.values()
        lost = [each for each in supervisors if each.state is ConnectionState.RECONNECTING]
        return frozenset(each.company_id for each in lost)

    def stand(self) -> list[int]:
        """Return the companies that have a socket, which counts from now on; see begin()."""
        for each in self.supervisors.values():
            # The other process may close its socket at any moment from now on.
            each.lost_ahead_ms = 0
        return list(self.connected())

    def stop(self, timeout: float, handed: Collection[int] = ()) -> bool:
        """Close every socket; return whether all closed within `timeout` seconds.

        Of the companies `handed` another process has a socket: they have no gap.
        """
        for company_id in handed:
            if (supervisor := self.supervisors.get(company_id)) is not None:
                supervisor.hand_over()
        self.ask_stop(but=handed)
        until = time.monotonic() + timeout
        supervisors = list(self.supervisors.values())
        ended = [each.join(max(0.0, until - time.monotonic())) for each in supervisors]
        self._sessions |= {each.company_id: each.feed.session for each in supervisors}
        self.supervisors.clear()
        return all(ended)

    def begin(self, *, ahead: bool = False, continued: Collection[int] = ()) -> None:
        """Allow supervisors after stop(); `ahead`: beside those of another process.

        Supervisors that were begun ahead say how they are, once this is called without it.
        `continued` are the shards that no other process owned since.
        """
        self._sessions = {
            key: each for key, each in self._sessions.items() if shard_of(key) in continued
        }
        self._stopping = False
        self._ahead = ahead
        self.handshakes.allow(True)
        for each in self.supervisors.values():
            each.take_over()

    def _start(self, company: Company, reason: ConnectionReason, *, accepted_before: bool) -> None:
        session = self._session(company)
        # Reading it lets others go on.
        if self._stopping:
            return
        feed = Feed(
            self._intake,
            company.id,
            token_mask(company.token),
            hide_credentials=company.hide_credentials,
            fingerprint=company.token_fingerprint,
            session=session,
        )
        supervisor = self.supervisors[company.id] = Supervisor(
            feed,
            address_of(company),
            self.handshakes,
            self._status,
            self._console,
            accepted_before=accepted_before,
        )
        supervisor.start(reason, ahead=self._ahead)

    def _stop(
        self,
        supervisor: Supervisor,
        state: ConnectionState,
        reason: ConnectionReason,
        gap: str | None = None,
    ) -> None:
        # Two sockets of one company would double every event: the old one ends first.
        supervisor.ask_stop(state, reason, gap)
        supervisor.join(STOP_SECONDS)
        if supervisor.feed.session is not None:
            supervisor.feed.session.is_over = True
        self._sessions[supervisor.company_id] = None
        self.supervisors.pop(supervisor.company_id, None)

    def _session(self, company: Company) -> Session | None:
        """Return what the server has of the last socket of a company."""
        if self._ahead:
            # That socket is open still, in another process.
            return None
        if company.id in self._sessions:
            return self._sessions[company.id]
        return stored_session(company)

    def _tell_disconnected(self, company_id: int) -> None:
        state, reason = ConnectionState.DISCONNECTED, ConnectionReason.NOT_WISHED
        self._status.put(Status(company_id, state, reason, ms_now(), gap="close"))
