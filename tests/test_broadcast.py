"""Open pages are told of changes: each of its companies, once for many, and all at the end."""

from __future__ import annotations

from contextlib import ExitStack

import gevent
import pytest

from webhookproxy.broadcast import LISTENERS_MAX, Broadcast, TooMany, nobody

# Long enough that only being told can end the wait in a test that passes.
LONG = 30.0


def test_a_page_is_told_of_its_companies_and_of_no_other() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset({1, 2})) as listener:
        broadcast.tell(3)
        assert not listener.wait(0)
        broadcast.tell(2)
        assert listener.wait(0)


def test_a_page_of_all_companies_is_told_of_each() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        broadcast.tell(77)
        assert listener.wait(0)


def test_a_page_of_no_company_is_told_of_none() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset()) as listener:
        broadcast.tell(1)
        assert not listener.wait(0)


def test_many_changes_wake_a_page_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        for _ in range(1000):
            broadcast.tell(1)
        assert listener.wait(0)
        assert not listener.wait(0)


def test_a_change_between_two_waits_is_not_missed() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        broadcast.tell(1)
        assert listener.wait(0)
        broadcast.tell(1)
        assert listener.wait(0)


def test_a_page_that_waits_is_woken_at_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        waiting = gevent.spawn(listener.wait, LONG)
        gevent.spawn(broadcast.tell, 1)
        assert waiting.get(timeout=5) is True


def test_every_page_of_a_company_is_told() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset({1})) as first, broadcast.listen(None) as second:
        broadcast.tell(1)
        assert first.wait(0)
        assert second.wait(0)


def test_telling_when_nobody_looks_does_no_harm() -> None:
    Broadcast().tell(1)
    nobody(1)


def test_there_is_a_bound_and_a_page_that_closes_makes_room() -> None:
    broadcast = Broadcast()
    with ExitStack() as pages:
        for _ in range(LISTENERS_MAX - 1):
            pages.enter_context(broadcast.listen(None))
        with broadcast.listen(None):
            assert broadcast.full
            with pytest.raises(TooMany), broadcast.listen(None):
                pass
        assert not broadcast.full
        pages.enter_context(broadcast.listen(None))
    assert not broadcast.full


def test_a_page_that_fails_makes_room_too() -> None:
    broadcast = Broadcast()
    for _ in range(LISTENERS_MAX + 1):
        with pytest.raises(ZeroDivisionError), broadcast.listen(None):
            raise ZeroDivisionError


def test_closing_wakes_every_page_whatever_it_shows() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset()) as first, broadcast.listen(frozenset({1})) as second:
        waiting = [gevent.spawn(each.wait, LONG) for each in (first, second)]
        assert not broadcast.closed
        gevent.spawn(broadcast.close)
        assert [each.get(timeout=5) for each in waiting] == [True, True]
        assert broadcast.closed
