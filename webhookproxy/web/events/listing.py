"""The pages of a list of events, newest first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from webhookproxy.search.asking import ask
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Question
from webhookproxy.web.events.arrivals import Arrival, arrivals_of

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `older` and `newer` lead on (None: there are no more in that direction).

    `behind` and `cut` say what the search could not look at (search.question.Answer).
    """

    rows: list[Arrival]
    older: int | None
    newer: int | None
    behind: int
    cut: bool


def find_events(session: Session, place: SearchPlace, question: Question, count: int) -> Page:
    """Return one page of the events that are asked for."""
    answer = ask(session, place, question, count)
    ids = answer.ids
    if question.after is not None and not answer.more:
        # The newer ones do not fill a page: show the first page, which has them and older ones.
        return find_events(session, place, replace(question, after=None), count)
    if question.after is None:
        older = ids[-1] if answer.more else None
        # An event that was purged meanwhile leads back too.
        newest = ids[0] if ids else (question.before or 0) - 1
        newer = None if question.before is None else newest
    else:
        older, newer = ids[-1], ids[0]
    return Page(arrivals_of(session, ids), older, newer, answer.behind, answer.cut)
