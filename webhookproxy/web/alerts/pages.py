"""The page "Avisos" of a user: where and when they are told of problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from webhookproxy.alerts.addresses import (
    add_address,
    addresses_of,
    find_address,
    move_first,
    remove_address,
    send_confirmation,
    send_test,
)
from webhookproxy.alerts.preferences import set_preferences
from webhookproxy.events.contract import whsec
from webhookproxy.extensions import db
from webhookproxy.models import AlertAddress, AlertPreferences
from webhookproxy.models.audit import Action, record
from webhookproxy.rules import Refused
from webhookproxy.web.alerts.forms import AddressForm, PreferencesForm
from webhookproxy.web.alerts.words import KIND_HELP, KIND_NAMES, standing
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import account, actor
from webhookproxy.web.shared.forms import policy, write

blueprint = Blueprint("alerts", __name__, url_prefix="/avisos")

_Act = Callable[[Session, AlertAddress], object]
_Send = Callable[[Session, AlertAddress, Mapping[str, Any]], object]


@blueprint.route("", methods=["GET", "POST"])
def index() -> str | Response:
    """Show the user's addresses; add one that is typed."""
    form = AddressForm()
    secret = ""
    if form.validate_on_submit():
        throttle.limit("alert_address", str(account().id))
        saved, secret = _add(form)
        if saved and not secret:
            flash("Enviamos um link a este endereço: abra-o e aperte o botão para confirmar.")
            return redirect(url_for("alerts.index"), code=303)
    return _page(form, _filled_preferences(), secret)


def _add(form: AddressForm) -> tuple[bool, str]:
    """Return whether the address is there, and the secret of our own POST; the form says why not.

    The secret is shown in this one answer.
    """
    who, user_id, config, rules = actor(), account().id, dict(current_app.config), policy()
    secrets = list[str]()

    def act(session: Session, typed: dict[str, Any]) -> int:
        address = add_address(session, user_id, **typed, config=config, policy=rules)
        secrets.append(address.secret or "")
        about = f"address_{address.id}"
        record(session, who, Action.ALERT_ADDRESS_ADDED, subject=about, detail=address.kind)
        return address.id

    saved = form.save(act)
    return saved is not None, whsec(secrets[-1]) if secrets and secrets[-1] else ""


@blueprint.post("/preferencias")
def preferences() -> str | Response:
    """Store when the user wants to be told."""
    form, user_id, who = PreferencesForm(), account().id, actor()

    def act(session: Session, typed: dict[str, Any]) -> int:
        set_preferences(session, user_id, **typed)
        record(session, who, Action.ALERTS_CHANGED, detail="when")
        return user_id

    if form.validate() and form.save(act) is not None:
        flash("Salvo.")
        return redirect(url_for("alerts.index"), code=303)
    return _page(AddressForm(formdata=None), form)


@blueprint.post("/<address:address_id>/teste")
def test(address_id: int) -> Response:
    """Send a test to an address."""
    return _send(
        address_id,
        send_test,
        "O aviso de teste está a caminho. Se ele não chegar, o motivo aparece aqui em instantes.",
    )


@blueprint.post("/<address:address_id>/confirmacao")
def confirmation(address_id: int) -> Response:
    """Send the link that confirms an address again."""
    return _send(
        address_id,
        send_confirmation,
        "Enviamos outro link: abra-o e aperte o botão. O anterior não vale mais.",
    )


@blueprint.post("/<address:address_id>/primeiro")
def first(address_id: int) -> Response:
    """Have an address be tried before the user's others."""
    return _act(address_id, move_first, "Este endereço agora é tentado primeiro.")


@blueprint.post("/<address:address_id>/remover")
def remove(address_id: int) -> Response:
    """Remove an address, at once: the page asks before."""
    who = actor()

    def act(session: Session, address: AlertAddress) -> None:
        record(
            session,
            who,
            Action.ALERT_ADDRESS_REMOVED,
            subject=f"address_{address.id}",
            detail=address.kind,
        )
        remove_address(session, address)

    return _act(address_id, act, "O endereço foi removido: nada mais é enviado a ele.")


def _send(address_id: int, send: _Send, done: str) -> Response:
    """Have a message be sent to an address of the user, unless they ask too often."""
    config = dict(current_app.config)
    throttle.limit("alert_address", str(account().id))
    return _act(address_id, lambda session, address: send(session, address, config), done)


def _act(address_id: int, act: _Act, done: str) -> Response:
    """Do something with an address of the user; say that it was done, or why not."""
    user_id = account().id

    def job(session: Session) -> None:
        try:
            address = find_address(session, user_id, address_id)
        except Refused:
            raise NotFound from None
        act(session, address)

    try:
        write(job)
        flash(done)
    except Refused as refused:
        flash(" ".join(each.portuguese for each in refused.problems), "warning")
    return redirect(url_for("alerts.index"), code=303)


def _filled_preferences() -> PreferencesForm:
    form = PreferencesForm(formdata=None)
    form.fill(db.session.get(AlertPreferences, account().id))
    return form


def _page(form: AddressForm, when: PreferencesForm, secret: str | None = None) -> str:
    rows = addresses_of(db.session(), account().id)
    return render_template(
        "alerts/index.html",
        form=form,
        when=when,
        rows=[(each, standing(each)) for each in rows],
        is_told=any(each.confirmed_at for each in rows),
        names=KIND_NAMES,
        helps=KIND_HELP,
        secret=secret,
        is_posted=request.method == "POST",
    )
