"""What is stored of a person, for administrators: found by a number, and taken out (LGPD).

The number travels in forms only, so that no address, log or history of a browser has it.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from sqlalchemy import select

from webhookproxy.extensions import db
from webhookproxy.maintenance import privacy
from webhookproxy.maintenance.personal import PersonalNumber, read_number
from webhookproxy.models import Company
from webhookproxy.rules import Refused
from webhookproxy.web.admin.privacy_forms import NumberForm
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import account, actor, administrators

logger = logging.getLogger(__name__)
blueprint = Blueprint("privacy", __name__)

_SETTINGS = {
    "name": "nome",
    "threec_id": "ID 3C Plus",
    "agent_id": "ID do agente",
    "socket_url": "endereço do socket",
    "url": "URL",
    "email": "e-mail",
    "filters": "filtros",
}
# Where a setting is changed by hand, by the word before the number.
_EDIT = {"company": "companies.edit", "webhook": "webhooks.edit", "user": "users.edit"}


@blueprint.route("/privacidade", methods=["GET", "POST"])
@administrators
def show() -> str:
    """Ask for a telephone or CPF, and say where it is."""
    form = NumberForm()
    number = _number(form)
    if number is None:
        return render_template("admin/privacy/show.html", form=form)
    return render_template("admin/privacy/found.html", form=form, **_found(number))


@blueprint.post("/privacidade/apagar")
@administrators
def expunge() -> str:
    """Say what is lost; mask the number everywhere once that is confirmed."""
    form = NumberForm()
    number = _number(form)
    if number is None:
        return render_template("admin/privacy/show.html", form=form)
    if request.form.get("confirmado") != "sim":
        return render_template("admin/privacy/confirm.html", form=form, **_found(number))
    who = actor()
    _let_go_of_the_database()
    store, search = current_app.extensions["store"], current_app.extensions["search"]
    done = privacy.expunge(store, db.engine, search, number, who)
    logger.info(
        "a person's data was masked in %s events and %s attempts", done.events, done.attempts
    )
    return render_template("admin/privacy/done.html", done=done, form=form, **_found(number))


def _number(form: NumberForm) -> PersonalNumber | None:
    """The number that was typed; None, and the reason in the form, if there is none."""
    if not form.validate_on_submit():
        return None
    throttle.limit("privacy", str(account().id))
    try:
        return read_number(str(form.number.data))
    except Refused as refused:
        form.take(refused)
        return None


def _found(number: PersonalNumber) -> dict[str, object]:
    _let_go_of_the_database()
    found = privacy.find(db.engine, number)
    companies = select(Company).where(Company.id.in_(found.companies))
    return {
        "found": found,
        "companies": {company.id: company for company in db.session.scalars(companies)},
        "settings": [_setting(each) for each in found.settings],
    }


def _let_go_of_the_database() -> None:
    # Every stored payload is read, a batch at a time: what this request read before must not keep
    # the old pages of the database alive meanwhile.
    db.session.rollback()


def _setting(found: str) -> tuple[str, str, str]:
    """What has the number in a setting: its public id, where that is changed, which setting."""
    subject, _, column = found.partition(" ")
    kind, _, number = subject.partition("_")
    ids: dict[str, Any] = {f"{kind}_id": int(number)}
    address = url_for(_EDIT[kind], **ids)
    return subject, address, _SETTINGS.get(column, column)
