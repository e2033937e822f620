"""The facts on the page of one delivery: its state in words, its request, its attempts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from webhookproxy.delivery.sending.request import curl_command, stored_request
from webhookproxy.extensions import db
from webhookproxy.models import Attempt, Delivery, Event, Webhook
from webhookproxy.reasons import ACCEPTING
from webhookproxy.rules import Refused
from webhookproxy.web.deliveries.words import attempt_words, next_ms, shown_words, since_ms, waits
from webhookproxy.web.shared.access import company_or_404, delivery_or_404, sees_personal
from webhookproxy.web.shared.formats import pretty

# An hourly schedule makes some 170 attempts in the longest `max_age`. Answers have up to 16 KB:
# only those of the newest attempts, and of the one that is asked for, are shown.
ATTEMPTS_MAX = 250
SIBLINGS_MAX = 50
ANSWERS_MAX = 5
ANSWER_CUT = 16_000
# A longer body is not put on the page (whole, formatted and in a command), but downloaded.
BODY_MAX = 64_000


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One attempt; `answer` None: it is not on this page, but can be asked for.

    `headers` are those of the answer, "" for a success.
    `reformatted`: someone resent the event in another format than that of the first attempt.
    """

    number: int
    started_ms: int
    duration_ms: int
    status: int | None
    accepted: bool
    probe: bool
    what: str
    reformatted: bool
    answer: str | None
    headers: str
    is_cut: bool
    is_open: bool


def situation(delivery_id: int, chosen: int | None) -> dict[str, Any]:
    """Return what changes while a delivery waits; `chosen` is the attempt that is asked for."""
    delivery, event, webhook = delivery_or_404(delivery_id)
    company = company_or_404(webhook.company_id)
    waiting = waits(delivery)
    return {
        "delivery": delivery,
        "event": event,
        "webhook": webhook,
        "company": company,
        "waits": waiting,
        "paused": waiting and webhook.paused_at is not None,
        "since_ms": since_ms(delivery, webhook, event.received_ms),
        "next_ms": next_ms(delivery, webhook),
        "words": shown_words(delivery, webhook, company.timezone, event.received_ms),
        "attempts": _attempts(db.session(), delivery_id, chosen),
        "may_reformat": bool(
            delivery.attempts and (delivery.format_number or 0) != webhook.format_number
        ),
        "chosen": chosen,
        "siblings": _siblings(event, delivery),
        "siblings_max": SIBLINGS_MAX,
    }


def _attempts(session: Session, delivery_id: int, chosen: int | None) -> list[ShownAttempt]:
    """Return the attempts, newest first."""
    rows = session.execute(
        select(
            Attempt.number,
            Attempt.started_ms,
            Attempt.duration_ms,
            Attempt.status,
            Attempt.reason,
            Attempt.detail,
            Attempt.probe,
            Attempt.format_number,
        )
        .where(Attempt.delivery_id == delivery_id)
        .order_by(Attempt.number.desc())
        .limit(ATTEMPTS_MAX)
    ).all()
    answers = _answers(session, delivery_id, [row.number for row in rows[:ANSWERS_MAX]], chosen)
    shown = sees_personal()
    newest = chosen if chosen is not None or not rows else rows[0].number
    return [
        ShownAttempt(
            number=row.number,
            started_ms=row.started_ms,
            duration_ms=row.duration_ms,
            status=row.status,
            accepted=row.reason in ACCEPTING,
            probe=row.probe,
            what=attempt_words(row.reason, row.status, row.detail if shown else None),
            reformatted=row.format_number != rows[-1].format_number,
            answer=answer,
            headers=headers,
            is_cut=len(answer or "") >= ANSWER_CUT,
            is_open=row.number == newest,
        )
        for row in rows
        for answer, headers in [answers.get(row.number, (None, ""))]
    ]


def _answers(
    session: Session, delivery_id: int, newest: list[int], chosen: int | None
) -> dict[int, tuple[str, str]]:
    """Return text and headers of some answers, by the attempt's number."""
    if not sees_personal():
        return {}
    wanted = newest if chosen is None else [*newest, chosen]
    rows = session.execute(
        select(Attempt.number, Attempt.answer, Attempt.answer_headers).where(
            Attempt.delivery_id == delivery_id, Attempt.number.in_(wanted)
        )
    )
    return {number: (answer or "", headers or "") for number, answer, headers in rows}


def request_of(delivery: Delivery, chosen: int | None) -> dict[str, Any]:
    """Return the request of an attempt (None: of the last or the next one), without secrets.

    It is None for a user who may not see the personal data in it.
    """
    if not sees_personal():
        return {"shown_request": None, "problem": ""}
    try:
        shown = stored_request(db.session(), delivery, chosen)
    except Refused as refused:
        problem = " ".join(each.portuguese for each in refused.problems)
        return {"shown_request": None, "problem": problem}
    size = len(shown.body.encode())
    short = size <= BODY_MAX
    return {
        "shown_request": shown,
        "body_size": size,
        "pretty_body": pretty(shown.body) if short else None,
        "curl": curl_command(shown) if short else None,
    }


def _siblings(event: Event, delivery: Delivery) -> list[tuple[Delivery, Webhook]]:
    """Return the other deliveries of an event, but for those of deleted webhooks."""
    query = (
        select(Delivery, Webhook)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.event_id == event.id, Delivery.id != delivery.id)
        .where(Webhook.deleted_at.is_(None))
        .order_by(Delivery.id)
    )
    return [(row[0], row[1]) for row in db.session.execute(query.limit(SIBLINGS_MAX))]


def webhooks_of(ids: Collection[int]) -> dict[int, Webhook]:
    """Return these webhooks with their health, by number."""
    query = select(Webhook).where(Webhook.id.in_(ids)).options(joinedload(Webhook.health))
    return {webhook.id: webhook for webhook in db.session.scalars(query)}


def public_ids_of(event_ids: Collection[int]) -> dict[int, str]:
    """Return the public ids of these events, as far as they still exist, by number."""
    query = select(Event.id, Event.public_id).where(Event.id.in_(event_ids))
    return {row.id: row.public_id for row in db.session.execute(query)}
