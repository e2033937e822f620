"""The calls of a day at 3C Plus, here, and at each webhook: counted, with the differences.

A call is the id of its history. Nothing here asks the database or 3C Plus.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from webhookproxy.events.call_facts import NO_FACTS, CallFacts, facts_of
from webhookproxy.events.formats.moments import read_moment, unix
from webhookproxy.events.recovery.histories import Row, history_in, id_of
from webhookproxy.events.recovery.rebuilt import payload_of
from webhookproxy.reasons import DeliveryState

# Differences of one kind that are kept by name, and those of all webhooks together; the counts
# count all of them.
NAMED_MAX = 50
NAMED_OF_ALL_MAX = 500


class Fate(StrEnum):
    """The fate of a call's history at a webhook."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    FAILED = "failed"
    # Left out by the webhook's own filter, or only simulated.
    KEPT_BACK = "kept_back"
    # No delivery: the webhook did not exist or did not ask for it then, or takes none recovered.
    NOT_SENT = "not_sent"


# What the receiver does not have although the webhook wants histories.
LACKING = (Fate.FAILED, Fate.WAITING, Fate.NOT_SENT)

_FATES = {
    DeliveryState.DELIVERED: Fate.DELIVERED,
    DeliveryState.QUEUED: Fate.WAITING,
    DeliveryState.RETRYING: Fate.WAITING,
    DeliveryState.REFUSED: Fate.FAILED,
    DeliveryState.EXPIRED: Fate.FAILED,
    DeliveryState.CANCELLED: Fate.FAILED,
    DeliveryState.FILTERED: Fate.KEPT_BACK,
    DeliveryState.SIMULATED: Fate.KEPT_BACK,
}


class Due(NamedTuple):
    """The delivery of an event to a webhook."""

    event_id: int
    webhook_id: int
    delivery_id: int
    state: str


class Lacking(NamedTuple):
    """A history that a webhook does not have: its event, and its delivery (0 without one)."""

    event_id: int
    delivery_id: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call as 3C Plus lists it; `at_ms` 0: it does not say when."""

    id: str
    at_ms: int = 0
    facts: CallFacts = NO_FACTS


@dataclass(slots=True)
class AtWebhook:
    """The fates of the calls at one webhook, and the first that it does not have."""

    webhook_id: int
    counts: dict[str, int] = field(default_factory=dict)
    lacking: list[Lacking] = field(default_factory=list)

    def count(self, fate: Fate) -> int:
        """Return how many calls have this fate."""
        return self.counts.get(fate.value, 0)

    @property
    def lacks(self) -> int:
        """Return how many calls the webhook does not have."""
        return sum(map(self.count, LACKING))


@dataclass(slots=True)
class Compared:
    """A day. `gone` calls arrived here, and their events are purged: no one knows more of them.

    `only_here` are events of calls of this day that 3C Plus does not list. `is_cut`: it lists more
    than were compared.
    """

    listed: int = 0
    here: int = 0
    gone: int = 0
    only_here_count: int = 0
    is_cut: bool = False
    missing: list[Call] = field(default_factory=list)
    only_here: list[int] = field(default_factory=list)
    webhooks: list[AtWebhook] = field(default_factory=list)

    @property
    def missing_count(self) -> int:
        """Return how many listed calls did not arrive here."""
        return self.listed - self.here

    def take(
        self,
        calls: Iterable[str],
        known: Mapping[str, int | None],
        stored: Collection[int],
        dues: Iterable[Due],
    ) -> list[str]:
        """Count some calls that 3C Plus lists; return those that are missing here.

        `known` has the event of each history that arrived (None if that is not known), `stored`
        those events that are not purged, and `dues` their deliveries.
        """
        of_event = {(due.event_id, due.webhook_id): due for due in dues}
        missing = []
        for each in calls:
            self.listed += 1
            if each not in known:
                missing.append(each)
                continue
            self.here += 1
            event_id = known[each]
            if event_id is None or event_id not in stored:
                self.gone += 1
                continue
            for webhook in self.webhooks:
                self._count(webhook, event_id, of_event.get((event_id, webhook.webhook_id)))
        return missing

    def take_only_here(self, event_ids: Sequence[int]) -> None:
        """Count events of calls that 3C Plus does not list."""
        self.only_here_count += len(event_ids)
        self.only_here += event_ids[: NAMED_MAX - len(self.only_here)]

    def _count(self, webhook: AtWebhook, event_id: int, due: Due | None) -> None:
        fate = Fate.NOT_SENT if due is None else _FATES[DeliveryState(due.state)]
        webhook.counts[fate.value] = webhook.count(fate) + 1
        if fate not in LACKING or len(webhook.lacking) >= NAMED_MAX:
            return
        # Added up only here: most calls of most webhooks are no difference.
        if sum(len(each.lacking) for each in self.webhooks) < NAMED_OF_ALL_MAX:
            webhook.lacking.append(Lacking(event_id, 0 if due is None else due.delivery_id))

    def to_json(self) -> str:
        """Return it as it is stored."""
        # A named tuple is a list there.
        return orjson.dumps(asdict(self), default=list).decode()

    @classmethod
    def from_json(cls, text: str) -> Compared:
        """Return what was stored."""
        found = orjson.loads(text)
        calls = [Call(**{**each, "facts": CallFacts(**each["facts"])}) for each in found["missing"]]
        webhooks = [
            AtWebhook(**{**each, "lacking": [Lacking(*pair) for pair in each["lacking"]]})
            for each in found["webhooks"]
        ]
        return cls(**{**found, "missing": calls, "webhooks": webhooks})


def call_of(row: Row) -> Call:
    """Return a call of a list of 3C Plus."""
    payload = payload_of(row)
    return Call(id_of(row), began_ms(payload) or 0, facts_of(payload))


def began_ms(payload: Any) -> int | None:
    """Return when the call of a history began; None if its payload does not say it."""
    text = history_in(payload).get("call_date")
    moment = read_moment(text) if isinstance(text, str) else None
    return unix(moment) * 1000 if isinstance(moment, datetime) else None
