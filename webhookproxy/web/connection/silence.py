"""Companies that are silent when they usually are not, as the pages show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app
from sqlalchemy.orm import Session

from webhookproxy.database.clock import seconds_now
from webhookproxy.engine.liveness import shown_state
from webhookproxy.engine.owners import Owners
from webhookproxy.models import Company
from webhookproxy.reasons import ConnectionState, Words
from webhookproxy.troubles import silence
from webhookproxy.web.shared.formats import ago, plural


@dataclass(frozen=True, slots=True)
class Silence(silence.Silence):
    """An odd silence, with its words."""

    @property
    def words(self) -> Words:
        """Return how the page describes it."""
        return Words(
            english="Connected, but the usual events do not come.",
            what=f"Conectada, mas nenhum evento {ago(self.since)} "
            f"(normal a esta hora: {_rate(self.usual)}).",
            then="A conexão está aberta e continuamos ouvindo.",
            you="Em um feriado isso é normal. Se há agentes trabalhando, confirme que o token é "
            "de um gestor e ainda vale.",
        )


def odd(session: Session, companies: Sequence[Company], owners: Owners) -> dict[int, Silence]:
    """Return the odd silences of those of these companies that are connected, by number."""
    connected = [each for each in companies if _is_connected(each, owners)]
    found = silence.odd_silences(session, connected, _usuals(), seconds_now())
    return {company_id: Silence(each.since, each.usual) for company_id, each in found.items()}


def _is_connected(company: Company, owners: Owners) -> bool:
    state, _ = shown_state(company.connection, owners, wished=company.should_connect)
    return state is ConnectionState.CONNECTED


def _rate(usual: int) -> str:
    """Return a rate per minute, or per hour if that is less than one a minute."""
    per_minute = round(usual / 60)
    return f"{plural(usual, 'evento', 'eventos')} por hora" if usual < 60 else f"{per_minute}/min"


def _usuals() -> silence.Usuals:
    usuals: silence.Usuals = current_app.extensions.setdefault("usuals", silence.Usuals())
    return usuals
