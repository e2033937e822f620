"""Open pages learn of changes."""

from __future__ import annotations

import time

import gevent
import pytest

from webhookproxy.broadcast import LISTENERS_MAX, Broadcast, TooMany


def test_a_page_hears_of_the_companies_it_shows_and_of_no_other() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset({1})) as one, broadcast.listen(None) as everything:
        broadcast.tell(2)
        assert not one.wait(0)
        assert everything.wait(0)
        broadcast.tell(1)
        assert one.wait(0)


def test_however_much_happens_a_page_is_woken_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        for _ in range(1000):
            broadcast.tell(1)
        assert listener.wait(0)
        assert not listener.wait(0)


def test_a_page_that_waits_is_woken_at_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None) as listener:
        gevent.spawn(broadcast.tell, 1)
        began = time.monotonic()
        assert listener.wait(30)
        assert time.monotonic() - began < 5


def test_there_is_a_bound_and_a_page_that_is_closed_makes_room() -> None:
    broadcast = Broadcast()
    opened = [broadcast.listen(None) for _ in range(LISTENERS_MAX)]
    for each in opened:
        each.__enter__()
    assert broadcast.full
    with pytest.raises(TooMany), broadcast.listen(None):
        pass
    opened[0].__exit__(None, None, None)
    with broadcast.listen(None):
        assert broadcast.full
    assert not broadcast.full


def test_closing_wakes_every_page_whatever_it_shows() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset()) as listener:
        broadcast.close()
        assert broadcast.closed
        assert listener.wait(0)
