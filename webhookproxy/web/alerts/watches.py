"""What a user is told of, in all companies or in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.alerts.conditions import CONDITIONS, EXPIRY_DAYS, About, Condition
from webhookproxy.alerts.preferences import forget_watch, set_watch, watches_of
from webhookproxy.extensions import db
from webhookproxy.models import Company
from webhookproxy.models.audit import Action, record
from webhookproxy.web.alerts.watch_form import WatchForm, watch_form
from webhookproxy.web.shared.access import (
    COMPANIES_MAX,
    account,
    actor,
    company_or_404,
    list_companies,
)

blueprint = Blueprint("alert_watches", __name__, url_prefix="/avisos/acompanhar")


@blueprint.route("", methods=["GET", "POST"])
def everywhere() -> str | Response:
    """Show what the user is told of in all companies, and store what is chosen."""
    kinds = set(About) if account().is_admin else {About.COMPANY, About.WEBHOOK}
    return _answer(None, [each for each in Condition if CONDITIONS[each].about in kinds])


@blueprint.route("/<company:company_id>", methods=["GET", "POST"])
def company(company_id: int) -> str | Response:
    """Show what the user is told of in one company, and store what is chosen."""
    of_companies = (About.COMPANY, About.WEBHOOK)
    shown = [each for each in Condition if CONDITIONS[each].about in of_companies]
    return _answer(company_or_404(company_id), shown)


def _answer(company: Company | None, shown: Sequence[Condition]) -> str | Response:
    user_id, company_id = account().id, None if company is None else company.id
    stored = watches_of(db.session(), [user_id])[user_id]
    form = watch_form(shown, stored, company_id)
    if form.validate_on_submit() and _save(form, user_id, company_id):
        flash("Salvo.")
        return redirect(request.path, code=303)
    companies = list_companies(db.session())
    return render_template(
        "alerts/watches.html",
        form=form,
        company=company,
        shown=shown,
        conditions=CONDITIONS,
        companies=companies,
        is_cut=len(companies) == COMPANIES_MAX,
        expiry_days=EXPIRY_DAYS,
        here=url_for("alert_watches.everywhere"),
    )


def _save(form: WatchForm, user_id: int, company_id: int | None) -> bool:
    who = actor()

    def act(session: Session, typed: dict[str, Any]) -> int:
        stored = watches_of(session, [user_id])[user_id].chosen
        # In all companies this is the default, which no row says too.
        default = (True, None) if company_id is None else None
        wished = {
            Condition(name): None if typed[name] == default else typed[name] for name in typed
        }
        changed = [each for each in wished if wished[each] != stored.get((each, company_id))]
        for condition in changed:
            chosen = wished[condition]
            if chosen is None:
                forget_watch(session, user_id, condition, company_id)
                continue
            is_on, minutes = chosen
            set_watch(session, user_id, condition, company_id, is_on=is_on, minutes=minutes)
        if changed:
            about: dict[str, Any] = {"company_id": company_id, "detail": " ".join(changed)}
            record(session, who, Action.ALERTS_CHANGED, **about)
        return user_id

    return form.save(act) is not None
