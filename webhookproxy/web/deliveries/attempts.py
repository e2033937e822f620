"""The failed attempts of webhooks, newest first: what the receivers answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from sqlalchemy import text
from sqlalchemy.orm import Session

from webhookproxy.extensions import db
from webhookproxy.models.deliveries.tables import NOT_ACCEPTED
from webhookproxy.troubles.answers import first_line
from webhookproxy.web.deliveries.list_filter import Filter
from webhookproxy.web.deliveries.words import attempt_words
from webhookproxy.web.shared.access import readers, sees_personal
from webhookproxy.web.shared.address import digits

blueprint = Blueprint("attempts", __name__)

PAGE = 50
# SQLite takes 500 selects in a UNION.
_PARTS_MAX = 100
# Enough of an answer for its first line.
_ANSWER = 600
_SHOWN = (
    "SELECT a.delivery_id, a.number, a.started_ms, a.duration_ms, a.status, a.reason, a.detail,"
    f" substr(a.answer, 1, {_ANSWER}) AS answer, a.probe, a.webhook_id, d.state AS state,"
    " COALESCE((SELECT e.name FROM events e WHERE e.id = d.event_id), '') AS event"
    " FROM attempts a JOIN deliveries d ON d.id = a.delivery_id"
    " WHERE a.delivery_id = :delivery AND a.number = :number"
)


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One failed attempt of a list; `line` is the first line of the answer, if it may be seen."""

    delivery_id: int
    number: int
    started_ms: int
    duration_ms: int
    status: int | None
    what: str
    line: str
    probe: bool
    webhook_id: int
    state: str
    event: str


@blueprint.get("/entregas/tentativas")
@readers
def index() -> str:
    """List the failed attempts of one webhook, of a company, or of all, newest first."""
    chosen = Filter.read(request.args, db.session())
    before = request.args.get("ate", "")
    wanted = chosen.wanted().webhooks
    rows, older = failed_attempts(db.session(), wanted, digits(before, 15) if before else None)
    return render_template(
        "deliveries/attempts.html", chosen=chosen, rows=rows, older=older, before=before
    )


def failed_attempts(
    session: Session, webhooks: Collection[int], before_ms: int | None, count: int = PAGE
) -> tuple[list[FailedAttempt], int | None]:
    """Return the newest failed attempts that began before a moment, and where older ones begin.

    The second value is None if none is older. Attempts of the same millisecond stay on one page.
    """
    keys = _keys(session, sorted(webhooks), before_ms, count + 1)
    older = None
    if len(keys) > count:
        cut = keys[count].started_ms
        whole = [key for key in keys[:count] if key.started_ms > cut]
        # More than a page of them in one millisecond: then the page is full, and the rest is lost.
        keys = whole or keys[:count]
        older = keys[-1].started_ms
    sees = sees_personal()
    found = (_attempt(session, key.delivery_id, key.number, sees=sees) for key in keys)
    return [each for each in found if each is not None], older


@dataclass(frozen=True, slots=True)
class _Key:
    started_ms: int
    delivery_id: int
    number: int


def _keys(
    session: Session, webhooks: Sequence[int], before_ms: int | None, count: int
) -> list[_Key]:
    """Return the newest of all webhooks: each is read alone, by its index."""
    limit = "" if before_ms is None else f" AND started_ms < {int(before_ms)}"
    found: list[_Key] = []
    for start in range(0, len(webhooks), _PARTS_MAX):
        # Only our own numbers and words go into this text.
        parts = " UNION ALL ".join(
            "SELECT * FROM (SELECT started_ms, delivery_id, number FROM attempts"
            f" WHERE webhook_id = {int(each)} AND {NOT_ACCEPTED}{limit}"
            f" ORDER BY started_ms DESC LIMIT {int(count)}) p"
            for each in webhooks[start : start + _PARTS_MAX]
        )
        found += (_Key(*row) for row in session.execute(text(parts)))
        found.sort(key=lambda key: (-key.started_ms, -key.delivery_id, -key.number))
        del found[count:]
    return found


def _attempt(
    session: Session, delivery_id: int, number: int, *, sees: bool
) -> FailedAttempt | None:
    row = session.execute(text(_SHOWN), {"delivery": delivery_id, "number": number}).one_or_none()
    if row is None:
        return None
    return FailedAttempt(
        row.delivery_id,
        row.number,
        row.started_ms,
        row.duration_ms,
        row.status,
        # Where a redirect leads may hold a secret of the receiver.
        attempt_words(row.reason, row.status, row.detail if sees else None),
        first_line(row.answer) if sees else "",
        bool(row.probe),
        row.webhook_id,
        row.state,
        row.event,
    )
