"""Where two users are told of problems, and what they were told in the last hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bench.showcase.webhooks import PHP
from webhookproxy.alerts.conditions import Condition
from webhookproxy.models import Alert, AlertAddress, AlertMessage, AlertMessagePart, User, Webhook
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.reasons import AlertError, DeliveryReason
from webhookproxy.rules.alerts import AddressKind

# The kind, what is shown of it, whether it is confirmed, and its last error.
_ADDRESSES = (
    (AddressKind.TELEGRAM, "bot 123456789, …234", True, AlertError.BOT_BLOCKED),
    (AddressKind.EMAIL, "an…@empresa.com.br", True, None),
    (AddressKind.SLACK, "hooks.slack.com", False, None),
)


def fill(session: Session, webhooks: dict[str, Webhook], users: Sequence[User]) -> None:
    """Write addresses, an alert that goes on and three that ended, and their messages."""
    now = datetime.now(UTC)
    first, other = users
    for position, (channel, label, is_confirmed, last) in enumerate(_ADDRESSES, 1):
        session.add(_address(first, position, channel, label, now if is_confirmed else None, last))
    session.add(_address(other, 1, AddressKind.EMAIL, "be…@empresa.com.br", now, None))
    session.flush()
    hook = webhooks[PHP]
    lasting = _alert(session, Condition.CONNECTION_LOST, hook.company_id, None, now, 0.6, None)
    ended = _alert(session, Condition.WEBHOOK_FAILING, hook.company_id, hook.id, now, 1.9, 12)
    _alert(session, Condition.SILENCE, hook.company_id, None, now, 30, 3)
    server = _alert(session, Condition.DISK_FULL, None, None, now, 50, 95)
    tell = (
        (first, lasting, Part.OPENED, MessageKind.OPENED, 2, AlertError.BOT_BLOCKED),
        (first, ended, Part.OPENED, MessageKind.OPENED, 2, None),
        (other, ended, Part.OPENED, MessageKind.OPENED, 4, None),
        (first, ended, Part.CLOSED, MessageKind.CLOSED, 2, None),
        (first, server, Part.OPENED, MessageKind.OPENED, 2, None),
        (first, server, Part.CLOSED, MessageKind.CLOSED, 2, None),
    )
    for number, (user, alert, part, kind, address_id, error) in enumerate(tell):
        told_at = alert.opened_at + timedelta(minutes=5 if part is Part.OPENED else 14)
        message = AlertMessage(
            message_id=f"msg_{number}",
            user_id=user.id,
            kind=kind.value,
            created_at=told_at,
            due_at=told_at,
            attempts=1,
            sent_at=None if error else told_at,
            sent_by=None if error else address_id,
            error=error,
        )
        session.add(message)
        session.flush()
        session.add(AlertMessagePart(message_id=message.id, alert_id=alert.id, part=part.value))


def _address(
    user: User,
    position: int,
    kind: AddressKind,
    label: str,
    confirmed_at: datetime | None,
    error: AlertError | None,
) -> AlertAddress:
    return AlertAddress(
        user_id=user.id,
        kind=kind.value,
        target="nothing",
        label=label,
        position=position,
        created_at=datetime.now(UTC),
        confirmed_at=confirmed_at,
        last_error=error,
        last_sent_at=None if confirmed_at is None else confirmed_at - timedelta(hours=2),
    )


def _alert(
    session: Session,
    condition: Condition,
    company_id: int | None,
    webhook_id: int | None,
    now: datetime,
    hours: float,
    minutes: float | None,
) -> Alert:
    """Add an alert that began some hours ago, and lasted minutes if it is over."""
    since = now - timedelta(hours=hours)
    alert = Alert(
        condition=condition.value,
        company_id=company_id,
        webhook_id=webhook_id,
        since=since,
        opened_at=since,
        reason=None if webhook_id is None else DeliveryReason.FAILED_STATUS.value,
        status=None if webhook_id is None else 503,
        closed_at=None if minutes is None else since + timedelta(minutes=minutes),
    )
    session.add(alert)
    session.flush()
    return alert
