"""Every event that was emitted while no socket was read lies in a recorded gap."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from random import Random

import gevent
import pytest
from flask import Flask
from gevent.lock import BoundedSemaphore

from tests.listener.listening import Listening, listening, now_ms
from tests.support.application import rows, store_of, wait_until
from tests.support.locks import held
from tests.support.receiver import Receiver, hang
from tests.support.simulator_process import SimulatorProcess
from tests.support.socket_server import CONNECT, OPEN, websocket
from webhookproxy.database import connections
from webhookproxy.listener import buffer, client, connection, intake, registry
from webhookproxy.listener.client import Address, Socket
from webhookproxy.listener.token_check import Ignoring
from webhookproxy.network.dial import Resolver

# Between an emit's answer here and what the rows say of the same moment.
SLACK_MS = 50


def spans(half: Listening, company: int) -> list[tuple[int, int]]:
    """When each gap began and ended, in wall milliseconds."""
    found = rows(half.app, "SELECT * FROM gaps WHERE company_id = :id ORDER BY id", id=company)
    return [(gap.started_at, gap.ended_at or round(now_ms())) for gap in found]


def test_at_a_stop_every_gap_begins_when_the_sockets_close_whoever_hangs(
    ears: Listening, token: str
) -> None:
    company = ears.connected(token)
    with Receiver(greeting=hang()) as silent:
        hung = ears.company("hung-token-0001", socket_url=silent.url(""))
        wait_until(lambda: silent.connections, 20, "the attempt hangs")
        asked = now_ms()
        assert ears.registry.stop(20.0)
        # A handshake that hangs may take 15 s.
        assert now_ms() - asked < 10_000
    assert ears.status.drain(20)
    for each in (company, hung):
        ((began, _),) = spans(ears, each)
        assert began <= asked + SLACK_MS


def test_an_edited_server_that_is_silent_leaves_a_gap_from_the_edit_on(
    ears: Listening, token: str
) -> None:
    company = ears.connected(token)
    with Receiver(greeting=hang()) as silent:
        edited = now_ms()
        ears.edit(company, socket_url=silent.url(""))
        ears.wait_for_state(company, "connecting")
        assert ears.gaps(company) == [("token_changed", False)]
        assert abs(spans(ears, company)[0][0] - edited) < 10_000
        ears.edit(company, socket_url=ears.simulator.url)
        ears.wait_for_state(company, "connected")
    assert ears.gaps(company) == [("token_changed", True)]


def test_a_supervisor_that_meets_a_bug_leaves_a_gap(
    ears: Listening, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_socket: Socket) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Socket, "wait", broken)
        company = ears.company(token)
        ears.wait_for_state(company, "reconnecting")
    ears.wait_for_state(company, "connected")
    assert [ended for _, ended in ears.gaps(company)] == [True]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer that is soon full, and a locked database that is soon noticed."""
    monkeypatch.setattr(buffer, "BUFFER_EVENTS", 20)
    monkeypatch.setattr(intake, "GROUP_EVENTS", 10)
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 50)
    monkeypatch.setattr(intake, "RETRY_SECONDS", 0.05)


@pytest.mark.usefixtures("small")
@pytest.mark.slow
def test_a_full_buffer_costs_no_connection_however_often_the_server_pings(app: Flask) -> None:
    token = "pressed-token-0001"
    with SimulatorProcess() as simulator, listening(app, simulator) as half:
        simulator.control("pings", interval=1, timeout=3)
        company = half.connected(token)
        with held(app.config["SQLALCHEMY_DATABASE_URI"]):
            for number in range(300):
                simulator.control("emit", token=token, event="x", args=[number])
            wait_until(lambda: half.intake.waiting >= 20, 20, "the buffer is full")
            # Longer than the server, the library and we wait for a sign of life.
            gevent.sleep(9.5)
        half.wait_for_events(300, 20)
        assert simulator.state(token)["handshakes"] == 1
        assert half.gaps(company) == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("is_wished", [True, False], ids=["stopped", "unwished"])
def test_what_lay_unread_when_a_socket_was_closed_lies_in_its_gap(
    ears: Listening, token: str, is_wished: bool
) -> None:
    company = ears.connected(token)
    with held(ears.app.config["SQLALCHEMY_DATABASE_URI"]):
        for number in range(300):
            ears.simulator.control("emit", token=token, event="x", args=[number])
        wait_until(lambda: ears.intake.waiting >= 20, 20, "the buffer is full")
        full = now_ms()
        wait_until(lambda: now_ms() > full + 1_500, 20, "much of it lies unread for a while")
        if is_wished:
            assert ears.registry.stop(2.0)
        else:
            ears.registry.forget(company)
    assert ears.status.drain(20)
    ((started, _),) = spans(ears, company)
    assert started < full + 1_000


def test_attempts_while_the_buffer_is_full_leave_nothing_behind(app: Flask) -> None:
    class Full(Ignoring):
        def pinged(self) -> None: ...

        def wait_until_accepting(self, timeout: float) -> bool:
            gevent.sleep(timeout)
            return False

    with Receiver(websocket(OPEN, CONNECT, '42["x",1]', '42["x",2]')) as server:
        before = threading.active_count()
        for _ in range(20):
            socket = Socket(Full())
            socket.open(Address(server.url(""), "t", ""), app.extensions["policy"], Resolver())
            socket.close()
        wait_until(lambda: threading.active_count() <= before, 20, "no thread is left")


