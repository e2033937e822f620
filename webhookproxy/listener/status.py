"""Writes what each connection is in fact: its state, since when, why, and the gaps."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from sqlalchemy import Connection, bindparam, text

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.fence import NO_FENCE, SHARDS, Fence, Fenced, shard_of
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.models.companies import OWNER_DIED
from webhookproxy.models.recovery.recoveries import LOOKS_MS, RecoveryState
from webhookproxy.reasons import ConnectionReason, ConnectionState

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
WAITING_MAX = 20_000
# So many share a commit: a thousand companies that drop at once hold up no heartbeat.
GROUP_MAX = 200

_STATE = text(
    "UPDATE connections SET state = :state, reason = :reason, since = CASE"
    # A retry is no new beginning, and neither is a restart: a token is refused since the first
    # refusal of it.
    " WHEN :refused THEN COALESCE(refused_since, :since_ms)"
    " WHEN :retried AND state = 'reconnecting' THEN since ELSE :since_ms END,"
    " refused_since = CASE WHEN :refused THEN COALESCE(refused_since, :since_ms)"
    " WHEN :new THEN NULL ELSE refused_since END,"
    " next_attempt_at = :next_attempt_ms, socket_id = :socket_id, answer = :answer, fence = :fence"
    " WHERE company_id = :company_id"
)
# After these there is nothing to ask the server for.
_FORGET = text(
    "UPDATE connections SET session = NULL, session_offset = NULL, session_replayed = NULL"
    " WHERE company_id = :company_id AND session IS NOT NULL"
)
# After these nothing that a token was refused before counts.
_NEW = (ConnectionState.CONNECTED, ConnectionState.DISCONNECTED)
_OPEN_GAP = text(
    "INSERT INTO gaps (company_id, started_at, reason) SELECT :company_id, :at, :reason"
    " WHERE NOT EXISTS (SELECT 1 FROM gaps WHERE company_id = :company_id AND ended_at IS NULL)"
)
_CLOSE_GAP = text(
    # A socket that its successor's outlived was closed later than the new one was opened.
    "UPDATE gaps SET ended_at = CASE WHEN started_at > :at THEN started_at ELSE :at END,"
    " recovered = :recovered"
    " WHERE company_id = :company_id AND ended_at IS NULL"
)
# The calls of a gap are asked for once it is over; those of gaps that follow each other soon, at
# once.
_TOGETHER_MS = 30 * 60_000
_RECOVER_WITH_THE_LAST = text(
    "UPDATE recoveries SET until_ms = :at, next_ms = :at + :wait WHERE company_id = :company_id"
    " AND state = :state AND asked_by = '' AND look = 0 AND next_ms > :at"
    " AND since_ms > :at - :most"
    " AND EXISTS (SELECT 1 FROM gaps g WHERE g.company_id = :company_id AND g.ended_at IS NULL"
    " AND g.started_at < :at)"
)
_RECOVER_GAP = text(
    "INSERT INTO recoveries (company_id, gap_id, asked_ms, since_ms, until_ms, state, next_ms)"
    " SELECT g.company_id, g.id, :at, g.started_at, :at, :state, :at + :wait"
    " FROM gaps g JOIN companies c ON c.id = g.company_id AND c.recover_calls"
    " WHERE g.company_id = :company_id AND g.ended_at IS NULL AND g.started_at < :at"
)
# A company that was connected when the last owner died has been without a socket since that
# owner last said that it lives; one that was being connected, since that began.
_INHERIT_GAPS = text(
    "INSERT INTO gaps (company_id, started_at, reason, note)"
    " SELECT c.company_id, CASE WHEN c.state = :connected"
    " THEN COALESCE(l.heartbeat_at, c.since) ELSE c.since END, :reason, :note"
    " FROM connections c JOIN companies o ON o.id = c.company_id AND o.should_connect"
    f" AND o.deleted_at IS NULL LEFT JOIN leases l ON l.shard = o.id % {SHARDS}"
    f" WHERE c.state <> :disconnected AND o.id % {SHARDS} IN :shards"
    " AND c.company_id NOT IN :handed AND NOT EXISTS"
    " (SELECT 1 FROM gaps g WHERE g.company_id = c.company_id AND g.ended_at IS NULL)"
).bindparams(bindparam("handed", expanding=True), bindparam("shards", expanding=True))


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a company's connection; times are wall milliseconds."""

    company_id: int
    state: ConnectionState
    reason: ConnectionReason
    since_ms: int
    next_attempt_ms: int | None = None
    socket_id: str | None = None
    # What 3C Plus said when it refused the connection.
    answer: str | None = None
    # What this change does to the gap: "open", "close", or nothing; "recover" also closes it, and
    # says that the server sent again what was missed.
    gap: str | None = None
    # When the gap began, if not at `since_ms`: a dead server is noticed by its silence.
    gap_ms: int | None = None


