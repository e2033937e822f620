"""What a company's connection is, as far as a living owner of the sockets vouches for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.lease import HEARTBEAT_MS, SHARD, owner_seen_ms
from webhookproxy.models import Connection, Lease
from webhookproxy.reasons import ConnectionReason, ConnectionState

Standing = tuple[ConnectionState, ConnectionReason]


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


def standing(connection: Connection, owner: Owner, *, wished: bool) -> Standing:
    """The state that may be shown, and its reason.

    What another owner wrote, or one that has not been heard of for 10 s, says nothing of now:
    then there is no socket, and the wish decides what comes next.
    """
    stored = ConnectionState(connection.state), ConnectionReason(connection.reason)
    if owner.alive and connection.fence == owner.fence:
        return _under_way(stored, wished=wished)
    # "Disconnected" needs nobody to vouch for it.
    at_rest = stored[0] is ConnectionState.DISCONNECTED
    if not wished:
        return stored if at_rest else (ConnectionState.DISCONNECTED, ConnectionReason.OWNER_GONE)
    if at_rest and owner.alive:
        return ConnectionState.CONNECTING, ConnectionReason.WISHED
    return ConnectionState.CONNECTING, ConnectionReason.OWNER_GONE


def _under_way(stored: Standing, *, wished: bool) -> Standing:
    """What a living owner wrote, and what it is about to make of it: its wish is newer."""
    at_rest = stored[0] is ConnectionState.DISCONNECTED
    if wished and at_rest:
        return ConnectionState.CONNECTING, ConnectionReason.WISHED
    if not wished and not at_rest:
        return ConnectionState.DISCONNECTING, ConnectionReason.UNWISHED
    return stored
