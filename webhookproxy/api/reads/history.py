"""What happened to a company: times without a socket, outages of its webhooks, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.shared.access import company_of
from webhookproxy.api.shared.ids import Time, WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.paging import PAGE_MAX, Page, PageQuery
from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Alert, Gap, Recovery
from webhookproxy.models.outages import outages_of
from webhookproxy.models.recovery.recoveries import recoveries_of
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.troubles.recovered import recovery_words

operations = Operations("history", "Histórico")

R = TypeVar("R", Gap, Alert)


class CallsAnswer(BaseModel):
    """How many calls of a gap came back from the records of 3C Plus; `trouble`: why not all did."""

    state: str
    recovered: int
    trouble: str | None
    said: str


class GapAnswer(BaseModel):
    """A time without a socket although one was wished; `ended_at` null: it lasts.

    `recovered`: the server sent its events again, so that none is lost. `calls` null: 3C Plus was
    not asked for its calls.
    """

    started_at: Time
    ended_at: Time | None
    reason: str
    why: str
    recovered: bool
    calls: CallsAnswer | None


class GapPage(Page):
    """A page of gaps, the newest first."""

    items: list[GapAnswer]


@operations.reads("/companies/<company>/gaps", GapPage, "Lista as lacunas da conexão")
def list_gaps(path: CompanyPath, query: PageQuery) -> GapPage:
    """List the times in which a company had no socket."""
    company_of(path.company)
    shown, next_cursor = _newest(Gap, Gap.started_at, path.company, query)
    now = utc_now()
    spans = [(to_ms(gap.started_at), to_ms(gap.ended_at or now)) for gap in shown]
    back = recoveries_of(db.session(), path.company, spans)
    return GapPage(
        items=[
            GapAnswer(
                started_at=gap.started_at,
                ended_at=gap.ended_at,
                reason=gap.reason,
                why=gap.why,
                recovered=gap.recovered,
                calls=_calls(found),
            )
            for gap, found in zip(shown, back, strict=True)
        ],
        next_cursor=next_cursor,
    )


def _calls(found: Recovery | None) -> CallsAnswer | None:
    if found is None:
        return None
    return CallsAnswer(
        state=found.state,
        recovered=found.recovered,
        trouble=found.trouble,
        said=recovery_words(found),
    )


def _newest(
    table: type[R], at: InstrumentedAttribute[datetime], company_id: int, query: PageQuery
) -> tuple[Sequence[R], str | None]:
    """Return a page of a company's rows, the newest first, and the cursor for the next one."""
    wanted = select(table).where(table.company_id == company_id)
    if (place := query.after_moment()) is not None:
        moment, number = place
        wanted = wanted.where(or_(at < moment, and_(at == moment, table.id < number)))
    newest = wanted.order_by(at.desc(), table.id.desc()).limit(query.limit + 1)
    rows = db.session.scalars(newest).all()
    return query.cut(rows, lambda row: (to_ms(getattr(row, at.key)), row.id))


class DaysQuery(Given):
    """How far back."""

    days: Annotated[int, Field(ge=1, le=400, description="Dias para trás.")] = 7


class OutageAnswer(BaseModel):
    """A time in which a webhook was failing, refusing or paused, and what it missed.

    `waited` deliveries arrived or waited in that time; `is_cut`: there were more than were counted.
    """

    webhook_id: WebhookId
    kind: str
    reason: str
    status: int | None
    began_at: Time
    ended_at: Time | None
    waited: int
    delivered: int
    missed: int
    calls: int
    is_cut: bool


class OutageList(BaseModel):
    """The newest outages; `is_cut`: there were more than these."""

    items: list[OutageAnswer]
    is_cut: bool


@operations.reads("/companies/<company>/outages", OutageList, "Lista as quedas dos webhooks")
def list_outages(path: CompanyPath, query: DaysQuery) -> OutageList:
    """List the outages of a company's webhooks."""
    company_of(path.company)
    session, now = db.session(), utc_now()
    ids = [webhook.id for webhook in live_webhooks(session, [path.company])]
    rows = outages_of(session, ids, now - timedelta(days=query.days), now, PAGE_MAX + 1)
    return OutageList(
        items=[
            OutageAnswer(
                webhook_id=row.webhook_id,
                kind=row.kind,
                reason=row.reason,
                status=row.status,
                began_at=row.began_at,
                ended_at=row.ended_at,
                waited=row.waited,
                delivered=row.delivered,
                missed=row.missed,
                calls=row.calls,
                is_cut=row.is_cut,
            )
            for row in rows[:PAGE_MAX]
        ],
        is_cut=len(rows) > PAGE_MAX,
    )


class AlertAnswer(BaseModel):
    """A state that people are told of, from its beginning to its end."""

    condition: str
    webhook_id: WebhookId | None
    since: Time
    closed_at: Time | None
    ending: str | None
    reason: str | None
    status: int | None


class AlertPage(Page):
    """A page of alerts, the newest first."""

    items: list[AlertAnswer]


@operations.reads("/companies/<company>/alerts", AlertPage, "Lista os avisos de uma empresa")
def list_alerts(path: CompanyPath, query: PageQuery) -> AlertPage:
    """List the alerts of a company."""
    company_of(path.company)
    shown, next_cursor = _newest(Alert, Alert.since, path.company, query)
    return AlertPage(
        items=[
            AlertAnswer(
                condition=alert.condition,
                webhook_id=alert.webhook_id,
                since=alert.since,
                closed_at=alert.closed_at,
                ending=alert.ending,
                reason=alert.reason,
                status=alert.status,
            )
            for alert in shown
        ],
        next_cursor=next_cursor,
    )