def test_sixty_servers_that_say_nothing_hold_up_no_other_and_are_left_at_once(
    app: Flask, simulator: SimulatorProcess, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LIVED_SECONDS", 0.0)
    # Who waits for a silent server, or for the end of its socket, waits for too long here.
    monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 600.0)
    monkeypatch.setattr(registry, "STOP_SECONDS", 600.0)
    with Receiver(greeting=hang()) as silent, listening(app, simulator) as half:
        company = half.connected(token)
        hung = [
            half.company(f"hung-token-{number:04}", socket_url=silent.url(""))
            for number in range(60)
        ]
        simulator.control("drop", token=token)
        wait_until(lambda: simulator.state(token)["accepted"] == 2, 60, "it is back")
        half.wait_for_state(company, "connected")
        for each in hung:
            statement = f"UPDATE companies SET should_connect = false WHERE id = {each}"
            store_of(app).run(lambda c, s=statement: c.exec_driver_sql(s) and None)  # type: ignore[misc]
        half.relay.revision = 0
        with gevent.Timeout(60):
            half.notice()
        assert half.registry.counts() == (1, 1)


class Emitting:
    """Emits numbered events all the time, and remembers when."""

    def __init__(self, half: Listening, token: str) -> None:
        self.half = half
        self.token = token
        self.emitted: dict[int, tuple[float, float]] = {}
        self.unwished: list[tuple[float, float]] = []
        # Milliseconds by which this machine was late, at the most: the program notices as late.
        self.late = 0.0
        self._one_at_a_time = BoundedSemaphore()
        self._greenlet = gevent.spawn(self._emit)

    def _emit(self) -> None:
        while True:
            self.emit()
            asleep = now_ms()
            gevent.sleep(0.01)
            self.late = max(self.late, now_ms() - asleep - 10)

    def emit(self) -> None:
        """Emit one event; they leave in the order of their numbers."""
        with self._one_at_a_time:
            number = len(self.emitted) + 1
            began = now_ms()
            self.half.simulator.control("emit", token=self.token, event="x", args=[{"n": number}])
            self.emitted[number] = began, now_ms()

    def stop(self) -> None:
        self._greenlet.kill()

    def check(self, company: int) -> None:
        """Every event that is not stored was emitted in a gap, or while no socket was wished."""
        stored = [json.loads(each.payload)["n"] for each in self.half.events()]
        assert stored == sorted(set(stored))
        covered = [*spans(self.half, company), *self.unwished]
        slack = SLACK_MS + self.late
        for number in sorted(set(self.emitted) - set(stored)):
            # It left between these two moments.
            first, last = self.emitted[number]
            inside = any(
                began - slack <= last and first <= ended + slack for began, ended in covered
            )
            near = sorted(covered, key=lambda each: min(abs(each[0] - first), abs(each[1] - last)))
            assert inside, (number, first, last, near[:3])


def acts(
    half: Listening, emitting: Emitting, company: int, dice: Random
) -> list[Callable[[], None]]:
    """What may happen to a connection."""

    def edit() -> None:
        half.edit(company, agent_id=str(dice.randrange(10**6)))

    def disconnect() -> None:
        began = now_ms()
        half.wish(company, connected=False)
        gevent.sleep(0.1)
        half.wish(company, connected=True)
        half.wait_for_state(company, "connected")
        emitting.unwished.append((began, now_ms()))

    def stop() -> None:
        half.end()
        gevent.sleep(dice.choice([0, 0.1]))
        half.begin()

    def lock() -> None:
        with held(half.app.config["SQLALCHEMY_DATABASE_URI"]):
            for _ in range(60):
                emitting.emit()
            dice.choice([lambda: None, drop, half.registry.ask_stop])()
            gevent.sleep(0.2)
        if half.registry._stopping:
            stop()

    def flood() -> None:
        for _ in range(100):
            emitting.emit()

    def drop() -> None:
        half.simulator.control(dice.choice(["drop", "kick", "close"]), token=emitting.token)

    return [edit, disconnect, stop, lock, flood, drop]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("seed", "count"),
    [(1, 8), pytest.param(2, 150, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
def test_whatever_happens_what_is_missing_was_emitted_in_a_recorded_gap(
    app: Flask,
    simulator: SimulatorProcess,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    count: int,
) -> None:
    monkeypatch.setattr(connection, "LIVED_SECONDS", 0.0)
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.1)
    dice = Random(seed)  # noqa: S311 - it makes no secret
    with listening(app, simulator) as half, ExitStack() as last:
        company = half.connected(token)
        emitting = Emitting(half, token)
        last.callback(emitting.stop)
        choices = acts(half, emitting, company, dice)
        todo = [*choices, *(dice.choice(choices) for _ in range(count))][:count]
        for act in todo:
            act()
            half.wait_for_state(company, "connected")
            gevent.sleep(0.05)
        emitting.stop()
        wait_until(lambda: half.intake.waiting == 0, 20, "all is stored")
        gevent.sleep(0.3)
        assert half.intake.drain(20)
        emitting.check(company)
