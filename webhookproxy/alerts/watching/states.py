"""What is wrong now: the states of all companies and webhooks that are watched, as stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import gevent
from sqlalchemy import bindparam, or_, select, text
from sqlalchemy.orm import Session, contains_eager, joinedload

from webhookproxy.alerts.conditions import EXPIRY_DAYS, Condition
from webhookproxy.events.silence import LEAST_MINUTES
from webhookproxy.models import Company, Connection, Webhook
from webhookproxy.models.companies import tokens_later
from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.models.webhooks import secrets_later
from webhookproxy.reasons import ConnectionState
from webhookproxy.troubles.now import TroubleKind, trouble_of, works_since
from webhookproxy.troubles.silence import Usuals, odd_silences

# Webhooks that are read before others have their turn.
AT_ONCE = 25
# A gap that ended longer ago is not told of.
GAP_RECENT = timedelta(hours=1)

_COMPANIES = text(
    "SELECT c.id, n.state, n.reason, n.since, n.refused_since, c.token_expires_at,"
    " (SELECT CASE WHEN g.ended_at IS NULL THEN g.started_at END FROM gaps g"
    " WHERE g.company_id = c.id ORDER BY g.started_at DESC LIMIT 1) AS gap_began"
    " FROM companies c JOIN connections n ON n.company_id = c.id"
    " WHERE c.deleted_at IS NULL AND c.should_connect"
    " AND (n.state <> 'connected' OR c.token_expires_at < :soon) ORDER BY c.id"
)
_GAPS = text(
    "SELECT c.id, g.started_at, g.ended_at, g.reason FROM companies c"
    " JOIN connections n ON n.company_id = c.id JOIN gaps g ON g.id ="
    " (SELECT o.id FROM gaps o WHERE o.company_id = c.id ORDER BY o.started_at DESC LIMIT 1)"
    " WHERE c.deleted_at IS NULL AND n.state = 'connected' AND n.since > :recent"
    " AND g.ended_at > :recent AND g.ended_at - g.started_at >= :least"
)
_WEBHOOKS = text(
    "SELECT w.id FROM webhooks w JOIN webhook_health h ON h.webhook_id = w.id"
    " JOIN companies c ON c.id = w.company_id WHERE w.id > :after AND w.deleted_at IS NULL"
    " AND c.deleted_at IS NULL AND (w.paused_reason IS NOT NULL OR h.circuit_opened_at IS NOT NULL"
    " OR h.failures_since IS NOT NULL OR h.refusing_since IS NOT NULL"
    " OR h.behind_since IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM alerts a WHERE a.webhook_id = w.id AND a.closed_at IS NULL))"
    " ORDER BY w.id LIMIT :most"
)
_OF_TROUBLE: Mapping[TroubleKind, Condition] = MappingProxyType(
    {
        TroubleKind.FAILING: Condition.WEBHOOK_FAILING,
        TroubleKind.PAUSED: Condition.WEBHOOK_PAUSED,
        TroubleKind.REFUSING: Condition.WEBHOOK_REFUSING,
        TroubleKind.BEHIND: Condition.WEBHOOK_BEHIND,
    }
)


class Subject(NamedTuple):
    """What is in a state: a company, a webhook, or without both the installation."""

    condition: Condition
    company_id: int | None = None
    webhook_id: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Since when and why. `ended` is set for what is told of only when it is over.

    Of a state that `may_go_on`, the end is not sure yet: an open alert stays open, but none begins.
    """

    since: datetime
    reason: str | None = None
    status: int | None = None
    ended: datetime | None = None
    may_go_on: bool = False


def states_now(session: Session, now: datetime) -> dict[Subject, State]:
    """Return the states of all companies and webhooks that are wrong now."""
    return dict([*_companies(session, now), *_webhooks(session, now)])


