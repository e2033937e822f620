"""The connection panel of a company: the button, the state, since when, why, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, redirect, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from webhookproxy.database.clock import utc_now
from webhookproxy.engine.liveness import shown_state
from webhookproxy.engine.owners import Owners, read_owners
from webhookproxy.models import Company
from webhookproxy.models.audit import Action, record_company
from webhookproxy.models.companies import find_company, wish_connection
from webhookproxy.reasons import (
    CONNECTION_LABELS,
    CONNECTION_WORDS,
    NEVER_CONNECTED,
    ConnectionReason,
    ConnectionState,
    Words,
)
from webhookproxy.web.connection.silence import Silence, odd
from webhookproxy.web.shared.access import actor, company_or_404
from webhookproxy.web.shared.formats import ago, clock
from webhookproxy.web.shared.forms import write

blueprint = Blueprint("connection", __name__)

# By state: the drawing and the colour; "spin" turns.
_LOOKS = {
    ConnectionState.CONNECTED: ("check", "green"),
    ConnectionState.DISCONNECTED: ("wifi-off", "grey"),
    ConnectionState.CONNECTING: ("loader-2", "blue"),
    ConnectionState.DISCONNECTING: ("loader-2", "grey"),
    ConnectionState.RECONNECTING: ("refresh", "amber"),
    ConnectionState.TOKEN_REFUSED: ("ban", "red"),
}
_REFUSALS = (ConnectionReason.REFUSED, ConnectionReason.SERVER_REFUSED)
_MOVING = (ConnectionState.CONNECTING, ConnectionState.DISCONNECTING)


@dataclass(frozen=True, slots=True)
class Shown:
    """A connection as a page shows it."""

    state: ConnectionState
    label: str
    drawing: str
    colour: str
    spins: bool
    since: datetime
    words: Words
    # Connected, but the usual events do not come: an open socket does not prove a good token.
    silence: Silence | None
    socket_id: str | None

    @property
    def is_connected(self) -> bool:
        """Return whether there is a socket, silent or not."""
        return self.state is ConnectionState.CONNECTED

    @property
    def is_problem(self) -> bool:
        """Return whether the user should look: a socket is wished and missing, or it is silent."""
        trouble = (ConnectionState.RECONNECTING, ConnectionState.TOKEN_REFUSED)
        return self.state in trouble or self.silence is not None


def shown_now(session: Session, companies: Sequence[Company]) -> dict[int, Shown]:
    """Return how the page describes the connections of these companies, by number."""
    owners = read_owners(session)
    silences = odd(session, companies, owners)
    return {each.id: shown(each, owners, silences.get(each.id)) for each in companies}


def shown(company: Company, owners: Owners, silence: Silence | None = None) -> Shown:
    """Return how the page describes a company's connection; never green on an old heartbeat."""
    connection = company.connection
    state, reason = shown_state(connection, owners, wished=company.should_connect)
    drawing, colour = _LOOKS[state]
    label = CONNECTION_LABELS[state] + ("…" if state in _MOVING else "")
    never = is_never_connected(company)
    if never:
        label = "Ainda não conectada"
    connected = state is ConnectionState.CONNECTED
    heard = connection.last_event_at
    if silence is not None:
        label, drawing, colour = "Conectada, mas sem eventos", "clock", "amber"
    elif connected and (heard is None or heard < connection.since):
        label = "Conectada, nenhum evento ainda"
    return Shown(
        state=state,
        label=label,
        drawing=drawing,
        colour=colour,
        spins=state in _MOVING,
        since=connection.since,
        words=_words(company, reason) if silence is None else silence.words,
        silence=silence,
        socket_id=connection.socket_id if connected else None,
    )


def is_never_connected(company: Company) -> bool:
    """Return whether the connection was never switched on: no owner of sockets wrote its state."""
    return company.connection.fence == 0 and not company.should_connect


def _words(company: Company, reason: ConnectionReason) -> Words:
    connection = company.connection
    if is_never_connected(company):
        return NEVER_CONNECTED
    upcoming = connection.next_attempt_at
    due = upcoming is not None and upcoming > utc_now()
    words = CONNECTION_WORDS[reason].filled(
        when=ago(upcoming) if due and upcoming else "agora",
        since=clock(connection.since, company.timezone),
    )
    if connection.answer and reason.value == connection.reason and reason in _REFUSALS:
        return replace(words, what=f"{words.what} A 3C Plus respondeu: “{connection.answer}”.")
    return words


@blueprint.post("/empresas/<company:company_id>/conectar")
def connect(company_id: int) -> Response:
    """Wish the company connected; the engine connects it, and the page shows the progress."""
    return _wish(company_id, connected=True)


@blueprint.post("/empresas/<company:company_id>/desconectar")
def disconnect(company_id: int) -> Response:
    """Wish the company disconnected."""
    return _wish(company_id, connected=False)


def _wish(company_id: int, *, connected: bool) -> Response:
    company_or_404(company_id)
    who, action = actor(), Action.CONNECT if connected else Action.DISCONNECT

    def job(session: Session) -> None:
        if wish_connection(session, find_company(session, company_id), connected=connected):
            record_company(session, who, action, company_id)

    write(job, company_id)
    return redirect(url_for("companies.show", company_id=company_id), code=303)
