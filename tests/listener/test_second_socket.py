"""A second socket is compared with the first one, and costs it nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent.monkey import get_original

from tests.listener.listening import Listening, listening
from tests.support.application import rows, store_of, wait_until
from tests.support.simulator_process import SimulatorProcess
from webhookproxy.listener.alignment.comparison import Comparison
from webhookproxy.listener.alignment.pairing import TEXTS_MAX
from webhookproxy.listener.second import observer, observers

# Rules of servers that the simulator plays; see its command `second`.
RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "replays": {"replays": 3},
    "texts": {"texts": True},
    "order": {"order": True},
    "refuses": {"refuses": True},
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "FIRST_OPEN_MS", 0)
    monkeypatch.setattr(observer, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(observer, "AGAIN_FIRST", 0.05)
    # A busy machine takes its time.
    monkeypatch.setattr(observer, "KICK_SECONDS", 60.0)
    monkeypatch.setattr(observers, "WRITE_SECONDS", 0.1)


@pytest.fixture
def server() -> Iterator[SimulatorProcess]:
    """A simulator of its own: its PINGs come every second."""
    with SimulatorProcess() as simulator:
        simulator.control("pings", interval=1, timeout=60)
        yield simulator


def report(app: Flask, company_id: int) -> Any:
    found = rows(app, "SELECT * FROM second_sockets WHERE company_id = :id", id=company_id)
    return found[0] if found else None


def wait_for_report(half: Listening, company_id: int, state: str) -> Any:
    def found() -> Any:
        row = report(half.app, company_id)
        return row if row is not None and row.state == state else None

    return wait_until(found, 60, f"the second socket of company_{company_id} is {state}")


@pytest.mark.slow
def test_a_server_that_ends_the_first_socket_is_seen_once_and_never_asked_again(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    see_the_first_socket_ended(app, simulator, token)


@pytest.mark.slow
@pytest.mark.postgresql
def test_the_same_is_seen_on_postgresql(
    postgresql_app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    see_the_first_socket_ended(postgresql_app, simulator, token)


def see_the_first_socket_ended(app: Flask, simulator: SimulatorProcess, token: str) -> None:
    simulator.control("one_socket", token=token)
    with listening(app, simulator) as half:
        company_id = half.connected(token, observe_second=True)
        wait_for_report(half, company_id, "one_socket")
        half.wait_for_state(company_id, "connected")
        wait_until(lambda: half.gaps(company_id) == [("kicked", True)], 60, "the gap is over")
        noted_at = half.connection(company_id).one_socket_at
        assert noted_at is not None
        simulator.control("emit", token=token, event="agent-is-idle", args=[{}])
        half.wait_for_events(1)
        accepted = simulator.state(token)["accepted"]
        # Another owner asks for no second socket either.
        half.end()
        half.begin()
        half.wait_for_state(company_id, "connected")
        assert simulator.state(token)["accepted"] == accepted + 1 == 4
        assert simulator.state(token)["sockets"] == 1
        # It is not noted again either: after days a second socket is tried again.
        wait_until(lambda: half.relay.observers._observers, 60, "its row is read again")
        half.end()
        assert half.connection(company_id).one_socket_at == noted_at
        half.begin()
        # Only who asks again is given one.
        simulator.control("one_socket", token=token, only=False)
        half.edit(company_id, observe_second=False)
        half.edit(company_id, observe_second=True)
        wait_for_report(half, company_id, "observing")


@pytest.mark.slow
def test_two_refusals_may_be_an_outage_of_the_server_and_the_third_counts(
    app: Flask, simulator: SimulatorProcess, token: str
) -> None:
    simulator.control("second", token=token, refuses=True)
    with listening(app, simulator) as half:
        company_id = half.connected(token, observe_second=True)
        wait_for_report(half, company_id, "refused")
        assert simulator.state(token)["handshakes"] == 1 + observer.REFUSALS_UNTIL_SURE


def test_the_observers_end_in_time_though_the_database_takes_nothing(
    half: Listening, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observers, "STOP_SECONDS", 0.05)
    company_id = half.connected(token, observe_second=True)
    wait_for_report(half, company_id, "observing")
    observing, busy = half.relay.observers, get_original("_thread", "allocate_lock")()
    following = observing._greenlet
    busy.acquire()
    stuck = gevent.spawn(store_of(half.app).run, lambda _: busy.acquire() and None)
    # What was seen is to be written.
    observing._written.clear()
    try:
        with gevent.Timeout(60):
            observing.stop()
        assert following is not None
        following.join(30)
        assert following.dead
    finally:
        busy.release()
        stuck.join()


@pytest.mark.parametrize(("second_brings", "differs"), [(0, False), (5_000, True)])
def test_too_many_texts_without_a_pair_end_it_and_the_reason_is_told_apart(
    second_brings: int, differs: bool
) -> None:
    comparison, over = Comparison(), []
    comparison.on_over = lambda: over.append(True)
    comparison.connected("id", "")
    for number in range(second_brings):
        comparison.event(f"second {number}")
    for number in range(TEXTS_MAX):
        comparison.first_brought(f"first {number}")
    assert over == ([True] if second_brings else [])
    comparison.first_brought("one more")
    assert over == [True]
    assert comparison.finds_no_pair == differs


@pytest.mark.slow
def test_what_two_sockets_bring_is_counted_and_no_event_is_lost_or_doubled(
    app: Flask, server: SimulatorProcess
) -> None:
    with listening(app, server) as half:
        companies = {}
        for kind, rules in RULES.items():
            server.control("second", token=f"token_{kind}_12345", **rules)
            given = {"name": kind, "observe_second": True}
            companies[kind] = half.connected(f"token_{kind}_12345", **given)
        wait_for_report(half, companies["refuses"], "refused")
        for kind in set(RULES) - {"refuses"}:
            wait_for_report(half, companies[kind], "observing")
        streams = [
            threading.Thread(target=server.control, args=("burst",), kwargs=given)
            for given in (
                {"token": f"token_{kind}_12345", "count": 120, "rate": 50} for kind in RULES
            )
        ]
        for each in streams:
            each.start()
        found = {
            kind: wait_until(partial(is_told, half, companies[kind], kind), 120, kind)
            for kind in set(RULES) - {"refuses"}
        }
        for each in streams:
            each.join()
        half.wait_for_events(5 * 120 + 3)
        for company_id in companies.values():
            assert sequence(half, company_id) == list(range(1, 121))
        assert found["plain"].displacement == 0
        assert half.gaps(companies["refuses"]) == []


def is_told(half: Listening, company_id: int, kind: str) -> Any:
    """Return the row once all was seen that there is to see."""
    row = report(half.app, company_id)
    seen = {
        "plain": row.paired == 120,
        "replays": row.replayed == 3 and row.paired >= 120,
        "texts": row.unpaired > 50 and row.paired == 0,
        "order": row.displacement > 0 and row.paired == 120,
    }[kind]
    if kind != "texts" and row.unpaired:
        raise AssertionError(f"{kind}: {row}")
    return row if seen else None


def sequence(half: Listening, company_id: int) -> list[int]:
    """Return the numbers of the burst's events as they were stored, in order of number."""
    query = "SELECT payload FROM events WHERE company_id = :id"
    payloads = [json.loads(row.payload) for row in rows(half.app, query, id=company_id)]
    return sorted(each["seq"] for each in payloads if "seq" in each)
