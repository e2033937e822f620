"""Whether 3C Plus accepts a token, and the switch to the next one when the present one is refused.

A token is asked about with a socket of its own that lives for a moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial

import gevent
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webhookproxy.database.fence import WHOLE, Fence, Fenced, Share, part_of
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.listener.client import Address, NotConnected, Socket
from webhookproxy.models.accounts.next_tokens import switch
from webhookproxy.models.audit import SERVER
from webhookproxy.models.companies import Company
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason

logger = logging.getLogger(__name__)

# A user waits for the page; the connection itself has half as much again.
CHECK_SECONDS = 10.0
# How often the owner looks for companies whose token is refused.
SWITCH_SECONDS = 5.0

_REFUSED = (
    "SELECT n.company_id FROM next_tokens n"
    " JOIN connections k ON k.company_id = n.company_id AND k.state = 'token_refused'"
    " JOIN companies c ON c.id = n.company_id AND c.should_connect AND c.deleted_at IS NULL"
    " WHERE n.answer = 'accepted'"
)


class Ignoring:
    """The owner of a socket whose events are dropped."""

    def connected(self, socket_id: str, pid: str) -> None: ...
    def event(self, text: str, offset: str = "") -> None: ...
    def malformed(self, error: Exception, text: str) -> None: ...
    def oversized(self, text: str, length: int) -> None: ...
    def pinged(self) -> None: ...
    def wait_until_accepting(self, timeout: float) -> bool:  # noqa: ARG002 - the protocol's
        """Take everything at once."""
        return True


def check_token(
    address: Address, policy: Policy, resolver: Resolver, seconds: float = CHECK_SECONDS
) -> ConnectionReason:
    """Return ACCEPTED, or why no connection was made, within `seconds`.

    For a company that is not connected: some servers close the first socket of a token when a
    second one comes. What arrives on this one is thrown away.
    """
    socket = Socket(Ignoring())
    try:
        with gevent.Timeout(seconds):
            socket.open(address, policy, resolver)
    except gevent.Timeout:
        return ConnectionReason.HANDSHAKE_TIMEOUT
    except NotConnected as error:
        return error.reason
    finally:
        socket.close()
    # Some servers accept every token, and close the connection of a bad one at once.
    return socket.lost or ConnectionReason.ACCEPTED


class TokenSwitch:
    """A background job of the owner of the sockets; the new socket opens as for any new token."""

    def __init__(
        self,
        store: Store,
        reading: Engine,
        policy: Policy,
        fence: Callable[[], Fence | None],
        share: Share = WHOLE,
    ) -> None:
        self._query = text(
            f"{_REFUSED}{share.where('n.company_id')} ORDER BY n.company_id LIMIT 100"
        )
        self.pause = SWITCH_SECONDS
        self._store = store
        self._reading = reading
        self._policy = policy
        self._fence = fence
        # The companies that could not be switched: each is logged once, and tried again.
        self._told: set[int] = set()

    def step(self) -> bool:
        """Switch the companies whose token is refused; return whether there was one."""
        with self._reading.connect() as connection:
            found = connection.execute(self._query).scalars().all()
        self._told &= set(found)
        for company_id in found:
            try:
                fence = part_of(self._fence(), (company_id,))
                self._store.session(partial(self._switch, company_id), fence=fence)
            except (Fenced, StoreUnavailable, SQLAlchemyError):
                raise
            except Exception as error:  # a token that another company has, or that no key opens
                if company_id not in self._told:
                    words = "company_%d cannot have the token that is ready (%s)"
                    logger.warning(words, company_id, type(error).__name__)
                self._told.add(company_id)
            else:
                logger.warning("company_%d has its next token now", company_id)
        return bool(found)

    def concerned(self) -> Collection[int]:
        """Return the companies, of all shares, whose token is refused and that have a next one."""
        with self._reading.connect() as connection:
            return set(connection.execute(text(_REFUSED)).scalars())

    def _switch(self, company_id: int, session: Session) -> None:
        company = session.get(Company, company_id)
        if company is not None and company.deleted_at is None:
            switch(session, company, self._policy, SERVER)
