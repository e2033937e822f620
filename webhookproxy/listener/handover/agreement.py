"""What the owner of a share and its successor tell each other: one row of the database.

In this order: a process that waits says so, and may ask the owner to end; the owner that ends
offers its place; one of those that wait claims it, opens its sockets and says of which companies
it has one; the owner closes its own and says for which companies there was no hole. All times are
on the database's clock. One that is far ahead was said before that clock was set back, and counts
as too old.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, text

from webhookproxy.database.clock import database_clock
from webhookproxy.database.store import Store

# A process that waits, or opens its sockets, and was not heard of for this time is gone.
SILENT_MS = 3_000
WAITING_MS = 5_000
# An offer is taken up within this time, or never: a stopping process has no more.
OFFER_MS = 16_000

_READ = (
    "SELECT h.fence, ABS({now} - waiting_at) <= :waiting AS waited,"
    " ABS({now} - offered_at) <= :offer AND COALESCE(l.fence = h.fence, TRUE) AS offered,"
    " ABS({now} - asked_at) <= :silent AS asked,"
    " CASE WHEN ABS({now} - seen_at) <= :silent THEN successor END AS successor,"
    " successor AS chosen, standing, handed, h.shard, l.holder AS owner, l.fence AS owner_fence"
    " FROM handovers h LEFT JOIN leases l ON l.shard = h.shard WHERE h.shard"
)
_LIMITS = {"waiting": WAITING_MS, "offer": OFFER_MS, "silent": SILENT_MS}
_WAIT = (
    "INSERT INTO handovers (shard, fence, waiting_at) VALUES (:shard, 0, {now})"
    " ON CONFLICT (shard) DO UPDATE SET waiting_at = {now}"
)
_ASK = (
    "INSERT INTO handovers (shard, fence, waiting_at, asked_at) VALUES (:shard, 0, {now}, {now})"
    " ON CONFLICT (shard) DO UPDATE SET waiting_at = {now}, asked_at = {now}"
)
_OFFER = (
    "UPDATE handovers SET offered_at = {now}, fence = :fence, handed = NULL,"
    " successor = CASE WHEN fence = :fence THEN successor END,"
    " standing = CASE WHEN fence = :fence THEN standing END WHERE shard = :shard"
)
_CLAIM = (
    "UPDATE handovers SET successor = :holder, seen_at = {now}, standing = NULL, handed = NULL,"
    " asked_at = NULL, fence = :fence WHERE shard = :shard"
    " AND (successor IS NULL OR successor = :holder OR fence <> :fence OR seen_at IS NULL"
    " OR ABS({now} - seen_at) > :silent)"
)
_SEEN = (
    "UPDATE handovers SET seen_at = {now}, standing = COALESCE(:standing, standing)"
    " WHERE shard = :shard AND successor = :holder AND fence = :fence"
)
_HAND = "UPDATE handovers SET handed = :handed WHERE shard = :shard AND fence = :fence"
_ONE_SOCKET = (
    "UPDATE connections SET one_socket_at = CASE WHEN company_id IN :ended THEN {now} END"
    " WHERE company_id IN :ended OR one_socket_at IS NOT NULL AND company_id IN :handed"
)
_WITHDRAW = (
    "UPDATE handovers SET offered_at = NULL, successor = NULL, standing = NULL"
    " WHERE shard = :shard AND fence = :fence"
)
_LEAVE = (
    "UPDATE handovers SET successor = NULL, standing = NULL"
    " WHERE shard = :shard AND successor = :holder"
)


@dataclass(frozen=True, slots=True)
class State:
    """What was said so far; what is too old is left out."""

    # The owner that it is about.
    fence: int = 0
    # Whether a process waits to own the sockets, whether the owner offers its place (the offer of
    # one that another followed is none), and whether one that waits asks it to.
    waited: bool = False
    offered: bool = False
    asked: bool = False
    # Who opens its sockets; `chosen` names it also if it was not heard of for a while.
    successor: str | None = None
    chosen: str | None = None
    # The companies of which it has a socket; None until it has.
    standing: frozenset[int] | None = None
    # The companies whose old socket was closed after the new one stood; None until then.
    handed: frozenset[int] | None = None
    # Who has the lease, or had it last, and its fence.
    owner: str | None = None
    owner_fence: int | None = None


def states_of(reading: Engine, count: int) -> dict[int, State]:
    """Return what was said of each of `count` shares, by the first shard of each."""
    query = _READ.format(now=database_clock(reading.dialect.name))
    with reading.connect() as connection:
        rows = connection.execute(text(f"{query} < :count"), {**_LIMITS, "count": count})
        return {row.shard: _state(row) for row in rows}


class Agreement:
    """Reads and writes the row of a share. Every method raises what the database raises.

    `shard` is the first one of the share. `states` returns what was said of all shares a moment
    ago; without it they are read one by one.
    """

    def __init__(
        self,
        store: Store,
        reading: Engine,
        shard: int,
        states: Callable[[], Mapping[int, State]] | None = None,
    ) -> None:
        self._shard = shard
        self._states = states
        self._store = store
        self._reading = reading
        self._now = database_clock(reading.dialect.name)

    def read(self) -> State:
        """Return what was said so far."""
        query = text(f"{_READ.format(now=self._now)} = :shard")
        with self._reading.connect() as connection:
            row = connection.execute(query, {**_LIMITS, "shard": self._shard}).first()
        return State() if row is None else _state(row)

    def glance(self) -> State:
        """Return what was said so far, or a moment ago: nothing may be written because of it."""
        if self._states is None:
            return self.read()
        return self._states().get(self._shard, State())

    def wait(self) -> None:
        """Say that this process would own the sockets."""
        self._run(_WAIT, {})

    def ask(self) -> None:
        """Ask the owner to end, once this process has sockets of its own."""
        self._run(_ASK, {})

    def withdraw(self, fence: int) -> None:
        """Say, as the owner, that it stays."""
        self._run(_WITHDRAW, {"fence": fence})

    def offer(self, fence: int) -> None:
        """Say, as the owner with this fence, that it ends; a claim made before stays."""
        self._run(_OFFER, {"fence": fence})

    def claim(self, holder: str, fence: int) -> bool:
        """Ask to follow the owner with this fence; return False if another does."""
        return self._run(_CLAIM, {"holder": holder, "fence": fence, "silent": SILENT_MS})

    def seen(self, holder: str, fence: int, standing: Iterable[int] | None = None) -> None:
        """Say that the successor lives, and of which companies it has a socket, if it knows."""
        text_of = None if standing is None else json.dumps(sorted(standing))
        self._run(_SEEN, {"holder": holder, "fence": fence, "standing": text_of})

    def hand(self, fence: int, companies: Iterable[int]) -> None:
        """Say, as the owner, for which companies there was no hole."""
        self._run(_HAND, {"fence": fence, "handed": json.dumps(sorted(companies))})

    def note_one_socket(self, ended: Iterable[int], handed: Iterable[int]) -> None:
        """Note of which companies the server ended our socket because of the successor's.

        Of those that were handed over it did not, whatever was noted before.
        """
        query = text(_ONE_SOCKET.format(now=self._now)).bindparams(
            bindparam("ended", expanding=True), bindparam("handed", expanding=True)
        )
        values = {"ended": sorted(ended), "handed": sorted(handed)}
        self._store.run(lambda connection: connection.execute(query, values) and None)

    def leave(self, holder: str) -> None:
        """Give the place back, so that another process can claim it."""
        self._run(_LEAVE, {"holder": holder})

    def _run(self, statement: str, values: dict[str, object]) -> bool:
        query = text(statement.format(now=self._now))

        def job(connection: Connection) -> bool:
            return connection.execute(query, {"shard": self._shard, **values}).rowcount > 0

        return self._store.run(job)


def _state(row: Row[Any]) -> State:
    return State(
        row.fence,
        bool(row.waited),
        bool(row.offered),
        bool(row.asked),
        row.successor,
        row.chosen,
        None if row.successor is None else _numbers(row.standing),
        _numbers(row.handed),
        row.owner,
        row.owner_fence,
    )


def _numbers(stored: str | None) -> frozenset[int] | None:
    return None if stored is None else frozenset(json.loads(stored))
