"""The recovery of a company's calls on demand: counted first, and then confirmed."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import ms_now
from webhookproxy.extensions import db
from webhookproxy.models import Recovery
from webhookproxy.models.recovery.asking import ask, confirm
from webhookproxy.models.recovery.recoveries import HOUR_MS, RecoveryState, last_sweep
from webhookproxy.rules.platform import rest_base
from webhookproxy.troubles.recovered import recovery_words, sweep_words
from webhookproxy.web.shared.access import actor, company_or_404
from webhookproxy.web.shared.address import digits
from webhookproxy.web.shared.forms import policy, write, write_or_say

blueprint = Blueprint("recovery", __name__)

# The times that can be asked for: their words, and the hours.
SINCE = {
    "hora": ("na última hora", 1),
    "dia": ("nas últimas 24 horas", 24),
    "semana": ("nos últimos 7 dias", 7 * 24),
    "mes": ("nos últimos 30 dias", 30 * 24),
}
# Requests of a company that the page shows.
SHOWN = 20


class ShownRecovery(NamedTuple):
    """A request, and its result in words."""

    recovery: Recovery
    words: str
    may_confirm: bool


@blueprint.get("/empresas/<company:company_id>/recuperar")
def show(company_id: int) -> str:
    """List the last requests, and offer to count the calls that are missing."""
    company = company_or_404(company_id)
    newest = (
        select(Recovery)
        .where(Recovery.company_id == company_id)
        # The last sweep has its own line, and most find nothing.
        .where(or_(Recovery.sweep.is_(False), Recovery.recovered > 0))
        .order_by(Recovery.id.desc())
        .limit(SHOWN)
    )
    found = db.session.scalars(newest).all()
    sweep = last_sweep(db.session(), company_id) if company.sweep_calls else None
    return render_template(
        "connection/recover.html",
        company=company,
        since=SINCE,
        has_address=bool(rest_base(company.socket_url, company.rest_url, policy())),
        sweep=sweep,
        sweep_words=sweep_words(sweep),
        rows=[ShownRecovery(each, recovery_words(each), _may_confirm(each)) for each in found],
        is_under_way=any(each.is_under_way for each in found),
    )


@blueprint.post("/empresas/<company:company_id>/recuperar")
def count(company_id: int) -> Response:
    """Have the missing calls of a time counted."""
    company_or_404(company_id)
    chosen = SINCE.get(request.form.get("desde", ""))
    if chosen is None:
        abort(400)
    now_ms, who = ms_now(), actor()

    def job(session: Session) -> int:
        return ask(session, company_id, now_ms - chosen[1] * HOUR_MS, now_ms, who)

    write_or_say(job, company_id)
    return redirect(url_for("recovery.show", company_id=company_id), code=303)


@blueprint.post("/empresas/<company:company_id>/recuperar/confirmar")
def recover(company_id: int) -> Response:
    """Have what was counted recovered."""
    company_or_404(company_id)
    number, who = digits(request.form.get("pedido", "")), actor()
    asked = db.session.get(Recovery, number)
    if asked is None or asked.company_id != company_id:
        abort(404)
    recovery_id = asked.id
    write(lambda session: confirm(session, recovery_id, who), company_id)
    return redirect(url_for("recovery.show", company_id=company_id), code=303)


def _may_confirm(recovery: Recovery) -> bool:
    return recovery.state == RecoveryState.COUNTED and recovery.missing > 0
