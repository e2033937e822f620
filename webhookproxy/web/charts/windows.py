"""The two windows of the charts: 24 hours by the hour, and one hour by the minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from flask import abort, request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import seconds_now
from webhookproxy.events.silence import HOUR_SECONDS
from webhookproxy.models.deliveries.tables import FAILED_ATTEMPT
from webhookproxy.models.minutes import EVENTS, MinuteCount
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.figures import Latency

# The number of deliveries and of failed attempts, by slot and outcome.
Ended = dict[tuple[int, str], int]


@dataclass(frozen=True, slots=True)
class Window:
    """The slots of a chart, the last of which is now; `letter` begins the word of one."""

    word: str
    title: str
    letter: str
    seconds: int
    count: int

    def slots(self) -> range:
        """Return the numbers of the slots since 1970."""
        now = int(seconds_now()) // self.seconds
        return range(now - self.count + 1, now + 1)


DAY = Window("", "24 horas", "h", HOUR_SECONDS, 24)
HOUR = Window("1h", "Última hora", "m", 60, 60)
WINDOWS = {each.word: each for each in (DAY, HOUR)}


def chosen_window() -> Window:
    """Return the window that the address asks for. Answers 404 to another word."""
    word = request.args.get("janela", "")
    if word not in WINDOWS:
        abort(404)
    return WINDOWS[word]


def events_by_slot(session: Session, window: Window, companies: Collection[int]) -> dict[int, int]:
    """Return the number of events of these companies."""
    first = window.slots()[0]
    if window is DAY:
        return figures.events_by_hour(session, companies, first)
    return {slot: n for (slot, _), n in _minutes(session, companies, {EVENTS}, first).items()}


def ended_by_slot(session: Session, window: Window, webhooks: Collection[int]) -> Ended:
    """Return how the deliveries of these webhooks ended, and their failed attempts."""
    first = window.slots()[0]
    if window is DAY:
        return figures.deliveries_by_outcome(session, webhooks, first)
    outcomes = {"delivered", *figures.FAILED, FAILED_ATTEMPT}
    return _minutes(session, webhooks, outcomes, first)


def latency_by_slot(session: Session, window: Window, webhook_id: int) -> dict[int, Latency]:
    """Return how long the deliveries of a webhook took."""
    first = window.slots()[0]
    if window is DAY:
        return figures.latency_by_hour(session, webhook_id, first)
    rows = session.execute(
        select(MinuteCount.minute, MinuteCount.bucket, MinuteCount.count).where(
            MinuteCount.owner_id == webhook_id,
            MinuteCount.series == "delivered",
            MinuteCount.minute >= first,
        )
    )
    buckets: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for minute, bucket, count in rows:
        buckets[minute][bucket] = int(count)
    found = {minute: figures.latency_of(counts) for minute, counts in buckets.items()}
    return {minute: each for minute, each in found.items() if each is not None}


def _minutes(
    session: Session, owners: Collection[int], series: Collection[str], first: int
) -> Ended:
    rows = session.execute(
        select(MinuteCount.minute, MinuteCount.series, func.sum(MinuteCount.count))
        .where(
            MinuteCount.owner_id.in_(owners),
            MinuteCount.series.in_(series),
            MinuteCount.minute >= first,
        )
        .group_by(MinuteCount.minute, MinuteCount.series)
    )
    return {(minute, name): int(count) for minute, name, count in rows}