def gaps_now(session: Session, now: datetime, least: timedelta) -> dict[Subject, State]:
    """Return the gaps that ended lately and were at least so long, by company."""
    given = {"recent": to_ms(now - GAP_RECENT), "least": round(least.total_seconds() * 1000)}
    return {
        Subject(Condition.GAP, row.id): State(
            from_ms(row.started_at), row.reason, ended=from_ms(row.ended_at)
        )
        for row in session.execute(_GAPS, given)
    }


def silences_now(session: Session, usuals: Usuals, now: datetime) -> dict[Subject, State]:
    """Return the connected companies that are silent when they usually are not."""
    quiet = now - timedelta(minutes=LEAST_MINUTES)
    query = (
        select(Company)
        .join(Connection, Connection.company_id == Company.id)
        .where(
            Company.deleted_at.is_(None),
            Company.should_connect,
            Connection.state == ConnectionState.CONNECTED.value,
            Connection.since < quiet,
            or_(Connection.last_event_at.is_(None), Connection.last_event_at < quiet),
            Company.id > bindparam("after"),
        )
        .options(contains_eager(Company.connection), *tokens_later())
        .order_by(Company.id)
        .limit(AT_ONCE)
    )
    found: dict[Subject, State] = {}
    after = 0
    while True:
        companies = session.scalars(query, {"after": after}).all()
        odd = odd_silences(session, companies, usuals, now.timestamp())
        found |= {
            Subject(Condition.SILENCE, company_id): State(each.since)
            for company_id, each in odd.items()
        }
        if len(companies) < AT_ONCE:
            return found
        after = companies[-1].id
        session.expunge_all()


def _companies(session: Session, now: datetime) -> Iterator[tuple[Subject, State]]:
    warned = timedelta(days=EXPIRY_DAYS)
    rows = session.execute(_COMPANIES, {"soon": to_ms(now + warned)}).all()
    gevent.sleep(0)
    for row in rows:
        if row.token_expires_at is not None and from_ms(row.token_expires_at) < now + warned:
            began = from_ms(row.token_expires_at) - warned
            yield Subject(Condition.TOKEN_EXPIRES, row.id), State(began)
        if row.refused_since is not None:
            since = from_ms(row.refused_since)
            yield Subject(Condition.TOKEN_REFUSED, row.id), State(since, row.reason)
        elif row.state != "connected":
            since = from_ms(row.gap_began or row.since)
            yield Subject(Condition.CONNECTION_LOST, row.id), State(since, row.reason)


def _webhooks(session: Session, now: datetime) -> Iterator[tuple[Subject, State]]:
    after = 0
    options = joinedload(Webhook.health), *secrets_later()
    while True:
        ids = session.execute(_WEBHOOKS, {"after": after, "most": AT_ONCE}).scalars().all()
        if ids:
            for webhook in session.scalars(
                select(Webhook).where(Webhook.id.in_(ids)).options(*options)
            ):
                yield from _states_of(webhook, now)
            session.expunge_all()
        # SQLite does not yield: many webhooks must not hold up the sockets.
        gevent.sleep(0)
        if len(ids) < AT_ONCE:
            return
        after = ids[-1]


def _states_of(webhook: Webhook, now: datetime) -> Iterator[tuple[Subject, State]]:
    trouble = trouble_of(webhook, now)
    if trouble is not None:
        subject = Subject(_OF_TROUBLE[trouble.kind], webhook.company_id, webhook.id)
        reason = None if trouble.reason is None else trouble.reason.value
        yield subject, State(trouble.since, reason, trouble.status)
    failing = webhook.health.failing_since
    is_failing = trouble is not None and trouble.kind is TroubleKind.FAILING
    if failing is None or is_failing or webhook.paused_at is not None:
        return
    # A success just now, which failures within a minute would undo.
    if webhook.health.working_since is not None and works_since(webhook.health, now) is None:
        subject = Subject(Condition.WEBHOOK_FAILING, webhook.company_id, webhook.id)
        yield subject, State(failing, may_go_on=True)
