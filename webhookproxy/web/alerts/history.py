"""What was told of a company or the server, to whom and when, and what could not be sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webhookproxy.alerts.conditions import CONDITIONS, Condition
from webhookproxy.alerts.telling.words import cause
from webhookproxy.alerts.told import LISTED_FOR, Telling, told_last, told_of_company
from webhookproxy.alerts.told import unsent as unsent_messages
from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Alert, Webhook
from webhookproxy.models.alerts.messages import MessageKind, Part
from webhookproxy.reasons import Words
from webhookproxy.rules.alerts import AddressKind
from webhookproxy.rules.companies import DEFAULT_TIMEZONE
from webhookproxy.web.alerts.words import KIND_NAMES, PART_NAMES, error_words
from webhookproxy.web.shared.access import account, administrators, company_or_404, readers

blueprint = Blueprint("alert_history", __name__)

# Alerts that are listed, and messages of all of them: a reminder comes once a day.
SHOWN = 100
MESSAGES_SHOWN = 2_000
# Messages that could not be sent, as far as they are counted.
UNSENT_SHOWN = 100
_ASKED_FOR = frozenset({MessageKind.TEST, MessageKind.CONFIRMATION})


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
    why: str
    webhook: str | None
    told: Sequence[Told]


@blueprint.get("/empresas/<company:company_id>/avisos")
@readers
def show(company_id: int) -> str:
    """List the alerts of a company, the newest first."""
    company = company_or_404(company_id)
    return render_template(
        "alerts/history.html", company=company, timezone=company.timezone, **_listed(company.id)
    )


@blueprint.get("/avisos/servidor")
@administrators
def installation() -> str:
    """List the alerts of the installation, the newest first."""
    return render_template("alerts/installation.html", timezone=DEFAULT_TIMEZONE, **_listed(None))


def _listed(company_id: int | None) -> dict[str, Any]:
    """Return the alerts for a page, as far as it lists them, and whether there are more."""
    rows = _told_alerts(db.session(), company_id)
    return {"rows": rows[:SHOWN], "is_cut": len(rows) > SHOWN}


def _told_alerts(session: Session, company_id: int | None) -> list[ToldAlert]:
    query = (
        select(Alert, Webhook.name)
        .outerjoin(Webhook, Webhook.id == Alert.webhook_id)
        .where(
            Alert.company_id == company_id,
            or_(Alert.closed_at.is_(None), Alert.since > utc_now() - LISTED_FOR),
        )
        .order_by(Alert.since.desc(), Alert.id.desc())
        .limit(SHOWN + 1)
    )
    # An administrator sees what was told to all users.
    user_id = None if account().is_admin else account().id
    told: dict[int, list[Told]] = defaultdict(list)
    messages = told_of_company(session, company_id, MESSAGES_SHOWN, user_id)
    for each in reversed(messages):
        told[each.alert_id].append(_told(each))
    # What was told of older ones was cut off: do not say that no one was told.
    is_cut = len(messages) == MESSAGES_SHOWN
    return [
        ToldAlert(alert, *_words(alert), webhook, told[alert.id])
        for alert, webhook in session.execute(query)
        if alert.id in told or not is_cut
    ]


def _told(each: Telling) -> Told:
    return Told(
        part=PART_NAMES[Part(each.part)],
        who="você" if each.user_id == account().id else each.user,
        at=each.sent_at or each.created_at,
        is_sent=each.sent_at is not None,
        channel=None if each.channel is None else KIND_NAMES[AddressKind(each.channel)],
        error=None if each.sent_at else error_words(each.error),
        is_given_up=each.given_up_at is not None,
    )


def _words(alert: Alert) -> tuple[str, str]:
    """Return the name of an alert's condition, and its cause; "" if its name says all."""
    if alert.condition not in CONDITIONS:
        # A newer version of the program stored it.
        return alert.condition, ""
    return CONDITIONS[Condition(alert.condition)].label, cause(alert)


@dataclass(frozen=True, slots=True)
class Unsent:
    """What could not be told to a user since the last message that reached them."""

    count: int
    since: datetime
    why: Words


def unsent(session: Session) -> Unsent | None:
    """Return what could not be told to the user of this page; None if everything was."""
    last = told_last(session, account().id)
    rows = [
        each
        for each in unsent_messages(session, account().id, UNSENT_SHOWN)
        if each.kind not in _ASKED_FOR and (last is None or each.created_at > last)
    ]
    why = error_words(rows[0].error) if rows else None
    return None if why is None else Unsent(len(rows), rows[-1].created_at, why)
