"""What a guest sees: the connection with its gaps, the webhooks with their outages, the month.

No event, payload, answer, address or secret is read here, and the templates link to nothing else.
"""

from __future__ import annotations

from typing import Any

from flask import Response, abort, render_template, url_for
from sqlalchemy.orm import Session

from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.troubles.rates import rates
from webhookproxy.web.connection.gaps import gaps_of_a_day
from webhookproxy.web.connection.panel import is_never_connected, shown_now
from webhookproxy.web.guests import door
from webhookproxy.web.guests.door import invited, link_of_cookie, over
from webhookproxy.web.month.page import month_page
from webhookproxy.web.outages.listing import latest_outages
from webhookproxy.web.shared import figures, live
from webhookproxy.web.shared.access import public
from webhookproxy.web.webhooks.words import shown_webhook

blueprint = door.blueprint

OUTAGES_SHOWN = 10
_PARTS = {"situacao": "guests/_situation.html"}


@blueprint.get("")
@public
def show() -> str | tuple[str, int]:
    """Show the state of the company that the guest was invited to."""
    company = _company()
    if company is None:
        return over()
    live_url = url_for("guests.watch")
    return render_template("guests/show.html", live_url=live_url, **_facts(db.session(), company))


@blueprint.get("/ao-vivo")
@public
def watch() -> Response | tuple[str, int]:
    """Stream that page as it changes, until the link is over."""
    link = link_of_cookie()
    if link is None:
        return over()
    return live.stream(_watched, _PARTS, frozenset({link.company_id}), guest=link.token_hash)


def _watched() -> dict[str, Any]:
    """Return what the page shows now. Answers 404 when the link is over."""
    link = link_of_cookie()
    company = None if link is None else db.session.get(Company, link.company_id)
    if company is None:
        abort(404)
    return _facts(db.session(), company)


@blueprint.get("/mes")
@public
def month() -> str | tuple[str, int]:
    """Show the company's month, without the names of its events."""
    company = _company()
    return over() if company is None else month_page(company, guest=True)


def _company() -> Company | None:
    link = invited()
    return None if link is None else db.session.get(Company, link.company_id)


def _facts(session: Session, company: Company) -> dict[str, Any]:
    webhooks = live_webhooks(session, [company.id])
    return {
        "company": company,
        "guest": True,
        "never_connected": is_never_connected(company),
        "shown": shown_now(session, [company])[company.id],
        "gaps": gaps_of_a_day(session, company.id),
        "webhooks": [shown_webhook(each, company.timezone) for each in webhooks],
        "outages": latest_outages(session, webhooks, company.timezone, 1, OUTAGES_SHOWN),
        "rates": rates(session, [each.id for each in webhooks], figures.this_hour() - 23),
    }
