"""Open pages learn of changes."""

from __future__ import annotations

import time
from contextlib import ExitStack

import gevent
import pytest

from webhookproxy.broadcast import LISTENERS_MAX, PER_LOGIN, Broadcast, TooMany


def test_a_page_hears_of_the_companies_it_shows_and_of_no_other() -> None:
    broadcast = Broadcast()
    one_company = broadcast.listen(frozenset({1}), "login")
    with one_company as one, broadcast.listen(None, "login") as everything:
        broadcast.tell(2)
        assert not one.wait(0)
        assert everything.wait(0)
        broadcast.tell(1)
        assert one.wait(0)


def test_however_much_happens_a_page_is_woken_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None, "login") as listener:
        for _ in range(1000):
            broadcast.tell(1)
        assert listener.wait(0)
        assert not listener.wait(0)


def test_a_page_that_waits_is_woken_at_once() -> None:
    broadcast = Broadcast()
    with broadcast.listen(None, "login") as listener:
        gevent.spawn(broadcast.tell, 1)
        began = time.monotonic()
        assert listener.wait(60)
        assert time.monotonic() - began < 30


def test_there_is_a_bound_and_a_page_that_is_closed_makes_room() -> None:
    broadcast = Broadcast()
    opened = [broadcast.listen(None, str(each)) for each in range(LISTENERS_MAX)]
    for each in opened:
        each.__enter__()
    assert broadcast.full
    with pytest.raises(TooMany), broadcast.listen(None, "login"):
        pass
    opened[0].__exit__(None, None, None)
    with broadcast.listen(None, "login"):
        assert broadcast.full
    assert not broadcast.full


def test_closing_wakes_every_page_whatever_it_shows() -> None:
    broadcast = Broadcast()
    with broadcast.listen(frozenset(), "login") as listener:
        broadcast.close()
        assert broadcast.closed
        assert listener.wait(0)


def test_of_one_login_with_too_many_pages_the_oldest_is_told_to_end() -> None:
    broadcast = Broadcast()
    with ExitStack() as stack:
        other = stack.enter_context(broadcast.listen(None, "other"))
        own = [stack.enter_context(broadcast.listen(None, "login")) for _ in range(PER_LOGIN + 2)]
        assert [each.replaced for each in own] == [True, True] + [False] * PER_LOGIN
        assert own[0].wait(0)
        assert not other.replaced
