"""Which companies changed: told to the open pages of every other process, over PostgreSQL.

A notice names companies by their numbers and nothing else. It goes apart from the transactions that
store events, because PostgreSQL lets one transaction with a NOTIFY commit at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.connections import one_connection

logger = logging.getLogger(__name__)

CHANNEL = "webhookproxy_changed"
# However much happens, one notice in this time tells of it.
TELL_SECONDS = 0.25
# If more companies than these changed, none is named; a notice has less than 8,000 bytes.
NAMED_MAX = 400
# A connection that is lost is opened again after the first, and later each time twice as late.
AGAIN_FIRST = 0.5
AGAIN_MOST = 15.0


class Notices:
    """One connection, on which this process tells the others, and hears what they tell."""

    def __init__(self, url: str, broadcast: Broadcast) -> None:
        self._engine = one_connection(url)
        self._errors = (SQLAlchemyError, OSError, self._engine.dialect.loaded_dbapi.Error)
        self._broadcast = broadcast
        # Companies to tell of: at most one more than NAMED_MAX, which stands for all.
        self._changed: set[int] = set()
        self._pause = AGAIN_FIRST
        # Whether the last attempt failed: said once, not at every attempt.
        self._is_lost = False
        broadcast.pass_on = self.note

    def note(self, company_id: int) -> None:
        """Tell the other processes soon that this company changed. Never waits."""
        if len(self._changed) <= NAMED_MAX:
            self._changed.add(company_id)

    def run(self) -> None:
        """Tell and hear until the pages are closed; a connection that is lost is opened again."""
        while not self._broadcast.closed:
            try:
                with self._connected() as connection:
                    while not self._broadcast.closed:
                        self._turn(connection)
            except self._errors as error:
                self._say_lost(error)
                gevent.sleep(self._pause)
                self._pause = min(2 * self._pause, AGAIN_MOST)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Yield the driver's connection, which listens; it is closed at the end."""
        pooled = self._engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            # A notice that a crash takes with it is no loss: so none waits for the disk.
            connection.execute("SET synchronous_commit = off")
            self._say_found()
            self._broadcast.hears_others = True
            # What was told before is not known.
            self._broadcast.tell_all_here()
            yield connection
        finally:
            self._broadcast.hears_others = False
            pooled.invalidate()
            self._engine.dispose()

    def _turn(self, connection: Any) -> None:
        """Hear for TELL_SECONDS, then tell what changed here meanwhile."""
        for notice in connection.notifies(timeout=TELL_SECONDS):
            if notice.pid != connection.info.backend_pid:
                self._hear(notice.payload)
        if self._changed:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._payload()))

    def _payload(self) -> str:
        """Return the numbers of the companies to tell of, once; none stands for all."""
        changed, self._changed = self._changed, set()
        return "" if len(changed) > NAMED_MAX else ",".join(map(str, changed))

    def _hear(self, payload: str) -> None:
        named = payload.split(",")
        if all(each.isdecimal() for each in named):
            for each in named:
                self._broadcast.tell_here(int(each))
        else:
            self._broadcast.tell_all_here()

    def _say_lost(self, error: Exception) -> None:
        if not self._is_lost:
            logger.warning(
                "changes of other processes are not told (%s): open pages look by themselves",
                type(error).__name__,
            )
        self._is_lost = True

    def _say_found(self) -> None:
        if self._is_lost:
            logger.info("changes of other processes are told again")
        self._is_lost, self._pause = False, AGAIN_FIRST


def notices_on(url: str, broadcast: Broadcast) -> Notices | None:
    """Return the notices of this process; None on SQLite, where pages look by themselves."""
    is_postgresql = make_url(url).get_backend_name() == "postgresql"
    return Notices(url, broadcast) if is_postgresql else None
