"""What was told of a company, to whom and when, and what could not be sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, render_template
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, Condition
from webhookproxy.extensions import db
from webhookproxy.models import (
    Alert,
    AlertAddress,
    AlertMessage,
    AlertMessagePart,
    Company,
    User,
    Webhook,
)
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.reasons import Words
from webhookproxy.rules.alerts import AddressKind
from webhookproxy.web.alerts.words import KIND_NAMES, PART_NAMES, error_words
from webhookproxy.web.shared.access import account, company_or_404, readers

blueprint = Blueprint("alert_history", __name__)

# Alerts that are listed, and messages of each: a reminder comes once a day.
SHOWN = 100
MESSAGES_SHOWN = 20
UNSENT_DAYS = 3


@dataclass(frozen=True, slots=True)
class Told:
    """One message about an alert: what it told, to whom, when and by which channel.

    The channel is None if the address was removed since.
    """

    part: str
    who: str
    at: datetime
    is_sent: bool
    channel: str | None
    error: Words | None
    is_given_up: bool


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert with its messages, the oldest first."""

    alert: Alert
    label: str
    webhook: str | None
    told: Sequence[Told]


@blueprint.get("/empresas/<company:company_id>/avisos")
@readers
def show(company_id: int) -> str:
    """List the alerts of a company, the newest first."""
    company = company_or_404(company_id)
    rows = _listed(db.session(), company)
    given = {"company": company, "rows": rows[:SHOWN], "is_cut": len(rows) > SHOWN}
    return render_template("alerts/history.html", **given)


def _listed(session: Session, company: Company) -> list[ToldAlert]:
    query = (
        select(Alert, Webhook.name)
        .outerjoin(Webhook, Webhook.id == Alert.webhook_id)
        .where(Alert.company_id == company.id)
        .order_by(Alert.since.desc(), Alert.id.desc())
        .limit(SHOWN + 1)
    )
    alerts = session.execute(query).all()
    told = _told(session, [alert.id for alert, _ in alerts])
    return [
        ToldAlert(alert, _label(alert.condition), webhook, told[alert.id][:MESSAGES_SHOWN])
        for alert, webhook in alerts
    ]


def _told(session: Session, alert_ids: Sequence[int]) -> dict[int, list[Told]]:
    """Return the messages about alerts; an administrator sees those to all users."""
    query = (
        select(AlertMessagePart, AlertMessage, User.email, AlertAddress.kind)
        .join(AlertMessage, AlertMessage.id == AlertMessagePart.message_id)
        .join(User, User.id == AlertMessage.user_id)
        .outerjoin(AlertAddress, AlertAddress.id == AlertMessage.sent_by)
        .where(AlertMessagePart.alert_id.in_(alert_ids))
        .order_by(AlertMessage.created_at, AlertMessage.id)
    )
    if not account().is_admin:
        query = query.where(AlertMessage.user_id == account().id)
    found: dict[int, list[Told]] = defaultdict(list)
    for part, message, email, kind in session.execute(query):
        error = None if message.sent_at else error_words(message.error)
        found[part.alert_id].append(
            Told(
                part=PART_NAMES[Part(part.part)],
                who="você" if message.user_id == account().id else email,
                at=message.sent_at or message.created_at,
                is_sent=message.sent_at is not None,
                channel=None if kind is None else KIND_NAMES[AddressKind(kind)],
                error=error,
                is_given_up=message.given_up_at is not None,
            )
        )
    return found


def _label(code: str) -> str:
    # A newer version of the program may have stored another one.
    return CONDITIONS[Condition(code)].label if code in CONDITIONS else code


@dataclass(frozen=True, slots=True)
class Unsent:
    """What could not be told to a user since the last message that reached them."""

    count: int
    since: datetime
    why: Words


def unsent(session: Session) -> Unsent | None:
    """Return what could not be told to the user of this page; None if everything was."""
    kinds = [each.value for each in (MessageKind.TEST, MessageKind.CONFIRMATION)]
    own = (
        AlertMessage.user_id == account().id,
        AlertMessage.created_at > datetime.now(UTC) - timedelta(days=UNSENT_DAYS),
        AlertMessage.kind.not_in(kinds),
    )
    reached = session.scalar(select(func.max(AlertMessage.created_at)).where(*own, _SENT))
    query = select(AlertMessage).where(*own, ~_SENT, AlertMessage.error.is_not(None))
    if reached is not None:
        query = query.where(AlertMessage.created_at > reached)
    rows = session.scalars(query.order_by(AlertMessage.created_at).limit(SHOWN)).all()
    why = error_words(rows[-1].error) if rows else None
    return None if why is None else Unsent(len(rows), rows[0].created_at, why)


_SENT = AlertMessage.sent_at.is_not(None)
