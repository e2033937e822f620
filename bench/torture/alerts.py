"""Users who are told of everything at once, and what is wrong with the messages that they got."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import gevent
from sqlalchemy.orm import Session

from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.alerts.conditions import CONDITIONS, About
from webhookproxy.models import AlertAddress, AlertWatch
from webhookproxy.models.accounts.people import create_user, grant

# No message may have these: a receiver's answer, a telephone in each event, secrets.
ANSWER = "canary-answer-of-a-receiver"
PHONE = "41900001234"
SECRET = "canary-secret-of-the-torture"
TOKEN = "torture-token"
_MARKS = (ANSWER, PHONE, SECRET, TOKEN)
# A process that lost its place may believe for this time that it still has it.
STILL_SECONDS = 2.0
# A user gets few messages: many users try as many times what a kill does to one.
USERS = 5


@dataclass(frozen=True)
class Receipt:
    """A message as it came: when (monotonic), to which user, with which id."""

    at: float
    user: str
    identity: str
    text: str


@dataclass
class Told:
    """The receiver of all messages; it takes each of them."""

    receiver: Receiver = field(default_factory=Receiver)
    receipts: list[Receipt] = field(default_factory=list)
    latency: random.Random = field(default_factory=lambda: random.Random(0))

    def answer(self, request: Received) -> Plain:
        """Note a message, and take it."""
        identity, text = request.headers["webhook-id"], request.body.decode()
        self.receipts.append(Receipt(time.monotonic(), request.path, identity, text))
        self.receiver.requests.clear()
        # Taken and not answered: a kill in this moment repeats the message.
        gevent.sleep(self.latency.uniform(0.0, 1.5))
        return OK

    @property
    def repeated(self) -> int:
        """The number of messages that came again."""
        return len(self.receipts) - len({each.identity for each in self.receipts})

    def faults(self, ends: Sequence[float]) -> Iterable[str]:
        """Return what is wrong; `ends` has the moments in which a process ended."""
        times: defaultdict[str, list[float]] = defaultdict(list)
        opened: defaultdict[str, set[str]] = defaultdict(set)
        for each in self.receipts:
            times[each.identity].append(each.at)
            told = json.loads(each.text)
            alerts: list[dict[str, Any]] = told["data"].get("alerts", [])
            known = {alert["id"] for alert in alerts if "id" in alert}
            if told["type"] == "alert.closed" and known - opened[each.user]:
                yield f"{each.identity} closes what was not opened"
            opened[each.user] |= known
            for mark in _MARKS:
                if mark in each.text:
                    yield f"{each.identity} has {mark}"
        for identity, came in times.items():
            between = sum(came[0] - STILL_SECONDS < end < came[-1] for end in ends)
            if len(came) - 1 > between:
                yield f"{identity} came {len(came)} times, and {between} processes ended meanwhile"


def add_users(session: Session, companies: Iterable[int], url: str, number: int) -> None:
    """Create a user who sees everything, and so many for each company; all are told at once."""
    _add_user(session, "all", None, url)
    for company in companies:
        for each in range(number):
            _add_user(session, f"company-{company}-{each}", company, url)


def _add_user(session: Session, name: str, company: int | None, url: str) -> None:
    user = create_user(session, f"{name}@example.com", "hash", admin=company is None)
    if company is not None:
        grant(session, user, company)
    now = datetime.now(UTC)
    address = AlertAddress(user_id=user.id, kind="webhook", target=f"{url}{name}", secret=SECRET)
    address.label, address.position = name, 1
    address.created_at = address.confirmed_at = now
    session.add(address)
    for condition, watched in CONDITIONS.items():
        # A connection is lost for seconds here.
        if watched.about is not About.INSTALLATION:
            watch = AlertWatch(user_id=user.id, condition=condition.value, is_on=True, minutes=0)
            session.add(watch)
