"""Resends of the deliveries that were ticked in the list.

A page of the list has fifty at most, so they are queued at once, and not by a bulk resend.
"""

from __future__ import annotations

import re

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.models import Delivery, Event, Webhook
from webhookproxy.models.audit import Action, record
from webhookproxy.models.deliveries.actions import Resent, resend
from webhookproxy.models.deliveries.tables import find_delivery
from webhookproxy.rules import Refused
from webhookproxy.web.deliveries.listing import PAGE
from webhookproxy.web.shared.access import actor, delivery_or_404
from webhookproxy.web.shared.formats import plural
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("resend_selection", __name__)

_ID = re.compile(r"delivery_([1-9][0-9]{0,17})", re.ASCII)


@blueprint.route("/entregas/reenviar", methods=["GET", "POST"])
def ask() -> str | Response:
    """Show which deliveries were ticked; resend them once that is confirmed."""
    is_asked = request.method == "POST"
    chosen = _chosen((request.form if is_asked else request.args).getlist("id"))
    if not is_asked or not chosen:
        return render_template("deliveries/resends/selection.html", chosen=chosen)
    _resend(chosen)
    return redirect(url_for("deliveries.index"), code=303)


def _chosen(ids: list[str]) -> list[tuple[Delivery, Event, Webhook]]:
    """Return the deliveries, oldest first. Answers 404 if one is unknown or may not be seen."""
    found = [_ID.fullmatch(each) for each in dict.fromkeys(ids)]
    numbers = sorted(int(match[1]) for match in found if match)
    if len(numbers) != len(found) or len(numbers) > PAGE:
        abort(404)
    return [delivery_or_404(number) for number in numbers]


def _resend(chosen: list[tuple[Delivery, Event, Webhook]]) -> None:
    """Queue them, and say how many were queued."""
    who = actor()
    wanted = [(delivery.id, webhook.company_id) for delivery, _, webhook in chosen]

    def job(session: Session) -> tuple[list[Resent], set[str]]:
        done, refusals = list[Resent](), set[str]()
        for number, company_id in wanted:
            subject = f"delivery_{number}"
            try:
                done.append(resend(session, find_delivery(session, number)))
                record(session, who, Action.RESEND, company_id=company_id, subject=subject)
            except Refused as refused:
                # Nothing is written before it refuses.
                refusals |= {problem.portuguese for problem in refused.problems}
        return done, refusals

    done, refusals = write(job, *{company_id for _, company_id in wanted})
    if queued := done.count(Resent.QUEUED):
        flash(f"{plural(queued, 'entrega', 'entregas')} na fila: sua URL recebe o mesmo event_id.")
    if waited := done.count(Resent.ALREADY_WAITING):
        flash(f"{plural(waited, 'já estava', 'já estavam')} na fila: nada mudou nelas.", "warning")
    for sentence in sorted(refusals):
        flash(f"Parte não foi reenviada. {sentence}", "warning")
