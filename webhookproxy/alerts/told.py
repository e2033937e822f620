"""What was told to whom of a company, and what could not be sent: for pages and commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Alert, AlertAddress, AlertMessage, AlertMessagePart, User, Webhook

# Older alerts are not listed, and what could not be sent so long ago is no news any more.
LISTED_FOR = timedelta(days=30)
UNSENT_FOR = timedelta(days=7)


class Telling(NamedTuple):
    """One alert that one person was told of, or is about to be.

    `part` is opened, closed or reminded. It was sent at `sent_at` to the address with the label
    `address`; else `error` is our own code of the last try (webhookproxy.reasons.AlertError), and
    `given_up_at` says that there will be no other. `since` and `ended` are those of the alert.
    """

    alert_id: int
    created_at: datetime
    sent_at: datetime | None
    given_up_at: datetime | None
    error: str | None
    attempts: int
    kind: str
    part: str
    user_id: int
    user: str
    channel: str | None
    address: str | None
    condition: str
    webhook_id: int | None
    webhook: str | None
    since: datetime
    ended: datetime | None


class Unsent(NamedTuple):
    """A message that no address took until now, or at all (`given_up_at`)."""

    id: int
    user: str
    kind: str
    created_at: datetime
    due_at: datetime
    given_up_at: datetime | None
    attempts: int
    error: str | None


def told_of_company(
    session: Session, company_id: int | None, most: int, user_id: int | None = None
) -> Sequence[Telling]:
    """Return what was told of a company in the last 30 days, the newest first, at most `most`.

    None is the installation. With `user_id` only what was told to that user.
    """
    query = (
        select(
            Alert.id,
            AlertMessage.created_at,
            AlertMessage.sent_at,
            AlertMessage.given_up_at,
            AlertMessage.error,
            AlertMessage.attempts,
            AlertMessage.kind,
            AlertMessagePart.part,
            User.id,
            User.email,
            AlertAddress.kind,
            AlertAddress.label,
            Alert.condition,
            Alert.webhook_id,
            Webhook.name,
            Alert.since,
            Alert.closed_at,
        )
        .select_from(Alert)
        .join(AlertMessagePart, AlertMessagePart.alert_id == Alert.id)
        .join(AlertMessage, AlertMessage.id == AlertMessagePart.message_id)
        .join(User, User.id == AlertMessage.user_id)
        .outerjoin(AlertAddress, AlertAddress.id == AlertMessage.sent_by)
        .outerjoin(Webhook, Webhook.id == Alert.webhook_id)
        .where(
            Alert.company_id == company_id,
            or_(Alert.closed_at.is_(None), Alert.since > utc_now() - LISTED_FOR),
        )
        .order_by(AlertMessage.id.desc(), Alert.id.desc())
        .limit(most)
    )
    if user_id is not None:
        query = query.where(AlertMessage.user_id == user_id)
    return [Telling._make(row) for row in session.execute(query)]


def told_last(session: Session, user_id: int) -> datetime | None:
    """Return when the newest message was made that reached a user, tests apart; None for none."""
    query = select(func.max(AlertMessage.created_at)).where(
        AlertMessage.user_id == user_id,
        AlertMessage.created_at > utc_now() - UNSENT_FOR,
        AlertMessage.sent_at.is_not(None),
        AlertMessage.address_id.is_(None),
    )
    return session.scalar(query)


def unsent(session: Session, user_id: int | None, most: int) -> Sequence[Unsent]:
    """Return what could not be sent in the last week, the newest first; None is of all users.

    A message counts from its first failed try on, which notes its error, until an address takes it.
    """
    since = utc_now() - UNSENT_FOR
    query = (
        select(
            AlertMessage.id,
            User.email,
            AlertMessage.kind,
            AlertMessage.created_at,
            AlertMessage.due_at,
            AlertMessage.given_up_at,
            AlertMessage.attempts,
            AlertMessage.error,
        )
        .join(User, User.id == AlertMessage.user_id)
        .where(
            AlertMessage.created_at > since,
            AlertMessage.sent_at.is_(None),
            AlertMessage.error.is_not(None),
        )
        .order_by(AlertMessage.created_at.desc(), AlertMessage.id.desc())
        .limit(most)
    )
    if user_id is not None:
        query = query.where(AlertMessage.user_id == user_id)
    return [Unsent._make(row) for row in session.execute(query)]
