"""Answers a question: from the index as far as it goes, from the newest events themselves beyond.

Bounded whatever is asked: so many values, so many events of the index, so many newest ones.
"""

from __future__ import annotations

from itertools import islice

import gevent
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from webhookproxy.search import events
from webhookproxy.search.index.tables import read_state
from webhookproxy.search.lists import Span, Values, count_upto, having, page, values_of
from webhookproxy.search.question import Answer, Question
from webhookproxy.search.terms import (
    KEY,
    NAME,
    Group,
    Pattern,
    Reading,
    Sieve,
    readings_of,
)

# The newest events that are looked at one by one while they are not indexed.
NEWEST = 5_000
# Hits that are looked at for one answer, and in one round.
LOOK_AT = 20_000
_ROUND_MAX = 5_000
_EVENT_ID = "evt_"


def answer(session: Session, index: Connection | None, question: Question, count: int) -> Answer:
    """The answer, with an index or, as far as it goes, without."""
    newest = events.newest_event(session)
    if not (question.words.strip() or question.name or question.order_key):
        span = Span(question.low, question.high(newest), question.ascending)
        found = events.of_companies(session, question.companies, span, count + 1)
        return _answer(found, count)
    if question.words.strip().startswith(_EVENT_ID) and (one := _by_id(session, question, newest)):
        return one
    readings: list[Reading] = readings_of(question.words)
    if question.words.strip() and not readings:
        return Answer([])
    result = Answer([])
    for reading in readings or [()]:
        result = _Asking(session, index, question, reading, newest).answer(count)
        if result.ids or result.more or result.cut:
            break
    return result


class _Asking:
    """One reading of a question."""

    def __init__(
        self,
        session: Session,
        index: Connection | None,
        question: Question,
        reading: Reading,
        newest: int,
    ) -> None:
        self._session = session
        self._index = index
        self._question = question
        self._cut = False
        exact: list[Group] = []
        if question.name:
            exact.append((Pattern(NAME + question.name),))
        if question.order_key:
            exact.append((Pattern(KEY + question.order_key),))
        self._groups: Reading = (*exact, *reading)
        state = None if index is None else read_state(index)
        self._cursor = 0 if state is None else min(state.cursor, newest)
        self._newest = newest

    def answer(self, count: int) -> Answer:
        """What there is on both sides of the cursor, the nearer side first."""
        low, high = self._question.low, self._question.high(self._newest)
        ascending = self._question.ascending
        # Below it neither the index nor this looks.
        first_looked_at = max(self._cursor, self._newest - NEWEST) + 1
        fresh = Span(max(low, first_looked_at), high, ascending)
        indexed = Span(low, min(high, self._cursor), ascending)
        found: list[int] = []
        for side in (indexed, fresh) if ascending else (fresh, indexed):
            if len(found) <= count:
                look = self._indexed if side is indexed else self._fresh
                found += look(side, count + 1 - len(found))
        return _answer(found, count, self._behind(first_looked_at), self._cut)

    def _behind(self, first_looked_at: int) -> int:
        between = first_looked_at - 1 - self._cursor
        if between <= 0:
            return 0
        oldest = events.oldest_event(self._session)
        return max(0, first_looked_at - max(self._cursor + 1, oldest))

    def _fresh(self, span: Span, most: int) -> list[int]:
        if span.low > span.high or not self._question.companies:
            return []
        sieve = Sieve(self._groups)
        found = events.matching(self._session, self._question.companies, span, sieve.matches)
        return list(islice(found, most))

    def _indexed(self, span: Span, most: int) -> list[int]:
        if self._index is None or span.low > span.high or not self._question.companies:
            return []
        criteria = []
        for group in self._groups:
            values = values_of(self._index, self._question.companies, group)
            self._cut = self._cut or values.cut
            criteria.append(values)
        if not all(each.ids for each in criteria):
            return []
        return self._walk(self._index, criteria, span, most)

    def _walk(self, index: Connection, criteria: list[Values], span: Span, most: int) -> list[int]:
        """Go along the shortest of the lists, and take what is in all of them."""
        if len(criteria) > 1:
            criteria = sorted(criteria, key=lambda each: count_upto(index, each, span))
        way, *others = criteria
        found: list[int] = []
        looked_at, step = 0, max(most, 50)
        while span.low <= span.high:
            near = page(index, way, span, step)
            left = having(index, near.ids, others)
            there = events.still_there(self._session, left, self._question.companies)
            found += [each for each in left if each in there]
            if len(found) >= most or near.edge is None:
                break
            looked_at += len(near.ids)
            if looked_at >= LOOK_AT:
                self._cut = True
                break
            span = span.beyond(near.edge)
            step = min(step * 4, _ROUND_MAX)
            # Another round must not keep the sockets waiting.
            gevent.sleep(0)
        return found[:most]


def _answer(found: list[int], count: int, behind: int = 0, cut: bool = False) -> Answer:
    ids = sorted(found[:count], reverse=True)
    return Answer(ids, more=len(found) > count, behind=behind, cut=cut)


def _by_id(session: Session, question: Question, newest: int) -> Answer | None:
    """The one event that has this public id, if it fits the rest of the question."""
    query = text("SELECT id, company_id, name, order_key FROM events WHERE public_id = :id")
    row = session.execute(query, {"id": question.words.strip()}).first()
    fits = (
        row is not None
        and row.company_id in question.companies
        and question.low <= row.id <= question.high(newest)
        and question.name in ("", row.name)
        and question.order_key in ("", row.order_key)
    )
    return Answer([row.id]) if row is not None and fits else None
