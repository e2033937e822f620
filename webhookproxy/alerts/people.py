"""Who is told: everybody with a confirmed address, with their rights, wishes and quiet hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, About, Condition
from webhookproxy.alerts.preferences import Watches, watches_of
from webhookproxy.models import AlertAddress, AlertPreferences, Grant, User
from webhookproxy.rules.companies import DEFAULT_TIMEZONE

# The times in messages and the quiet hours are those of Brasília.
ZONE = ZoneInfo(DEFAULT_TIMEZONE)


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is told. What was over before `told_from` is not told any more."""

    id: int
    is_admin: bool
    companies: frozenset[int]
    watches: Watches
    told_from: datetime
    quiet: tuple[int, int] | None = None
    morning_line: bool = False
    morning_day: int | None = None

    def may_see(self, company_id: int | None) -> bool:
        """Return whether the user may know of a company; None is the installation."""
        return self.is_admin or company_id in self.companies

    def wants(self, condition: Condition, company_id: int | None) -> bool:
        """Return whether the user is told when a condition begins in a company."""
        if CONDITIONS[condition].about is About.INSTALLATION and not self.is_admin:
            return False
        return self.may_see(company_id) and self.watches.is_on(condition, company_id)

    def is_quiet(self, now: datetime) -> bool:
        """Return whether it is a time at which the user does not want to be told."""
        if self.quiet is None:
            return False
        local = now.astimezone(ZONE)
        minute, (begins, ends) = local.hour * 60 + local.minute, self.quiet
        if begins < ends:
            return begins <= minute < ends
        return minute >= begins or minute < ends


def people(session: Session, only: int | None = None) -> list[Person]:
    """Return everybody who is told, by number; with `only` at most this user."""
    query = (
        select(User.id, User.is_admin, func.min(AlertAddress.confirmed_at))
        .join(AlertAddress, AlertAddress.user_id == User.id)
        .where(AlertAddress.confirmed_at.is_not(None))
        .group_by(User.id, User.is_admin)
        .order_by(User.id)
    )
    if only is not None:
        query = query.where(User.id == only)
    users = session.execute(query).all()
    ids = [row[0] for row in users]
    watches = watches_of(session, ids)
    wishes = {
        row.user_id: row
        for row in session.scalars(
            select(AlertPreferences).where(AlertPreferences.user_id.in_(ids))
        )
    }
    granted: dict[int, set[int]] = {user_id: set() for user_id in ids}
    for user_id, company_id in session.execute(
        select(Grant.user_id, Grant.company_id).where(Grant.user_id.in_(ids))
    ):
        granted[user_id].add(company_id)
    found = []
    for user_id, is_admin, confirmed_at in users:
        if confirmed_at is None:
            continue
        wish = wishes.get(user_id)
        if wish is None:
            wish = AlertPreferences(user_id=user_id, is_on=True, morning_line=False)
        if wish.is_on:
            found.append(
                Person(
                    user_id,
                    is_admin,
                    frozenset(granted[user_id]),
                    watches[user_id],
                    told_from=max(confirmed_at, wish.changed_at or confirmed_at),
                    quiet=_quiet(wish),
                    morning_line=wish.morning_line,
                    morning_day=wish.morning_day,
                )
            )
    return found


def _quiet(wish: AlertPreferences) -> tuple[int, int] | None:
    if wish.quiet_from is None or wish.quiet_until is None:
        return None
    return wish.quiet_from, wish.quiet_until