class StatusWriter:
    """Writes states in groups, never holding up the supervisor that reports one."""

    def __init__(self, store: Store, broadcast: Broadcast) -> None:
        self._fence = NO_FENCE
        self._store = store
        self._broadcast = broadcast
        # Whether this process is not the owner, and only opens sockets beside it.
        self._held = False
        self._waiting: list[Status] = []
        self._writer: gevent.Greenlet[..., None] | None = None
        self._idle = Event()
        self._idle.set()

    def hold(self) -> None:
        """Forget every state until `start`: they are another process's to write."""
        self._held = True

    def start(self, fence: Fence, handed: Collection[int] = ()) -> None:
        """Begin as the owner with this fence: open the gaps that the last owner's death left.

        `handed` are the companies that have a socket since before the last owner closed its own.
        Called before the first state is put, and before the new owner's first heartbeat.
        """
        self._fence = fence
        self._held = False
        values = {
            "reason": ConnectionReason.OWNER_GONE.value,
            "note": OWNER_DIED,
            "connected": ConnectionState.CONNECTED.value,
            "disconnected": ConnectionState.DISCONNECTED.value,
            "handed": list(handed),
            "shards": sorted(fence.numbers),
        }
        self._store.run(
            lambda connection: connection.execute(_INHERIT_GAPS, values) and None, fence=fence
        )

    def put(self, status: Status) -> None:
        """Have a state written soon."""
        if self._held:
            return
        self._waiting.append(status)
        if len(self._waiting) > WAITING_MAX:
            # While the database takes nothing, the newest states are what matters.
            del self._waiting[0]
        if self._writer is None:
            self._idle.clear()
            self._writer = gevent.spawn(self._write)
            self._writer.name = "status"

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything is written. Return whether it is."""
        return bool(self._idle.wait(timeout))

    def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
            try:
                self._store.run(partial(self._write_group, group=group), fence=self._named(group))
            except StoreUnavailable:
                self._waiting = group + self._waiting
                gevent.sleep(RETRY_SECONDS)
            except Fenced as error:
                logger.warning("states not written: another process owns the sockets")
                self._waiting = _but(error.shards, group + self._waiting)
            except Exception:  # a state that cannot be written must not stop those that can
                logger.exception("cannot write the state of %d connections", len(group))
                if len(group) > 1:
                    self._write_singly(group)
            else:
                for status in group:
                    self._broadcast.tell(status.company_id)
        self._writer = None
        self._idle.set()

    def _write_singly(self, group: list[Status]) -> None:
        for status in group:
            try:
                fence = self._named([status])
                self._store.run(partial(self._write_group, group=[status]), fence=fence)
            except (StoreUnavailable, Fenced):
                self._waiting.append(status)
            except Exception:
                logger.exception("cannot write the state of company_%d", status.company_id)

    def _named(self, group: list[Status]) -> Fence:
        return self._fence.of_companies(each.company_id for each in group)

    def _write_group(self, connection: Connection, group: list[Status]) -> None:
        # Each one, also if a newer one of its company follows: a token that was changed ends what
        # was refused before, however soon the new one is refused.
        for status in group:
            self._write_one(connection, status)

    def _write_one(self, connection: Connection, status: Status) -> None:
        values = {
            "company_id": status.company_id,
            "at": status.since_ms if status.gap_ms is None else status.gap_ms,
            "reason": status.reason.value,
        }
        if status.gap == "open":
            connection.execute(_OPEN_GAP, values)
        elif status.gap is not None:
            recovered = status.gap == "recover"
            if not recovered:
                _recover(connection, values)
            connection.execute(_CLOSE_GAP, {**values, "recovered": recovered})
        if (
            status.state is ConnectionState.DISCONNECTED
            or status.reason is ConnectionReason.TOKEN_CHANGED
        ):
            connection.execute(_FORGET, values)
        connection.execute(
            _STATE,
            {
                "company_id": status.company_id,
                "state": status.state.value,
                "reason": status.reason.value,
                # PostgreSQL would have to guess the type of a text that is compared.
                "refused": status.state is ConnectionState.TOKEN_REFUSED,
                "retried": status.state is ConnectionState.RECONNECTING,
                "new": status.state in _NEW or status.reason is ConnectionReason.TOKEN_CHANGED,
                "since_ms": status.since_ms,
                "next_attempt_ms": status.next_attempt_ms,
                "socket_id": status.socket_id,
                "answer": status.answer,
                "fence": self._fence.number(shard_of(status.company_id)),
            },
        )


def _but(lost: Collection[int], states: list[Status]) -> list[Status]:
    return [each for each in states if shard_of(each.company_id) not in lost]


def _recover(connection: Connection, values: Mapping[str, Any]) -> None:
    """Have the calls of a company's open gap, which ends now, be asked for."""
    given = {**values, "state": RecoveryState.RUNNING.value, "wait": LOOKS_MS[0]}
    if not connection.execute(_RECOVER_WITH_THE_LAST, {**given, "most": _TOGETHER_MS}).rowcount:
        connection.execute(_RECOVER_GAP, given)
