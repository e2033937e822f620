"""Tells administrators that nothing is stored, or that no process owns the sockets.

Then the ordinary alerts cannot: they are rows, sent by the owner. So every process looks for itself
and keeps the administrators' addresses in memory. What was told without the database is stored
afterwards, and the ordinary alerts tell that it is over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gevent.pool import Pool
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webhookproxy.alerts.addresses import confirmed_addresses, opened_address
from webhookproxy.alerts.conditions import CONDITIONS, Condition
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.alerts.people import Person, people
from webhookproxy.alerts.telling.compose import INSTALLATION
from webhookproxy.alerts.telling.outbox import Sender
from webhookproxy.alerts.telling.words import advice, begun, begun_for_some
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import SHARD
from webhookproxy.database.store import Store
from webhookproxy.engine.liveness import Storing
from webhookproxy.events import contract
from webhookproxy.models import Alert, AlertMessage, AlertMessagePart
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.models.types import to_ms
from webhookproxy.reasons import StoringReason

logger = logging.getLogger(__name__)

PAUSE = 5.0
# How often the addresses are read, and how far apart two messages of a trouble that comes and goes.
REMEMBER_SECONDS = 60.0
AGAIN_SECONDS = 1_800.0
# A trouble is looked at for this time before anyone is told.
SEEN_SECONDS = 30.0
SENDERS = 8


@dataclass(frozen=True, slots=True)
class Reachable:
    """An administrator with a confirmed address, in the order in which they are tried."""

    person: Person
    addresses: tuple[tuple[int, str, str, str | None], ...]


class LastWord:
    """Works in steps, in every process. `look` says whether events are stored.

    `is_owner` says whether this process owns the first share of the sockets, and `is_oldest`
    whether it runs for longer than the others. Without the database only the process tells that
    owned the first share when it was last there. Of sockets without an owner it tells too, and the
    oldest process if they are those of the first share.
    """

    pause = PAUSE

    def __init__(
        self,
        store: Store,
        reading: Engine,
        channels: Sender,
        base: str | None,
        look: Callable[[], Storing],
        is_owner: Callable[[], bool],
        is_oldest: Callable[[], bool],
        clock: Callable[[], float] = seconds_now,
    ) -> None:
        self._store = store
        self._reading = reading
        self._channels = channels
        self._base = base
        self._look = look
        self._is_owner = is_owner
        self._is_oldest = is_oldest
        self._was_owner = False
        # When the trouble was first seen: at a start it may be over at once.
        self._seen = 0.0
        self._clock = clock
        self._reachable: list[Reachable] = []
        self._remembered = -REMEMBER_SECONDS
        self._alert: Alert | None = None
        self._told: dict[int, tuple[str, int | None]] = {}
        self._told_at = -AGAIN_SECONDS
        self._pool = Pool(SENDERS)

    def step(self) -> bool:
        """Look once. Return whether anyone was told."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        found = self._look()
        if found.ok:
            self._was_owner = self._is_owner()
            self._write_down(now)
            self._remember()
            return False
        condition = Condition.NOT_STORING
        if found.reason is StoringReason.NO_OWNER:
            condition = Condition.NO_OWNER
            self._remember()
        if self._alert is None or self._alert.condition != condition:
            self._seen = self._clock()
            self._alert = Alert(
                condition=condition.value,
                since=min(found.since or now, now),
                opened_at=now,
                reason=found.reason.value,
            )
        return self._tell(self._alert, found, now)

    def join(self, seconds: float) -> bool:
        """Wait until nothing is being sent; return whether that is so in time."""
        return bool(self._pool.join(seconds))

    def _may_tell(self, found: Storing) -> bool:
        """Return whether this is the one process that tells, and there is something to tell."""
        if found.reason is not StoringReason.NO_OWNER:
            return self._was_owner
        if found.companies == 0:
            return False
        return self._is_oldest() if SHARD in found.missing else self._is_owner()

    def _tell(self, alert: Alert, found: Storing, now: datetime) -> bool:
        condition = Condition(alert.condition)
        if self._clock() - self._seen < SEEN_SECONDS or not self._may_tell(found):
            return False
        if not self._told and time.monotonic() - self._told_at < AGAIN_SECONDS:
            return False
        due = [
            each
            for each in self._reachable
            if each.person.id not in self._told
            and each.person.wants(condition, None)
            and now - alert.since >= timedelta(minutes=each.person.watches.minutes(condition, None))
        ]
        for each in due:
            message_id = f"{condition.value}_{to_ms(alert.since)}_{each.person.id}"
            self._told[each.person.id] = message_id, None
            self._told_at = time.monotonic()
            message = self._message(message_id, alert, found.companies, now)
            greenlet = self._pool.spawn(self._send, each, message)
            greenlet.name = "last_word"
        return bool(due)

    def _message(
        self, message_id: str, alert: Alert, companies: int | None, now: datetime
    ) -> Message:
        label = CONDITIONS[Condition(alert.condition)].label
        what = begun(alert, now) if companies is None else begun_for_some(companies, alert, now)
        lines = [f"{INSTALLATION}: {what}", advice(alert)]
        facts: dict[str, object] = {
            "condition": alert.condition,
            "since": contract.timestamp(to_ms(alert.since)),
            "reason": alert.reason,
        }
        if companies is not None:
            facts["companies"] = companies
        link = None if self._base is None else f"{self._base}/"
        kind = MessageKind.OPENED.value
        subject = f"{label}: {INSTALLATION}"
        return Message(message_id, kind, subject, tuple(lines), link, {"alerts": [facts]})

    def _send(self, to: Reachable, message: Message) -> None:
        """Send to the first address that takes it; without one, it is tried at the next step."""
        for address_id, kind, target, secret in to.addresses:
            try:
                self._channels.send(kind, target, secret, message)
            except NotSent as error:
                logger.warning("an alert of the installation was not sent: %s", error.reason)
            except Exception:  # another address may take it
                logger.exception("an alert of the installation was not sent")
            else:
                self._told[to.person.id] = message.id, address_id
                return
        self._told.pop(to.person.id, None)

    def _write_down(self, now: datetime) -> None:
        """Store what was told while the database was away; its end is told by the alerts."""
        if self._alert is None:
            return
        alert, told = self._alert, dict(self._told)
        sent = {user: each for user, each in told.items() if each[1] is not None}

        def job(session: Session) -> None:
            row = Alert(condition=alert.condition, since=alert.since, opened_at=now)
            row.reason = alert.reason
            session.add(row)
            session.flush()
            for user_id, (message_id, address_id) in sent.items():
                message = AlertMessage(message_id=message_id, user_id=user_id, sent_by=address_id)
                message.kind, message.attempts = MessageKind.OPENED.value, 1
                message.created_at = message.due_at = message.sent_at = now
                session.add(message)
                session.flush()
                part = AlertMessagePart(message_id=message.id, alert_id=row.id)
                part.part, part.changes = Part.OPENED.value, 0
                session.add(part)

        try:
            if sent:
                self._store.session(job)
        except IntegrityError:
            # Another process told the same, or the user is gone.
            logger.info("an alert of the installation was stored by another process")
        self._alert, self._told = None, {}

    def _remember(self) -> None:
        """Read the addresses of administrators, for a time when the database is away.

        If they cannot be read, the former ones are kept.
        """
        if time.monotonic() - self._remembered < REMEMBER_SECONDS:
            return
        with Session(self._reading) as session:
            found = [_reachable(session, each) for each in people(session) if each.is_admin]
        self._reachable = found
        self._remembered = time.monotonic()


def _reachable(session: Session, person: Person) -> Reachable:
    addresses = []
    for address_id, kind in confirmed_addresses(session, person.id):
        opened = opened_address(session, address_id)
        if opened is not None:
            addresses.append((address_id, kind, *opened))
    return Reachable(person, tuple(addresses))
