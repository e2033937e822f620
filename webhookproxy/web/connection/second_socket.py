"""What was seen of a company's second socket, as its page says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from webhookproxy.database.clock import utc_now
from webhookproxy.models import Company, SecondSocket
from webhookproxy.reasons import SECOND_SOCKET_WORDS, SecondSocketState, Words
from webhookproxy.web.connection.panel import Shown
from webhookproxy.web.shared.formats import number, plural

# Before that a rule of the server may not have been met.
WHOLE = timedelta(days=1)
# So many of a hundred events without a pair mean that texts differ, and not that a few were lost.
MANY_PERCENT = 50

_LOOKS = {
    SecondSocketState.WAITING: ("Segunda conexão: esperando", "hourglass", "grey"),
    SecondSocketState.OBSERVING: ("Segunda conexão: observando", "search", "blue"),
}
_SAME = ("Segunda conexão: igual à primeira", "check", "green")
_DIFFERS = ("Segunda conexão: difere da primeira", "alert-triangle", "amber")
_OVER = ("Segunda conexão: observação encerrada", "ban", "amber")


@dataclass(frozen=True, slots=True)
class ShownSecond:
    """A second socket as the page shows it; `seen` says what was compared so far."""

    label: str
    drawing: str
    colour: str
    words: Words
    seen: str
    since: datetime | None
    # Whether it was observed for a whole day, or is over: then `seen` is the result.
    is_result: bool


def shown_second(session: Session, company: Company, first: Shown) -> ShownSecond | None:
    """Return how the page describes the second socket; None if the company asks for none."""
    if not company.observe_second:
        return None
    row = session.get(SecondSocket, company.id)
    state = SecondSocketState.WAITING if row is None else SecondSocketState(row.state)
    if state is SecondSocketState.OBSERVING and not first.is_connected:
        # Its row is as its owner left it.
        state = SecondSocketState.WAITING
    is_whole = row is not None and utc_now() - row.began_at >= WHOLE
    (label, drawing, colour), words = _LOOKS.get(state, _OVER), SECOND_SOCKET_WORDS[state]
    if row is not None and is_whole and state is SecondSocketState.OBSERVING and row.paired:
        differs = row.unpaired or row.displacement or row.replayed
        label, drawing, colour = _DIFFERS if differs else _SAME
        words = replace(words, you="")
    return ShownSecond(
        label=label,
        drawing=drawing,
        colour=colour,
        words=words,
        seen="" if row is None else seen_words(row),
        since=None if row is None else row.began_at,
        is_result=is_whole or state not in _LOOKS,
    )


def seen_words(row: SecondSocket) -> str:
    """Return what was compared, in Portuguese sentences; empty if nothing was."""
    compared = row.paired + row.unpaired
    if not compared:
        return ""
    events = plural(compared, "evento", "eventos")
    if row.unpaired * 100 > compared * MANY_PERCENT:
        found = f"{number(row.unpaired)} de {events} vieram por uma só: os textos diferem."
    elif row.unpaired:
        found = f"{number(row.unpaired)} de {events} vieram por uma só, e deviam vir pelas duas."
    elif row.displacement:
        places = plural(row.displacement, "lugar", "lugares")
        found = f"{events}, todos em par; a ordem difere: até {places}."
    else:
        found = f"{events}, todos em par, na mesma ordem."
    if row.replayed:
        only = plural(row.replayed, "evento", "eventos")
        found += f" Mais {only} só para quem acaba de entrar."
    return found
