"""The data of a person, for administrators: found by a number, and masked (LGPD).

The number is only in forms, so that no address, log or history of a browser has it.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, current_app, render_template, request, url_for
from sqlalchemy import select
from wtforms import StringField
from wtforms.validators import InputRequired

from webhookproxy.extensions import db
from webhookproxy.maintenance import privacy
from webhookproxy.maintenance.personal import PersonalNumber, read_number
from webhookproxy.models import Company
from webhookproxy.rules import Refused
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import account, actor, administrators
from webhookproxy.web.shared.forms import Form

logger = logging.getLogger(__name__)
blueprint = Blueprint("privacy", __name__)

_SETTINGS = {
    "name": "nome",
    "threec_id": "ID 3C Plus",
    "agent_id": "ID do agente",
    "socket_url": "endereço do socket",
    "url": "URL",
    "email": "e-mail",
    "events": "eventos",
    "filters": "filtros",
    "body_format": "formato do corpo",
    "headers": "headers próprios",
    "success_rule": "o que conta como sucesso",
}
# Where a setting is changed by hand, by the word before the number.
_EDIT = {
    "company": "company_editing.edit",
    "webhook": "webhook_editing.edit",
    "user": "users.edit",
    "guest": "guest_links.revoke",
    "token": "api_tokens.revoke",
}


class NumberForm(Form):
    """A telephone with its area code, or a CPF."""

    number = StringField(
        "Telefone ou CPF",
        [InputRequired("Informe um telefone com DDD ou um CPF.")],
        description="Telefone com DDD (com ou sem o 55) ou CPF, com ou sem pontuação.",
        render_kw={"autocomplete": "off", "spellcheck": "false", "maxlength": "40"},
    )


@blueprint.route("/privacidade", methods=["GET", "POST"])
@administrators
def show() -> str:
    """Ask for a telephone or CPF, and show where it is stored."""
    form = NumberForm()
    number = _number(form)
    if number is None:
        return render_template("admin/privacy/show.html", form=form)
    try:
        return render_template("admin/privacy/found.html", form=form, **_found(number))
    except Refused as busy:
        return _refuse(form, busy)


@blueprint.post("/privacidade/apagar")
@administrators
def expunge() -> str:
    """Say what would be lost; mask the number everywhere once that is confirmed."""
    form = NumberForm()
    number = _number(form)
    if number is None:
        return render_template("admin/privacy/show.html", form=form)
    try:
        if request.form.get("confirmado") != "sim":
            return render_template("admin/privacy/confirm.html", form=form, **_found(number))
        done = _expunge(number)
        return render_template("admin/privacy/done.html", done=done, form=form, **_found(number))
    except Refused as busy:
        return _refuse(form, busy)


def _expunge(number: PersonalNumber) -> privacy.Expunged:
    who = actor()
    _let_go_of_the_database()
    store, search = current_app.extensions["store"], current_app.extensions["search"]
    done = privacy.expunge(store, db.engine, search, number, who)
    logger.info(
        "a person's data was masked in %s events and %s attempts", done.events, done.attempts
    )
    return done


def _refuse(form: NumberForm, refused: Refused) -> str:
    form.take(refused)
    return render_template("admin/privacy/show.html", form=form)


def _number(form: NumberForm) -> PersonalNumber | None:
    """Return the number that was typed; None if it is none, and the form says why."""
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
    # Every stored payload is read, in batches: a read transaction of this request must not keep the
    # database's old pages alive meanwhile.
    db.session.rollback()


def _setting(found: str) -> tuple[str, str, str]:
    """Return of a setting with the number: whose it is, where to change it, its name."""
    subject, _, column = found.partition(" ")
    kind, _, number = subject.rpartition("_")
    ids: dict[str, Any] = {f"{kind}_id": int(number)}
    # Some are not changed by hand, such as a format that a webhook had before.
    address = url_for(_EDIT[kind], **ids) if kind in _EDIT else ""
    return subject, address, _SETTINGS.get(column, column)
