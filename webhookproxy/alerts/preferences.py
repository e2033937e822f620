"""How and of what a user wants to be told: reading and changing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, MINUTES_MAX, Condition
from webhookproxy.database.clock import utc_now
from webhookproxy.models import AlertPreferences, AlertWatch
from webhookproxy.rules import Refused

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Watches:
    """What one user wants to be told of: what was chosen, and else the defaults."""

    chosen: Mapping[tuple[Condition, int | None], tuple[bool, int | None]]

    def is_on(self, condition: Condition, company_id: int | None) -> bool:
        """Return whether a condition is watched for the user in a company."""
        found = self._found(condition, company_id)
        return found is None or found[0]

    def minutes(self, condition: Condition, company_id: int | None) -> int:
        """Return the minutes that a condition must last in a company."""
        found = self._found(condition, company_id)
        own = None if found is None else found[1]
        watched = CONDITIONS[condition]
        return own if own is not None and watched.is_timed else watched.minutes

    def _found(
        self, condition: Condition, company_id: int | None
    ) -> tuple[bool, int | None] | None:
        return self.chosen.get((condition, company_id)) or self.chosen.get((condition, None))


def watches_of(session: Session, user_ids: Collection[int]) -> dict[int, Watches]:
    """Return what each of these users wants to be told of."""
    chosen: dict[int, dict[tuple[Condition, int | None], tuple[bool, int | None]]] = {
        user_id: {} for user_id in user_ids
    }
    for row in session.scalars(select(AlertWatch).where(AlertWatch.user_id.in_(user_ids))):
        # A newer version of the program may have stored a condition that this one does not know.
        if row.condition in CONDITIONS:
            key = Condition(row.condition), row.company_id
            chosen[row.user_id][key] = row.is_on, row.minutes
    return {user_id: Watches(each) for user_id, each in chosen.items()}


def set_watch(
    session: Session,
    user_id: int,
    condition: Condition,
    company_id: int | None,
    *,
    is_on: bool,
    minutes: int | None,
) -> None:
    """Watch a condition for a user or not; of one company, or of all. None: the usual minutes.

    Raises Refused for minutes that are no minutes of a day.
    """
    if minutes is not None and not 0 <= minutes <= MINUTES_MAX:
        raise Refused.one(
            "minutes",
            f"Give 0 to {MINUTES_MAX} minutes.",
            f"Informe de 0 a {MINUTES_MAX} minutos.",
        )
    forget_watch(session, user_id, condition, company_id)
    watch = AlertWatch(user_id=user_id, company_id=company_id, condition=condition.value)
    watch.is_on, watch.minutes = is_on, minutes
    session.add(watch)


def forget_watch(
    session: Session, user_id: int, condition: Condition, company_id: int | None
) -> None:
    """Go back to the default for a condition; of one company, to what is chosen for all."""
    same_company = AlertWatch.company_id == company_id
    if company_id is None:
        same_company = AlertWatch.company_id.is_(None)
    session.execute(
        delete(AlertWatch).where(
            AlertWatch.user_id == user_id, AlertWatch.condition == condition.value, same_company
        )
    )
    preferences_of(session, user_id).changed_at = utc_now()


def preferences_of(session: Session, user_id: int) -> AlertPreferences:
    """Return how a user wants to be told; a row with the defaults is added if there is none."""
    found = session.get(AlertPreferences, user_id)
    if found is None:
        found = AlertPreferences(user_id=user_id, is_on=True, morning_line=False)
        session.add(found)
        session.flush()
    return found


def set_preferences(
    session: Session,
    user_id: int,
    *,
    is_on: bool,
    quiet: tuple[int, int] | None,
    morning_line: bool,
) -> None:
    """Store how a user wants to be told; `quiet` has two minutes of the day, in Brasília.

    Raises Refused for quiet hours that are no times of a day, or that never end.
    """
    if quiet is not None:
        begins, ends = quiet
        if not (0 <= begins < DAY_MINUTES and 0 <= ends < DAY_MINUTES) or begins == ends:
            raise Refused.one(
                "quiet",
                "Quiet hours need a beginning and another end, from 00:00 to 23:59.",
                "O horário de silêncio precisa de um começo e de um fim diferentes, de 00:00 a "
                "23:59.",
            )
    row = preferences_of(session, user_id)
    row.is_on, row.morning_line = is_on, morning_line
    row.quiet_from, row.quiet_until = quiet if quiet is not None else (None, None)
    row.changed_at = utc_now()
