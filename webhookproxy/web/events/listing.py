"""The pages of a list of events, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Question
from webhookproxy.web.events import arrivals
from webhookproxy.web.events.arrivals import Arrival

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """`older` and `newer` lead on (None: there is no more that way).

    `behind` and `cut` say what the search could not look at (search.question.Answer).
    """

    rows: list[Arrival]
    older: int | None
    newer: int | None
    behind: int
    cut: bool


def find(session: Session, place: SearchPlace, question: Question, count: int) -> Page:
    """One page of the events that are asked for."""
    answer = ask(session, place, question, count)
    ids = answer.ids
    if question.after is not None and not answer.more:
        # What is newer may not fill a page: the first page has it, with what comes after it.
        return find(session, place, replace(question, after=None), count)
    if question.after is None:
        older = ids[-1] if answer.more else None
        # One that is not there, such as that of a page whose rows were purged, leads back too.
        newest = ids[0] if ids else (question.before or 0) - 1
        newer = None if question.before is None else newest
    else:
        older, newer = ids[-1], ids[0]
    rows = arrivals.shown(session, ids)
    return Page(rows, older, newer, answer.behind, answer.cut)
