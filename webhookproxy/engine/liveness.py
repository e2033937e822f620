"""The facts that any process may show: states of connections, and whether events are stored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, bindparam, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webhookproxy.database.fence import ALL_SHARDS, SHARDS
from webhookproxy.engine.owners import Owners, read_owners
from webhookproxy.models import Connection
from webhookproxy.reasons import (
    STORING_WORDS,
    ConnectionReason,
    ConnectionState,
    StoringReason,
    Words,
    some_without_owner,
)

ShownState = tuple[ConnectionState, ConnectionReason]

_WISHED = text(
    "SELECT COUNT(*) FROM companies WHERE should_connect AND deleted_at IS NULL"
    f" AND id % {SHARDS} IN :shards"
).bindparams(bindparam("shards", expanding=True))


@dataclass(frozen=True, slots=True)
class Storing:
    """Whether events are stored now, why not, and since when not, if that is known.

    `missing` are the shards without a living owner, and `companies` how many of their companies
    should be connected; None if those are all shards.
    """

    reason: StoringReason
    since: datetime | None = None
    missing: frozenset[int] = frozenset()
    companies: int | None = None

    @property
    def ok(self) -> bool:
        """Return whether they are."""
        return self.reason is StoringReason.STORING

    @property
    def words(self) -> Words:
        """Return how the pages describe it."""
        if self.companies is not None:
            return some_without_owner(self.companies)
        return STORING_WORDS[self.reason]


def storing(session: Session, *, here: bool = True) -> Storing:
    """Whether every owner of sockets stores events, as any process can know it.

    `here` is what this process's engine says of itself (`Health.storing`), which is known ten
    seconds before a silent owner is. Never raises: a database that cannot be read is a reason.
    """
    try:
        owners = read_owners(session)
        missing, companies = owners.missing, None
        if not here or owners.failing_since is not None:
            return Storing(StoringReason.DATABASE_REFUSES, owners.failing_since)
        if not missing:
            return Storing(StoringReason.STORING)
        if missing != ALL_SHARDS:
            companies = wished_of(session, missing)
    except SQLAlchemyError:
        session.rollback()
        return Storing(StoringReason.DATABASE_GONE)
    return Storing(StoringReason.NO_OWNER, owners.heard_at, missing, companies)


def wished_of(session: Session, shards: Collection[int]) -> int:
    """Return how many companies of these shards should be connected."""
    return int(session.scalar(_WISHED, {"shards": sorted(shards)}) or 0)


def look(reading: Engine, failing_since: Callable[[], float | None]) -> Storing:
    """Return whether events are stored, as /saude says it of the process that asks."""
    with Session(reading) as session:
        return storing(session, here=failing_since() is None)


def shown_state(connection: Connection, owners: Owners, *, wished: bool) -> ShownState:
    """Return the state that may be shown, and its reason.

    What another owner of the company wrote, or one that has not been heard of for 10 s, says
    nothing of now: then there is no socket, and the wish decides what comes next.
    """
    owner = owners.of(connection.company_id)
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
