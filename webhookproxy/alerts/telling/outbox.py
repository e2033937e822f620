"""Sends what is in the outbox: each message until one of its user's addresses takes it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import gevent
from gevent.pool import Pool
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, defer

from webhookproxy.alerts.addresses import confirmed_addresses, opened_address
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.alerts.people import people
from webhookproxy.alerts.telling.compose import compose
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.store import Store, StoreUnavailable
from webhookproxy.models import AlertAddress, AlertMessage
from webhookproxy.reasons import AlertError

logger = logging.getLogger(__name__)

PAUSE = 1.0
# Messages that are sent at the same time, and that are looked at for that.
SENDERS = 8
LOOKED_AT = 500
# A channel ends within 20 seconds by itself.
SEND_SECONDS = 30.0
# Tries at one address before the next one, and seconds between them.
TRIES = 2
TRY_AGAIN = 30.0
# Seconds between two rounds through all addresses of a user; the last is repeated.
ROUNDS = (120.0, 300.0, 900.0, 1_800.0, 3_600.0)
# What was not sent within this time is given up, and stays visible.
GIVEN_UP_AFTER = timedelta(hours=24)


class Sender(Protocol):
    """What carries a message to an address (webhookproxy.alerts.channels)."""

    def send(self, kind: str, target: str, secret: str | None, message: Message, /) -> None:
        """Send a message; raise NotSent if it was not taken."""


@dataclass(frozen=True, slots=True)
class _Try:
    """One try: the message, the address that is tried, and how many addresses there are."""

    message: Message
    address_id: int
    kind: str
    addresses: int


class Outbox:
    """Works in steps; `pause` is the number of seconds until the next.

    A message is written down as sent after it was: a crash between the two sends it again, with the
    same id. The messages of a user go out one after the other.
    """

    pause = PAUSE

    def __init__(
        self,
        store: Store,
        reading: Engine,
        channels: Sender,
        base: str | None,
        clock: Callable[[], float] = seconds_now,
    ) -> None:
        self._store = store
        self._reading = reading
        self._channels = channels
        self._base = base
        self._clock = clock
        self._pool = Pool(SENDERS)
        self._busy: set[tuple[int, int | None]] = set()
        # What came of a try and could not be written down yet: while the database takes nothing,
        # the message must not be tried again at every step.
        self._unwritten: dict[int, Callable[[Session], None]] = {}

    def step(self) -> bool:
        """Begin to send what is due. Return whether anything was."""
        now = self._now()
        waiting = (
            select(AlertMessage.id, AlertMessage.user_id, AlertMessage.address_id)
            .where(
                AlertMessage.sent_at.is_(None),
                AlertMessage.given_up_at.is_(None),
                AlertMessage.due_at <= now,
            )
            .order_by(AlertMessage.due_at, AlertMessage.id)
            .limit(LOOKED_AT)
        )
        with Session(self._reading) as session:
            rows = session.execute(waiting).all()
        began = False
        for row_id, user_id, address_id in sorted(rows):
            line = user_id, address_id
            if line not in self._busy and self._pool.free_count() > 0:
                self._busy.add(line)
                greenlet = self._pool.spawn(self._send, row_id, line)
                greenlet.name = "alert_sender"
                began = True
        return began

    def join(self, seconds: float) -> bool:
        """Wait until nothing is being sent; return whether that is so in time."""
        return bool(self._pool.join(seconds))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _send(self, row_id: int, line: tuple[int, int | None]) -> None:
        try:
            try:
                self._try(row_id)
            except (StoreUnavailable, SQLAlchemyError):
                raise
            except Exception:  # one message must not stop the others
                logger.exception("alert message %d could not be sent", row_id)
                reason = AlertError.INTERNAL
                self._note_failure(row_id, None, reason, 1, is_final=False, after_s=None)
        except (StoreUnavailable, SQLAlchemyError) as error:
            # It is tried again at a later step, with the same id.
            logger.warning(
                "alert message %d waits for the database: %s", row_id, type(error).__name__
            )
        finally:
            self._busy.discard(line)

    def _try(self, row_id: int) -> None:
        if row_id in self._unwritten:
            self._write(row_id, self._unwritten[row_id])
            return
        found = self._prepare(row_id)
        if found is None:
            return
        try:
            with gevent.Timeout(SEND_SECONDS, NotSent(AlertError.TOO_SLOW, is_final=False)):
                target, secret = self._opened(found.address_id)
                self._channels.send(found.kind, target, secret, found.message)
        except NotSent as error:
            self._note_failure(
                row_id,
                found.address_id,
                error.reason,
                found.addresses,
                is_final=error.is_final,
                after_s=error.after_s,
            )
            return
        self._mark_sent(row_id, found.address_id)

    def _write(self, row_id: int, job: Callable[[Session], None]) -> None:
        """Write down what came of a try; what cannot be is written at a later step."""
        self._unwritten[row_id] = job
        self._store.session(job)
        del self._unwritten[row_id]

    def _mark_sent(self, row_id: int, address_id: int) -> None:
        now = self._now()

        def job(session: Session) -> None:
            row, address = _row(session, row_id), _address(session, address_id)
            if row is not None:
                # The address may be removed by now.
                row.sent_by = None if address is None else address_id
                row.sent_at, row.error = now, None
                row.attempts += 1
                # Its text has done its duty, and its link is a secret.
                row.body = row.link = None
            if address is not None:
                address.last_sent_at, address.last_error = now, None

        self._write(row_id, job)

    def _prepare(self, row_id: int) -> _Try | None:
        """Return what to send where now; None, noted in the row, if nothing can be sent."""
        with Session(self._reading) as session:
            row = session.get(AlertMessage, row_id)
            if row is None or row.sent_at is not None or row.given_up_at is not None:
                return None
            person = next(iter(people(session, only=row.user_id)), None)
            addresses = self._addresses(session, row)
            message = None
            if person is not None or row.body is not None:
                message = compose(session, row, person, self._base, self._now())
            if addresses and message is not None:
                address_id, kind = addresses[row.attempts // TRIES % len(addresses)]
                return _Try(message, address_id, kind, len(addresses))
        if addresses:
            self._drop(row_id)
        else:
            reason = AlertError.NO_CHANNEL
            self._note_failure(row_id, None, reason, 1, is_final=False, after_s=None)
        return None

    def _addresses(self, session: Session, row: AlertMessage) -> list[tuple[int, str]]:
        """Return the addresses of a message, with their kinds, in the order of the tries."""
        if row.address_id is None:
            return confirmed_addresses(session, row.user_id)
        query = select(AlertAddress.id, AlertAddress.kind).where(AlertAddress.id == row.address_id)
        return [(each.id, each.kind) for each in session.execute(query)]

    def _opened(self, address_id: int) -> tuple[str, str | None]:
        """Return the target and the secret of an address; raise NotSent if no key opens them."""
        with Session(self._reading) as session:
            found = opened_address(session, address_id)
        if found is None:
            raise NotSent(AlertError.BAD_TARGET, is_final=True)
        return found

    def _drop(self, row_id: int) -> None:
        """Remove a message whose user may not know of any of it any more."""

        def job(session: Session) -> None:
            row = _row(session, row_id)
            if row is not None:
                session.delete(row)

        self._store.session(job)

    def _note_failure(
        self,
        row_id: int,
        address_id: int | None,
        reason: str,
        addresses: int,
        *,
        is_final: bool,
        after_s: float | None,
    ) -> None:
        now = self._now()

        def job(session: Session) -> None:
            row = _row(session, row_id)
            if row is None:
                return
            row.error = reason
            tried = row.attempts
            row.attempts = (tried // TRIES + 1) * TRIES if is_final else tried + 1
            row.due_at = now + timedelta(seconds=_delay(row.attempts, addresses, after_s))
            asked_for = row.address_id is not None and is_final
            if asked_for or now - row.created_at >= GIVEN_UP_AFTER:
                row.given_up_at = now
                row.body = row.link = None
            address = None if address_id is None else _address(session, address_id)
            if address is not None:
                address.last_error = reason

        self._write(row_id, job)


def _row(session: Session, row_id: int) -> AlertMessage | None:
    """Return a message for writing; its text stays encrypted, because its key may be lost."""
    later = [defer(AlertMessage.body), defer(AlertMessage.link)]
    return session.get(AlertMessage, row_id, options=later)


def _address(session: Session, address_id: int) -> AlertAddress | None:
    """Return an address for writing, as `_row` does a message."""
    later = [defer(AlertAddress.target), defer(AlertAddress.secret)]
    return session.get(AlertAddress, address_id, options=later)


def _delay(attempts: int, addresses: int, after_s: float | None) -> float:
    """Return the seconds until the next try: at the same address, the next, or the first again."""
    if attempts % TRIES:
        return max(TRY_AGAIN, after_s or 0.0)
    rounds, rest = divmod(attempts, TRIES * addresses)
    if rest:
        return 0.0
    return max(ROUNDS[min(rounds, len(ROUNDS)) - 1], after_s or 0.0)
