"""Random days: everything that lasts is told, nothing too often, and no end without a beginning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.alerts.world import NOON
from webhookproxy.alerts.conditions import CONDITIONS, URGENT, About, Condition
from webhookproxy.alerts.people import Person
from webhookproxy.alerts.preferences import Watches
from webhookproxy.alerts.telling.damping import MESSAGES_MAX
from webhookproxy.alerts.telling.planning import Known, Told, plan_for
from webhookproxy.models import Alert
from webhookproxy.models.alerts.messages import MessageKind, Part

DAY = 24 * 60
# After the day: the longest quiet time, and an hour in which the last digests go out.
AFTER = DAY + 120
KINDS = tuple(Condition)


@dataclass(frozen=True, slots=True)
class Spell:
    """A time in which a company or webhook is in a state, in minutes of the day."""

    condition: Condition
    number: int
    begins: int
    lasts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One message: when it was made, and what it told."""

    minute: int
    kind: MessageKind
    parts: frozenset[tuple[int, Part]]


spells = st.builds(
    Spell,
    st.sampled_from(KINDS),
    st.integers(1, 30),
    st.integers(0, DAY - 1),
    st.one_of(st.integers(1, 12), st.integers(1, 300)),
)
# The same state again and again, and the same state in many companies at once.
flapping = st.builds(
    lambda number, begins, every, times: [
        Spell(Condition.WEBHOOK_FAILING, number, begins + every * each, max(5, every - 2))
        for each in range(times)
    ],
    st.integers(1, 3),
    st.integers(0, DAY - 1),
    st.integers(7, 25),
    st.integers(3, 30),
)
storm = st.builds(
    lambda begins, lasts: [
        Spell(Condition.TOKEN_REFUSED, number, begins + number % 7 * 3, lasts)
        for number in range(1, 31)
    ],
    st.integers(0, DAY - 1),
    st.integers(2, 90),
)
days = st.lists(st.one_of(spells.map(lambda each: [each]), flapping, storm), max_size=8)
quiet_hours = st.one_of(st.none(), st.tuples(st.integers(0, DAY - 1), st.integers(0, DAY - 1)))


def separate(groups: Sequence[Sequence[Spell]]) -> list[Spell]:
    """Return the spells without those that begin while their state lasts already."""
    kept: list[Spell] = []
    ends: dict[tuple[Condition, int], int] = {}
    for each in sorted((s for group in groups for s in group), key=lambda s: s.begins):
        key = each.condition, each.number
        if ends.get(key, -1) < each.begins:
            kept.append(each)
            ends[key] = each.begins + each.lasts
    return kept


def live_through(day: Sequence[Spell], person: Person) -> tuple[list[Sent], dict[int, Spell]]:
    """Plan minute by minute, as the watcher does; return what was sent."""
    alerts: dict[int, Alert] = {}
    by_number = dict(enumerate(day, 1))
    begins, ends = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for number, spell in by_number.items():
        if spell.lasts >= CONDITIONS[spell.condition].minutes:
            begins[due_at(spell)].append(number)
            ends[spell.begins + spell.lasts].append(number)
    told, sent = Told(), list[Sent]()
    for minute in range(DAY + AFTER):
        now = NOON + timedelta(minutes=minute)
        for number in begins[minute]:
            alerts[number] = alert_of(number, by_number[number], now)
        for number in ends[minute]:
            alerts[number].closed_at = now
        told.sent = [each for each in told.sent if each > now.timestamp() - 3600]
        # What was told to its end says nothing after an hour.
        for number in [each.id for each in alerts.values() if is_past(each, told, now)]:
            del alerts[number]
        for each in plan_for(person, Known(list(alerts.values()), frozenset()), told, now):
            sent.append(Sent(minute, each.kind, frozenset((c.alert, c.part) for c in each.changes)))
            told.sent.append(now.timestamp())
            if each.kind is MessageKind.DIGEST:
                told.digests.append(now.timestamp())
            told.parts.update({(c.alert, c.part.value): now for c in each.changes})
    return sent, by_number


def due_at(spell: Spell) -> int:
    """The minute at which people are to be told."""
    watched = CONDITIONS[spell.condition]
    return spell.begins + (watched.minutes if watched.ends else spell.lasts)


def is_past(alert: Alert, told: Told, now: datetime) -> bool:
    last = Part.CLOSED if CONDITIONS[Condition(alert.condition)].ends else Part.OPENED
    ended = told.parts.get((alert.id, last))
    return ended is not None and now - ended > timedelta(hours=1)


def alert_of(number: int, spell: Spell, now: datetime) -> Alert:
    since = NOON + timedelta(minutes=spell.begins)
    alert = Alert(id=number, condition=spell.condition.value, since=since, opened_at=now)
    is_of_all = CONDITIONS[spell.condition].about is About.INSTALLATION
    alert.company_id = None if is_of_all else spell.number
    return alert


@settings(max_examples=10)
@given(days, quiet_hours)
@example([[Spell(Condition.WEBHOOK_FAILING, 1, each * 8, 6) for each in range(100)]], None)
@example([[Spell(Condition.TOKEN_REFUSED, each, each * 20, 10) for each in range(60)]], (60, 0))
def test_a_day_is_told(groups: list[list[Spell]], quiet: tuple[int, int] | None) -> None:
    if quiet is not None and quiet[0] == quiet[1]:
        quiet = None
    person = Person(1, True, frozenset(), Watches({}), NOON - timedelta(days=1), quiet)
    sent, day = live_through(separate(groups), person)
    for each in sent:
        in_an_hour = sum(0 <= each.minute - other.minute < 60 for other in sent)
        assert in_an_hour <= MESSAGES_MAX
    told = [(part, each.minute) for each in sent for part in each.parts]
    assert len(told) == len({part for part, _ in told})
    at = dict(told)
    for number, spell in day.items():
        watched = CONDITIONS[spell.condition]
        lasted = spell.lasts >= watched.minutes
        assert ((number, Part.OPENED) in at) == lasted
        assert ((number, Part.CLOSED) in at) == (lasted and watched.ends)
        if not lasted:
            continue
        due = due_at(spell)
        opened = at[number, Part.OPENED]
        assert due <= opened <= at.get((number, Part.CLOSED), opened)
        if quiet is None or spell.condition in URGENT:
            # The bound of a digest, and of an hour that is full.
            assert opened <= due + 61
