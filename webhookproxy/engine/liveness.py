"""The facts that any process may show: states of connections, and whether events are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webhookproxy.database.fence import SHARD
from webhookproxy.database.ownership.lease import HEARTBEAT_MS, owner_seen_ms
from webhookproxy.models import Connection, Lease
from webhookproxy.reasons import (
    STORING_WORDS,
    ConnectionReason,
    ConnectionState,
    StoringReason,
    Words,
)

ShownState = tuple[ConnectionState, ConnectionReason]


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that owns the sockets: whether it lives, and its fence (None: never was one)."""

    alive: bool
    fence: int | None


def read_owner(session: Session) -> Owner:
    """The owner as the database knows it now."""
    seen_ms = owner_seen_ms(session.connection())
    fence = session.scalar(select(Lease.fence).where(Lease.shard == SHARD))
    return Owner(seen_ms is not None and seen_ms <= HEARTBEAT_MS, fence)


@dataclass(frozen=True, slots=True)
class Storing:
    """Whether events are stored now, why not, and since when not, if that is known."""

    reason: StoringReason
    since: datetime | None = None

    @property
    def ok(self) -> bool:
        """Return whether they are."""
        return self.reason is StoringReason.STORING

    @property
    def words(self) -> Words:
        """Return how the pages describe it."""
        return STORING_WORDS[self.reason]


def storing(session: Session, *, here: bool = True) -> Storing:
    """Whether the owner of the sockets stores events, as any process can know it.

    `here` is what this process's engine says of itself (`Health.storing`), which is known ten
    seconds before a silent owner is. Never raises: a database that cannot be read is a reason.
    """
    try:
        seen_ms = owner_seen_ms(session.connection())
        columns = select(Lease.heartbeat_at, Lease.failing_since).where(Lease.shard == SHARD)
        row = session.execute(columns).one_or_none()
    except SQLAlchemyError:
        session.rollback()
        return Storing(StoringReason.DATABASE_GONE)
    failing_since = None if row is None else row.failing_since
    if not here or failing_since is not None:
        return Storing(StoringReason.DATABASE_REFUSES, failing_since)
    if seen_ms is None or seen_ms > HEARTBEAT_MS:
        return Storing(StoringReason.NO_OWNER, None if row is None else row.heartbeat_at)
    return Storing(StoringReason.STORING)


def look(reading: Engine, failing_since: Callable[[], float | None]) -> Storing:
    """Return whether events are stored, as /saude says it of the process that asks."""
    with Session(reading) as session:
        return storing(session, here=failing_since() is None)


def shown_state(connection: Connection, owner: Owner, *, wished: bool) -> ShownState:
    """Return the state that may be shown, and its reason.

    What another owner wrote, or one that has not been heard of for 10 s, says nothing of now:
    then there is no socket, and the wish decides what comes next.
    """
    stored = ConnectionState(connection.state), ConnectionReason(connection.reason)
    if owner.alive and connection.fence == owner.fence:
        return _under_way(stored, wished=wished)
    # "Disconnected" is true without an owner.
    at_rest = stored[0] is ConnectionState.DISCONNECTED
    if not wished:
        return stored if at_rest else (ConnectionState.DISCONNECTED, ConnectionReason.OWNER_GONE)
    if at_rest and owner.alive:
        return ConnectionState.CONNECTING, ConnectionReason.WISHED
    return ConnectionState.CONNECTING, ConnectionReason.OWNER_GONE


def _under_way(stored: ShownState, *, wished: bool) -> ShownState:
    """What a living owner wrote, and what it is about to make of it: its wish is newer."""
    at_rest = stored[0] is ConnectionState.DISCONNECTED
    if wished and at_rest:
        return ConnectionState.CONNECTING, ConnectionReason.WISHED
    if not wished and not at_rest:
        return ConnectionState.DISCONNECTING, ConnectionReason.UNWISHED
    return stored
