"""Answers a question from the index, and beyond its end from the newest events themselves.

Every answer has a bound, whatever the question: on values, on hits, and on unindexed events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

import gevent
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webhookproxy.models.events import newest_event
from webhookproxy.search import events
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.index.tables import read_state
from webhookproxy.search.lists import Span, Values, count_upto, having, page, values_of
from webhookproxy.search.question import Answer, Question
from webhookproxy.search.terms import KEY, NAME, Pattern, Reading, Sieve, readings_of

# The newest events that are read one by one while they are not indexed.
NEWEST = 5_000
# Events that are neither indexed nor read are counted up to one more than this number.
BEHIND_MOST = 20_000
# Hits that are read for one answer, and in one round.
LOOK_AT = 20_000
_ROUND_MAX = 5_000
_EVENT_ID = "evt_"


def ask(session: Session, place: SearchPlace, question: Question, count: int = 50) -> Answer:
    """Return the events that fit; without a readable index only the newest are searched."""
    try:
        with place.reading(session) as index:
            return _ask(session, index, question, count)
    except DBAPIError as error:
        place.note_trouble(error)
    return _ask(session, None, question, count)


def _ask(session: Session, index: Connection | None, question: Question, count: int) -> Answer:
    newest = newest_event(session)
    words = question.words.strip()
    if not (words or question.name or question.names or question.order_key):
        span = Span(question.low, question.high(newest), question.ascending)
        found = events.of_companies(session, question.companies, span, count + 1)
        return _answer(found, count)
    if words.startswith(_EVENT_ID) and (one := _by_id(session, question, newest)):
        return one
    readings: list[Reading] = readings_of(words) if words else [()]
    exact = ((NAME, question.name), (KEY, question.order_key))
    groups: Reading = tuple((Pattern(kind + given),) for kind, given in exact if given)
    if question.names:
        groups += (question.names,)
    state = None if index is None else read_state(index)
    cursor = 0 if state is None else min(state.cursor, newest)
    # Between the cursor and this event lie events that are neither indexed nor read here.
    first_read = events.first_of_newest(session, cursor, NEWEST)
    result = Answer([])
    for reading in readings:
        asking = _Asking(session, index, question, groups + reading, newest, cursor, first_read)
        result = asking.answer(count)
        if result.ids or result.more or result.cut:
            break
    return replace(result, behind=_behind(session, cursor, first_read))


def _behind(session: Session, cursor: int, first_read: int) -> int:
    if first_read - 1 <= cursor:
        return 0
    return events.count_between(session, cursor, first_read, BEHIND_MOST + 1)


@dataclass(slots=True)
class _Asking:
    """One reading of a question; `cut` if more hits exist than were read."""

    session: Session
    index: Connection | None
    question: Question
    groups: Reading
    newest: int
    cursor: int
    first_read: int
    cut: bool = False

    def answer(self, count: int) -> Answer:
        """Search both sides of the cursor, the nearer side first."""
        low, high = self.question.low, self.question.high(self.newest)
        ascending = self.question.ascending
        fresh = Span(max(low, self.first_read), high, ascending)
        indexed = Span(low, min(high, self.cursor), ascending)
        found: list[int] = []
        for side in (indexed, fresh) if ascending else (fresh, indexed):
            if len(found) <= count and side.low <= side.high and self.question.companies:
                look = self._indexed if side is indexed else self._fresh
                found += look(side, count + 1 - len(found))
        return _answer(found, count, cut=self.cut)

    def _fresh(self, span: Span, most: int) -> list[int]:
        matches = Sieve(self.groups).matches
        found = events.matching(self.session, self.question.companies, span, matches)
        return list(islice(found, most))

    def _indexed(self, span: Span, most: int) -> list[int]:
        if self.index is None:
            return []
        companies = self.question.companies
        criteria = [values_of(self.index, companies, group) for group in self.groups]
        self.cut = any(values.cut for values in criteria)
        if not all(each.ids for each in criteria):
            return []
        return self._walk(self.index, criteria, span, most)

    def _walk(self, index: Connection, criteria: list[Values], span: Span, most: int) -> list[int]:
        """Read the shortest list, and return the events that are in all lists."""
        if len(criteria) > 1:
            criteria = sorted(criteria, key=lambda each: count_upto(index, each, span))
        shortest, *others = criteria
        found: list[int] = []
        looked_at, step = 0, max(most, 50)
        while span.low <= span.high:
            near = page(index, shortest, span, step)
            left = having(index, near.ids, others)
            there = events.still_there(self.session, left, self.question.companies)
            found += [each for each in left if each in there]
            if len(found) >= most or near.edge is None:
                break
            looked_at += len(near.ids)
            if looked_at >= LOOK_AT:
                self.cut = True
                break
            span = span.beyond(near.edge)
            step = min(step * 4, _ROUND_MAX)
            # The sockets get their turn between two rounds.
            gevent.sleep(0)
        return found[:most]


def _answer(found: list[int], count: int, *, cut: bool = False) -> Answer:
    return Answer(sorted(found[:count], reverse=True), more=len(found) > count, cut=cut)


def _by_id(session: Session, question: Question, newest: int) -> Answer | None:
    """Return the event with this public id, if it fits the rest of the question."""
    query = text("SELECT id, company_id, name, order_key FROM events WHERE public_id = :id")
    row = session.execute(query, {"id": question.words.strip()}).first()
    fits = (
        row is not None
        and row.company_id in question.companies
        and question.low <= row.id <= question.high(newest)
        and question.name in ("", row.name)
        and (not question.names or any(each.fits(NAME + row.name) for each in question.names))
        and question.order_key in ("", row.order_key)
    )
    return Answer([row.id]) if row is not None and fits else None
