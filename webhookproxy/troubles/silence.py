"""Companies that are silent when they usually are not: cheap enough for every live page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import gevent
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from webhookproxy.events import silence
from webhookproxy.models import Company, HourlyEvents

# Companies that are read before other greenlets have their turn: one worker serves everything.
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Silence:
    """An odd silence: since when nothing comes, and how much usually comes in this hour."""

    since: datetime
    usual: int


@dataclass(slots=True)
class _Kept:
    """The usual number of events of one company, by hour."""

    timezone: str
    known_weeks: frozenset[int]
    # The hour in which the weeks were read.
    read: int
    usual: dict[int, int] = field(default_factory=dict)


class Usuals:
    """A cache of the usual numbers: each hour of a company is read once."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def of(
        self, session: Session, companies: Sequence[Company], hours: Sequence[int], at: float
    ) -> Mapping[int, Mapping[int, int]]:
        """Return the usual numbers by company and hour, for these hours at least, in two reads."""
        now = silence.hour_of(at)
        self._read_weeks(
            session, [each for each in companies if not self._is_fresh(each, now)], now
        )
        # Another page may replace the entries while these are filled.
        kept = {each.id: self._kept[each.id] for each in companies}
        missing = {
            company_id: [hour for hour in hours if hour not in each.usual]
            for company_id, each in kept.items()
        }
        _read_hours(session, kept, {key: value for key, value in missing.items() if value})
        return {company_id: each.usual for company_id, each in kept.items()}

    def _is_fresh(self, company: Company, now: int) -> bool:
        kept = self._kept.get(company.id)
        return kept is not None and kept.read == now and kept.timezone == company.timezone

    def _read_weeks(self, session: Session, companies: Sequence[Company], now: int) -> None:
        weeks = _known_weeks(session, [each.id for each in companies], now)
        for company in companies:
            kept = self._kept.get(company.id)
            made = _Kept(company.timezone, weeks.get(company.id, frozenset()), now)
            if kept and kept.timezone == made.timezone and kept.known_weeks == made.known_weeks:
                oldest = now - silence.WEEK_HOURS - 1
                made.usual = {hour: n for hour, n in kept.usual.items() if hour >= oldest}
            self._kept[company.id] = made


def _read_hours(
    session: Session, kept: Mapping[int, _Kept], missing: Mapping[int, Sequence[int]]
) -> None:
    past = {
        each
        for company_id, hours in missing.items()
        for hour in hours
        for each in silence.same_hours(hour, kept[company_id].timezone)
    }
    counts = _counts(session, missing.keys(), past)
    for company_id, hours in missing.items():
        each, found = kept[company_id], counts.get(company_id, {})
        for hour in hours:
            each.usual[hour] = silence.usual(hour, each.timezone, found, each.known_weeks)


def odd_silences(
    session: Session, companies: Sequence[Company], usuals: Usuals, now: float
) -> dict[int, Silence]:
    """Return the odd silences of these companies, all of them connected, by number.

    The database is asked only about companies that are silent for ten minutes: once an hour for the
    usual number of this hour, and in a working hour for those of the hours without events.
    """
    asked = [each for each in companies if is_quiet(each, now)]
    found: dict[int, Silence] = {}
    for first in range(0, len(asked), AT_ONCE):
        found |= _odd(session, asked[first : first + AT_ONCE], usuals, now)
        gevent.sleep(0)
    return found


def is_quiet(company: Company, now: float) -> bool:
    """Return whether a company is silent long enough to ask the database; most are not."""
    return now - quiet_since(company).timestamp() >= silence.LEAST_MINUTES * 60


def quiet_since(company: Company) -> datetime:
    """Return when the last event came on this connection, or when it was opened."""
    connection = company.connection
    return max(connection.since, connection.last_event_at or connection.since)


def _odd(
    session: Session, companies: Sequence[Company], usuals: Usuals, now: float
) -> dict[int, Silence]:
    this_hour = silence.hour_of(now)
    usual = usuals.of(session, companies, silence.hours_between(now, now), now)
    working = [each for each in companies if usual[each.id][this_hour]]
    judged = {each.id: _judged(session, each, usuals, now) for each in working}
    return {company_id: each for company_id, each in judged.items() if each is not None}


def _judged(session: Session, company: Company, usuals: Usuals, now: float) -> Silence | None:
    began = quiet_since(company)
    since = max(began.timestamp(), now - silence.LOOKED_BACK_SECONDS)
    hours = silence.hours_between(since, now)
    usual = usuals.of(session, [company], hours, now)[company.id]
    if not silence.missed(usual, since, now).is_odd:
        return None
    return Silence(began, usual[silence.hour_of(now)])


def _known_weeks(
    session: Session, company_ids: Collection[int], now: int
) -> dict[int, frozenset[int]]:
    """Return the weeks in which each company had any event; one index seek for each."""
    if not company_ids:
        return {}
    this_week = silence.week_of(now)
    # Two more than silence.WEEKS: an hour of last week is compared with the weeks before it.
    weeks = range(this_week - silence.WEEKS - 2, this_week + 1)
    columns = [
        exists()
        .where(
            HourlyEvents.company_id == Company.id,
            HourlyEvents.hour >= week * silence.WEEK_HOURS,
            HourlyEvents.hour < (week + 1) * silence.WEEK_HOURS,
        )
        .correlate(Company)
        for week in weeks
    ]
    rows = session.execute(select(Company.id, *columns).where(Company.id.in_(company_ids)))
    return {
        row[0]: frozenset(week for week, has in zip(weeks, row[1:], strict=True) if has)
        for row in rows
    }


def _counts(
    session: Session, company_ids: Collection[int], hours: Collection[int]
) -> dict[int, dict[int, int]]:
    if not hours:
        return {}
    rows = session.execute(
        select(HourlyEvents.company_id, HourlyEvents.hour, func.sum(HourlyEvents.count))
        .where(HourlyEvents.company_id.in_(company_ids), HourlyEvents.hour.in_(hours))
        .group_by(HourlyEvents.company_id, HourlyEvents.hour)
    )
    found: dict[int, dict[int, int]] = {}
    for company_id, hour, count in rows:
        found.setdefault(company_id, {})[hour] = int(count)
    return found
