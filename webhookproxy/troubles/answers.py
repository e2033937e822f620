"""The last failed attempt of webhooks in trouble: what the receiver answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webhookproxy.models import Attempt
from webhookproxy.models.deliveries.tables import Delivery
from webhookproxy.reasons import ACCEPTING
from webhookproxy.troubles.now import Trouble

# Of the first line of an answer this many characters are shown.
LINE_MAX = 200
# Answers of more webhooks are not read at once.
ANSWERS_MAX = 50


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """One failed attempt. `line` is the first line of the answer, "" if none came.

    It may hold personal data, as everything that a receiver answers.
    """

    delivery_id: int
    number: int
    started_ms: int
    status: int | None
    reason: str
    detail: str | None
    line: str


def last_answers(session: Session, troubles: Iterable[Trouble]) -> dict[int, LastAnswer]:
    """Return the last failed attempt of each, by the webhook's number, read by primary key.

    It is missing if the purge took the delivery. Only the first ANSWERS_MAX are read.
    """
    asked = [each for each in troubles if each.delivery_id is not None][:ANSWERS_MAX]
    found: dict[int, LastAnswer] = {}
    for trouble in asked:
        query = (
            select(Attempt)
            .join(Delivery, Delivery.id == Attempt.delivery_id)
            .where(
                Attempt.delivery_id == trouble.delivery_id,
                Delivery.webhook_id == trouble.webhook_id,
                Attempt.reason.not_in([reason.value for reason in ACCEPTING]),
            )
            .order_by(Attempt.number.desc())
            .limit(1)
        )
        attempt = session.scalar(query)
        if attempt is not None:
            found[trouble.webhook_id] = _answer(attempt)
    return found


def _answer(attempt: Attempt) -> LastAnswer:
    return LastAnswer(
        attempt.delivery_id,
        attempt.number,
        attempt.started_ms,
        attempt.status,
        attempt.reason,
        attempt.detail,
        first_line(attempt.answer),
    )


def first_line(answer: str | None) -> str:
    """Return the first line of an answer that is not blank, cut to LINE_MAX characters."""
    lines = (line.strip() for line in (answer or "").splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…"
