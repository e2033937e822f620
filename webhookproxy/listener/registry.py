"""All supervisors of this process: starts those that are wished, stops those that are not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.lock import BoundedSemaphore

from webhookproxy.listener.connection import Supervisor, address_of
from webhookproxy.listener.intake import Intake
from webhookproxy.listener.status import Status, StatusWriter
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import Company
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason, ConnectionState

# However many companies drop at once, the server sees so many handshakes at a time.
HANDSHAKES_MAX = 20
# So many drops within a second mean that the server went away, and not one connection.
CROWD = 10
# A socket closes at once; one in the middle of its handshake is killed.
STOP_SECONDS = 1.0


class Registry:
    """Owns the supervisors and what they share."""

    def __init__(
        self,
        intake: Intake,
        status: StatusWriter,
        console: Console,
        policy: Policy,
        resolver: Resolver,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.intake = intake
        self.status = status
        self.console = console
        self.policy = policy
        self.resolver = resolver
        self.gate = BoundedSemaphore(HANDSHAKES_MAX)
        self._clock = clock
        self._supervisors: dict[int, Supervisor] = {}
        self._drops: deque[float] = deque(maxlen=CROWD)
        self._stopping = False

    def apply(self, company: Company) -> None:
        """Make the fact match the wish for one company; idempotent."""
        supervisor = self._supervisors.get(company.id)
        wished = company.should_connect and company.deleted_at is None
        if supervisor is not None and (not wished or supervisor.address != address_of(company)):
            self._tell(company.id, ConnectionState.DISCONNECTING, ConnectionReason.UNWISHED)
            self._stop(supervisor)
            self._tell(
                company.id, ConnectionState.DISCONNECTED, ConnectionReason.NOT_WISHED, "close"
            )
            supervisor = None
        elif not wished and company.connection.state != ConnectionState.DISCONNECTED:
            self._tell(
                company.id, ConnectionState.DISCONNECTED, ConnectionReason.NOT_WISHED, "close"
            )
        if supervisor is not None:
            supervisor.hide_credentials(company.hide_credentials)
        elif wished and not self._stopping:
            supervisor = self._supervisors[company.id] = Supervisor(
                self, company.id, address_of(company), hide_credentials=company.hide_credentials
            )
            supervisor.start()

    def forget(self, company_id: int) -> None:
        """Stop the supervisor of a company that is no more."""
        supervisor = self._supervisors.get(company_id)
        if supervisor is not None:
            self._stop(supervisor)

    def counts(self) -> tuple[int, int]:
        """How many sockets are wished and how many are connected."""
        states = [each.state for each in self._supervisors.values()]
        return len(states), states.count(ConnectionState.CONNECTED)

    def stop(self, timeout: float) -> bool:
        """Close every socket, within so many seconds; whether all closed.

        Each company has a gap from now until the next owner connects it.
        """
        self._stopping = True
        until = time.monotonic() + timeout
        supervisors = list(self._supervisors.values())
        for supervisor in supervisors:
            supervisor.ask_stop()
        ended = [each.stop(max(0.0, until - time.monotonic())) for each in supervisors]
        for each in supervisors:
            reason = ConnectionReason.OWNER_GONE
            self._tell(each.company_id, ConnectionState.RECONNECTING, reason, "open")
        self._supervisors.clear()
        return all(ended)

    def begin(self) -> None:
        """Allow supervisors again after stop()."""
        self._stopping = False

    def count_drop(self) -> bool:
        """Count a dropped connection; whether a crowd dropped within the last second."""
        now = time.monotonic()
        self._drops.append(now)
        return len(self._drops) == CROWD and now - self._drops[0] < 1.0

    def supervisor_died(self, supervisor: Supervisor) -> None:
        """Put a new supervisor in the place of one that a bug ended, a second from now."""
        if self._supervisors.get(supervisor.company_id) is supervisor and not self._stopping:
            gevent.spawn_later(1.0, self._replace, supervisor)

    def now_ms(self) -> int:
        """Wall time in milliseconds."""
        return round(self._clock() * 1000)

    def _replace(self, supervisor: Supervisor) -> None:
        if self._supervisors.get(supervisor.company_id) is supervisor and not self._stopping:
            new = self._supervisors[supervisor.company_id] = supervisor.again()
            new.start()

    def _stop(self, supervisor: Supervisor) -> None:
        # Two sockets of one company would double every event: the old one ends first.
        supervisor.stop(STOP_SECONDS)
        self._supervisors.pop(supervisor.company_id, None)

    def _tell(
        self,
        company_id: int,
        state: ConnectionState,
        reason: ConnectionReason,
        gap: str | None = None,
    ) -> None:
        self.status.put(Status(company_id, state, reason, self.now_ms(), gap=gap))
