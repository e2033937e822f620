"""Passwords are checked one at a time, those of known visitors first, and no line is endless."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event
from werkzeug.exceptions import TooManyRequests

from tests.support.application import wait_until
from webhookproxy.web.login import passwords


class Slow:
    """Checks passwords as long as a test lets it, in the order in which their turns come."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.go_on = Event()

    def apply(self, _check: object, values: tuple[str | None, str]) -> bool:
        self.checked.append(values[1])
        self.go_on.wait(10)
        return True


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    slow = Slow()
    monkeypatch.setattr(passwords, "_pool", slow)
    monkeypatch.setattr(passwords, "_line", passwords._Line())
    monkeypatch.setattr(passwords, "WAITING_MAX", 3)
    yield slow
    slow.go_on.set()


def come(password: str, *, known: bool = False) -> gevent.Greenlet[..., bool]:
    greenlet = gevent.spawn(passwords.verified, None, password, known=known)
    gevent.idle()
    return greenlet


def test_known_visitors_go_first(slow: Slow) -> None:
    visitors = [come("a"), come("b"), come("c", known=True)]
    slow.go_on.set()
    gevent.joinall(visitors, timeout=60, raise_error=True)
    assert slow.checked == ["a", "c", "b"]


def test_a_full_line_refuses_at_once_but_for_known_visitors(slow: Slow) -> None:
    visitors = [come(str(number)) for number in range(4)]
    with pytest.raises(TooManyRequests) as refused:
        passwords.verified(None, "one too many", known=False)
    assert refused.value.retry_after == passwords.WAIT_SECONDS
    visitors.append(come("known", known=True))
    slow.go_on.set()
    gevent.joinall(visitors, timeout=60, raise_error=True)
    assert slow.checked == ["0", "known", "1", "2", "3"]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_visitor_who_goes_away_keeps_no_one_waiting(slow: Slow, gone: int) -> None:
    visitors = [come(str(number)) for number in range(3)]
    visitors.pop(gone).kill()
    slow.go_on.set()
    gevent.joinall(visitors, timeout=60, raise_error=True)
    assert come("after").get(timeout=60)
    wait_until(lambda: slow.checked[-1] == "after")
