"""A company's month on one page, to print or keep: the uptime, the events, the deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.extensions import db
from webhookproxy.models import Company, Gap
from webhookproxy.models.recovery.recoveries import recoveries_of
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.troubles.recovered import recovery_words
from webhookproxy.web.charts.pages import days_chart
from webhookproxy.web.month.figures import arrivals_in, ended_in
from webhookproxy.web.month.period import Month
from webhookproxy.web.month.uptime import uptime
from webhookproxy.web.outages.listing import list_outages
from webhookproxy.web.shared import figures
from webhookproxy.web.shared.access import company_or_404, readers

blueprint = Blueprint("month", __name__)

# Gaps that are listed; the sums count all of them.
GAPS_SHOWN = 60
OUTAGES_SHOWN = 60


@blueprint.get("/empresas/<company:company_id>/mes")
@readers
def show(company_id: int) -> str:
    """Show the month that the address names, or the current one."""
    return month_page(company_or_404(company_id))


def month_page(company: Company, *, guest: bool = False) -> str:
    """Return the month that the address names, or the current one. 404 for what is no month.

    For a guest it has neither links to other pages nor the names of events.
    """
    now, month = utc_now(), asked_month(company)
    running = Month.of(now, company.timezone)
    oldest = Month.of(company.created_at, company.timezone)
    given = {
        "company": company,
        "guest": guest,
        "month": month,
        "earlier": month.moved(-1) if oldest.text < month.text else None,
        "later": month.moved(1) if month.text < running.text else None,
        "running": running,
        "is_running": month == running,
    }
    if not oldest.text <= month.text <= running.text:
        return render_template("month/none.html", oldest=oldest, **given)
    return render_template("month/show.html", **given, **_facts(company, month, now, guest=guest))


def asked_month(company: Company) -> Month:
    """Return the month that the address names, or the current one. 404 for what is no month."""
    text = request.args.get("mes", "")
    month = Month.read(text, company.timezone) if text else None
    if text and month is None:
        abort(404)
    return month or Month.of(utc_now(), company.timezone)


def _facts(company: Company, month: Month, now: datetime, *, guest: bool) -> dict[str, Any]:
    session = db.session()
    until = min(month.ends, now)
    up = uptime(session, company, month.begins, until)
    arrivals = arrivals_in(session, company.id, month)
    webhooks = live_webhooks(session, [company.id])
    ended = ended_in(session, webhooks, month)
    totals: Counter[str] = sum((each.counts for each in ended), Counter())
    buckets: Counter[int] = sum((each.buckets for each in ended), Counter())
    return {
        "until": until,
        "now": now,
        "uptime": up,
        "gaps": _rows(session, company.id, up.gaps[:GAPS_SHOWN], until),
        "outages": list_outages(
            session, webhooks, company.timezone, month.begins, until, OUTAGES_SHOWN
        ),
        "arrivals": arrivals,
        "by_day": days_chart(arrivals.days, month.timezone, None if guest else company.id),
        "ended": ended,
        "delivered": totals["delivered"],
        "failed": sum(totals[outcome] for outcome in figures.FAILED),
        "latency": figures.latency_of(buckets),
    }


def _rows(
    session: Session, company_id: int, gaps: Sequence[Gap], until: datetime
) -> list[tuple[Gap, timedelta, str]]:
    """Return each gap with how long it lasted, why, and how many of its calls came back."""
    spans = [(gap.started_at, gap.ended_at or until) for gap in gaps]
    times = [(to_ms(first), to_ms(last)) for first, last in spans]
    back = recoveries_of(session, company_id, times)
    return [
        (gap, last - first, f"{gap.why} {recovery_words(each)}".strip())
        for gap, (first, last), each in zip(gaps, spans, back, strict=True)
    ]
