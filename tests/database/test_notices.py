"""What one process tells the open pages of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.support import postgresql
from tests.support.application import wait_until
from webhookproxy.broadcast import Broadcast
from webhookproxy.database import notices
from webhookproxy.database.notices import CHANNEL, NAMED_MAX, Notices, notices_on


@pytest.fixture(autouse=True)
def quick_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a process tell fifty times a second, so that a test waits for less."""
    monkeypatch.setattr(notices, "TELL_SECONDS", 0.02)


@contextmanager
def telling(url: str, broadcast: Broadcast) -> Iterator[Notices]:
    """Run the notices of a process until the block ends."""
    made = notices_on(url, broadcast)
    assert made is not None
    greenlet = gevent.spawn(made.run)
    try:
        wait_until(lambda: broadcast.hears_others, 60, "the process hears the others")
        yield made
    finally:
        broadcast.close()
        greenlet.get(timeout=60)
    assert not broadcast.hears_others


@pytest.mark.postgresql
def test_what_one_process_tells_wakes_the_pages_of_the_others(postgresql_url: str) -> None:
    here, there = Broadcast(), Broadcast()
    with telling(postgresql_url, here), telling(postgresql_url, there):
        with there.listen(frozenset({7}), "page") as page, there.listen(None, "all") as every:
            here.tell(8)
            assert every.wait(60)
            assert not page.wait(0)
            here.tell(7)
            assert page.wait(60)
        # So many that none is named.
        with there.listen(frozenset({NAMED_MAX + 50}), "page") as page:
            for company in range(1, NAMED_MAX + 100):
                here.tell(company)
            assert page.wait(60)


@pytest.mark.postgresql
def test_however_much_happens_one_notice_tells_of_it_and_names_only_companies(
    postgresql_url: str,
) -> None:
    here = Broadcast()
    plain = make_url(postgresql_url).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    with telling(postgresql_url, here), psycopg.connect(address, autocommit=True) as other:
        other.execute(f"LISTEN {CHANNEL}")
        for _ in range(1000):
            for company in (1, 2, 3):
                here.tell(company)
        heard = list(other.notifies(timeout=60, stop_after=1))
        here.tell(9)
        heard += other.notifies(timeout=60, stop_after=1)
    assert [set(each.payload.split(",")) for each in heard] == [{"1", "2", "3"}, {"9"}]


@pytest.mark.postgresql
def test_a_process_whose_connection_was_cut_knows_it_and_hears_again_later(
    postgresql_server: postgresql.Server,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notices, "AGAIN_FIRST", 0.01)
    monkeypatch.setattr(notices, "AGAIN_MOST", 0.05)
    caplog.set_level("INFO", logger=notices.__name__)
    here, refusals = Broadcast(), list[None]()
    with telling(postgresql_url, here) as made:
        connect = made._engine.raw_connection

        def refused() -> Any:
            refusals.append(None)
            raise ConnectionRefusedError

        made._engine.raw_connection = refused  # type: ignore[method-assign]
        postgresql_server.terminate_sessions(postgresql_url)
        wait_until(lambda: len(refusals) > 3, 60, "it tries again and again")
        assert not here.hears_others
        with here.listen(frozenset({1}), "page") as page:
            made._engine.raw_connection = connect  # type: ignore[method-assign]
            # It may have missed something.
            assert page.wait(60)
        assert here.hears_others
    said = [record.message.split(" (")[0].split(":")[0] for record in caplog.records]
    assert said == [
        "changes of other processes are not told",
        "changes of other processes are told again",
    ]


def test_on_sqlite_no_one_is_told(sqlite_url: str) -> None:
    here = Broadcast()
    assert notices_on(sqlite_url, here) is None
    here.tell(1)
    assert not here.hears_others
