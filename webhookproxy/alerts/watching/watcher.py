"""Keeps a row for every state that lasts, and makes the messages about it.

Only the owner of the sockets does it, one step after the other. Everything is in the database, so
the next owner goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import gevent
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, Condition
from webhookproxy.alerts.people import people
from webhookproxy.alerts.preferences import preferences_of
from webhookproxy.alerts.telling.morning import day_of, is_due, morning_message
from webhookproxy.alerts.telling.planning import known_alerts, plan_for, store_planned, told_of
from webhookproxy.alerts.watching.endings import End, end_of
from webhookproxy.alerts.watching.states import State, Subject, gaps_now, silences_now, states_now
from webhookproxy.database.clock import seconds_now
from webhookproxy.database.fence import Fence, Fenced
from webhookproxy.database.store import Store
from webhookproxy.models import Alert, AlertMessage, AlertMessagePart, AlertWatch
from webhookproxy.models.alerts.alerts import Ending
from webhookproxy.troubles.silence import Usuals

# Seconds between two looks.
PAUSE = 5.0
# Between two looks for silences, which read a company's usual events, and for gaps that ended.
SELDOM = 60.0
FORGET_EVERY = 3_600.0
# How long ended alerts and their messages are kept, and how many are removed in one transaction.
KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 200


def nothing_more() -> Mapping[Subject, State]:
    """Return no states of the installation."""
    return {}


def no_fence() -> Fence | None:
    """Return None, where no other process may take over."""
    return None


class Watcher:
    """Works in steps; `pause` is the number of seconds until the next.

    `installation` returns what is wrong with the whole, which only the engine knows, and `fence`
    that of the lease: what a former owner saw is not written down beside what the next one wrote.
    """

    pause = PAUSE

    def __init__(
        self,
        store: Store,
        reading: Engine,
        installation: Callable[[], Mapping[Subject, State]] = nothing_more,
        clock: Callable[[], float] = seconds_now,
        fence: Callable[[], Fence | None] = no_fence,
    ) -> None:
        self._store = store
        self._reading = reading
        self._installation = installation
        self._clock = clock
        self._lease_fence = fence
        # The fence of the step that runs.
        self._fence: Fence | None = None
        self._looked = self._forgot = 0.0
        self._usuals = Usuals()
        self._silences: Mapping[Subject, State] = {}

    def step(self) -> bool:
        """Look at everything once. Return whether something changed."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        self._fence = self._lease_fence()
        try:
            changed = self._compare(now)
            changed = self._tell(now) or changed
            if abs(self._clock() - self._forgot) >= FORGET_EVERY:
                self._forgot = self._clock()
                self._forget(now)
        except Fenced:
            # The next owner looks for itself.
            return False
        return changed

    def _compare(self, now: datetime) -> bool:
        """Open an alert for each state that lasts, and close those of states that ended."""
        with Session(self._reading) as session:
            states = {**states_now(session, now), **self._installation()}
            least = _least_minutes(session)
            if abs(self._clock() - self._looked) >= SELDOM:
                self._looked = self._clock()
                self._silences = silences_now(session, self._usuals, now)
                states |= _new_gaps(session, gaps_now(session, now, least[Condition.GAP]))
            states |= self._silences
            is_open = select(Alert).where(
                Alert.closed_at.is_(None), Alert.condition.in_([each.value for each in Condition])
            )
            alerts = {_subject(each): each for each in session.scalars(is_open)}
            new = {
                subject: state
                for subject, state in states.items()
                if subject not in alerts
                and not state.may_go_on
                and (state.ended or now) - state.since >= least[subject.condition]
            }
            ended = {}
            for subject, each in alerts.items():
                if subject not in states:
                    # SQLite does not yield: hundreds of webhooks may recover at once.
                    gevent.sleep(0)
                    ended[each.id] = end_of(session, subject, each, now)
        if not new and not ended:
            return False
        self._write(partial(_store_changes, new=new, ended=ended, now=now))
        return True

    def _tell(self, now: datetime) -> bool:
        """Make the messages that are due, for each person in a transaction of its own."""
        told_some = False
        with Session(self._reading) as session:
            known = known_alerts(session, now)
            persons = people(session)
            told = told_of(session, persons, known.alerts, now)
            for person in persons:
                if is_due(person, now):
                    self._say_good_morning(morning_message(session, person, now), now)
                planned = plan_for(person, known, told[person.id], now)
                if planned:
                    self._write(partial(store_planned, user_id=person.id, planned=planned, now=now))
                    told_some = True
                # Hundreds of alerts for each of many people must not hold up the sockets.
                gevent.sleep(0)
        return told_some

    def _say_good_morning(self, message: AlertMessage, now: datetime) -> None:
        def job(session: Session) -> None:
            session.add(message)
            preferences_of(session, message.user_id).morning_day = day_of(now)

        self._write(job)

    def _write(self, job: Callable[[Session], None]) -> None:
        """Write as the owner that began this step; raise Fenced if there is another one."""
        self._store.session(job, fence=self._fence)

    def _forget(self, now: datetime) -> None:
        """Remove some of what ended long ago."""

        def job(session: Session) -> None:
            old = select(Alert.id).where(Alert.closed_at < now - KEPT).limit(FORGOTTEN_AT_ONCE)
            session.execute(delete(Alert).where(Alert.id.in_(old.scalar_subquery())))
            # One that tells of a state which lasts still says that it was told.
            tells = select(AlertMessagePart.alert_id).where(
                AlertMessagePart.message_id == AlertMessage.id
            )
            sent = (
                select(AlertMessage.id)
                .where(AlertMessage.created_at < now - KEPT, ~tells.exists())
                .limit(FORGOTTEN_AT_ONCE)
            )
            session.execute(delete(AlertMessage).where(AlertMessage.id.in_(sent.scalar_subquery())))

        self._write(job)


def _subject(alert: Alert) -> Subject:
    return Subject(Condition(alert.condition), alert.company_id, alert.webhook_id)


def _least_minutes(session: Session) -> dict[Condition, timedelta]:
    """Return for each condition the shortest time after which anyone wants to be told."""
    chosen = select(AlertWatch.condition, func.min(AlertWatch.minutes)).group_by(
        AlertWatch.condition
    )
    own = {row[0]: row[1] for row in session.execute(chosen) if row[1] is not None}
    return {
        condition: timedelta(minutes=min(each.minutes, own.get(condition.value, each.minutes)))
        for condition, each in CONDITIONS.items()
    }


def _new_gaps(session: Session, gaps: Mapping[Subject, State]) -> dict[Subject, State]:
    """Return the gaps that have no alert yet."""
    return {
        subject: state
        for subject, state in gaps.items()
        if session.scalar(
            select(Alert.id).where(
                Alert.condition == Condition.GAP.value,
                Alert.company_id == subject.company_id,
                Alert.since == state.since,
            )
        )
        is None
    }


def _store_changes(
    session: Session,
    new: Mapping[Subject, State],
    ended: Mapping[int, End],
    now: datetime,
) -> None:
    for subject, state in new.items():
        alert = Alert(
            condition=subject.condition.value,
            company_id=subject.company_id,
            webhook_id=subject.webhook_id,
            since=state.since,
            opened_at=now,
            reason=state.reason,
            status=state.status,
        )
        if state.ended is not None:
            alert.closed_at, alert.ending = state.ended, Ending.WELL.value
        session.add(alert)
    for alert_id, end in ended.items():
        found = session.get(Alert, alert_id)
        if found is not None and found.closed_at is None:
            found.closed_at, found.ending = end.at, end.ending.value
            found.outage_id = end.outage_id
