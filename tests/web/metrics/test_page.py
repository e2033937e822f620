"""/metrics: who may read it, and what it says of this process and of the whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
from flask import Flask

from tests.engine.test_lifecycle import emit, running, wait_until_connected
from tests.support.application import application, make_company, make_webhook, wait_until
from tests.support.receiver import Receiver
from tests.support.simulator_process import SimulatorProcess
from tests.web.metrics.scraping import ALLOWED, TOKEN, Scraped, scrape
from tests.web.support.sockets import execute, owner
from webhookproxy.counts import PLACES, Durations
from webhookproxy.database.fence import SHARDS
from webhookproxy.delivery.outcomes.tally import Tally
from webhookproxy.engine.health import Counts, Health
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.web.metrics import page


@contextmanager
def relaying(app: Flask) -> Iterator[Engine]:
    """Run the engine as the one that the pages ask."""
    with running(app) as engine:
        app.extensions["engine"] = engine
        wait_until_connected(engine)
        yield engine


def test_nobody_reads_it_without_the_token(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/metrics", headers=ALLOWED).status_code == 404
    app.config["METRICS_TOKEN"] = TOKEN
    for given in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"bearer {TOKEN}", "é"):
        answer = client.get("/metrics", headers={"Authorization": given})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), given
        assert TOKEN not in answer.text
    answer = client.get("/metrics", headers=ALLOWED)
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")


def test_a_text_is_made_once_a_second_for_everybody_at_once() -> None:
    made = []

    def make() -> bytes:
        made.append(1)
        gevent.sleep(0.01)
        return b"text"

    kept = page.KeptText(make)
    asking = [gevent.spawn(kept.get) for _ in range(20)]
    gevent.joinall(asking, timeout=60)
    assert [each.value for each in asking] == [b"text"] * 20
    assert len(made) == 1


def test_a_text_that_is_old_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "KEPT_SECONDS", 0.0)
    texts = iter((b"first", b"second"))
    kept = page.KeptText(lambda: next(texts))
    assert (kept.get(), kept.get()) == (b"first", b"second")


def test_a_text_that_is_never_ready_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "WAIT_SECONDS", 0.01)
    kept = page.KeptText(lambda: gevent.sleep(60) or b"")  # type: ignore[func-returns-value]
    stuck = gevent.spawn(kept.get)
    gevent.sleep(0)
    assert kept.get() is None
    stuck.kill()


def test_durations_are_counted_below_powers_of_two() -> None:
    durations = Durations()
    for milliseconds in (0, 1, 2, 3, 1023, 1024, 1 << 40):
        durations.add(milliseconds)
    assert {place: n for place, n in enumerate(durations.counts) if n} == {
        0: 1,
        1: 1,
        2: 2,
        10: 1,
        11: 1,
        PLACES - 1: 1,
    }


def test_a_process_that_waits_says_what_the_database_knows(any_app: Flask) -> None:
    app = any_app
    make_company(app, name="Empresa Canária", connected=True)
    execute(app, "UPDATE connections SET state = 'connected', fence = 7")
    began = "INSERT INTO gaps (company_id, started_at, ended_at, reason) VALUES (1, :at, :end, 'x')"
    execute(app, began, at=1_000, end=2_000)
    owner(app)
    found = scrape(app)
    assert found.value("webhookproxy_sockets_wished") == 1
    assert found.value("webhookproxy_sockets_connected") == 1
    assert found.value("webhookproxy_open_gaps") == 0
    assert found.value("webhookproxy_longest_open_gap_seconds") == 0
    assert found.value("webhookproxy_data_bytes") > 0
    # No engine runs in this process, so it is not well, and counts nothing.
    assert found.value("webhookproxy_storing") == 0
    assert "webhookproxy_events_total" not in found.names
    assert found.value("webhookproxy_day_gap_seconds") == 0
    now_ms = round(time.time() * 1000)
    execute(app, began, at=now_ms - 90_000_000, end=now_ms - 80_000_000)
    execute(app, began, at=now_ms - 60_000, end=now_ms - 30_000)
    assert scrape(app).value("webhookproxy_day_gap_seconds") == 30
    execute(app, began, at=now_ms - 20_000, end=None)
    found = scrape(app)
    assert 50 <= found.value("webhookproxy_day_gap_seconds") < 80
    assert found.value("webhookproxy_open_gaps") == 1
    assert 20 <= found.value("webhookproxy_longest_open_gap_seconds") < 50


class IdleEngine:
    """The engine of an owner that did nothing so far."""

    def health(self) -> Health:
        return Health(SHARDS, True, 2, 1, 3, 4)

    def counts(self) -> Counts:
        return Counts(0, Tally(), Durations())


def test_what_the_process_knows_is_told_also_without_a_database(tmp_path: Path) -> None:
    with application(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path) as app:
        app.extensions["engine"] = IdleEngine()
        found = scrape(app)
    assert found.value("webhookproxy_storing") == 0
    assert found.value("webhookproxy_buffered_events", process="owner") == 3
    assert found.value("webhookproxy_loop_lag_seconds", process="owner") == 0.004
    assert found.value("webhookproxy_sockets_wished") == 2
    assert not {"webhookproxy_data_bytes", "webhookproxy_open_gaps"} & found.names


def test_the_owner_counts_what_it_stores_and_sends(
    any_app: Flask, simulator: SimulatorProcess, receiver: Receiver, token: str
) -> None:
    company = make_company(any_app, simulator.url, token, connected=True, name="Canária")
    make_webhook(any_app, company, receiver.url("/canary"), name="Canário", secret="canary-secret")
    with relaying(any_app) as engine:
        emit(simulator, token, 3)
        # The counts follow the commit.
        wait_until(lambda: sum(engine.counts().sent.delivered.counts) == 3)
        found = scrape(any_app)
    of_the_owner = {"process": "owner"}
    assert found.value("webhookproxy_storing") == 1
    assert found.value("webhookproxy_events_total", **of_the_owner) == 3
    assert found.value("webhookproxy_attempts_total", **of_the_owner, **{"class": "success"}) == 3
    for name in ("attempt", "delivery"):
        assert found.value(f"webhookproxy_{name}_seconds_count", **of_the_owner) == 3
        assert found.value(f"webhookproxy_{name}_seconds_bucket", **of_the_owner, le="+Inf") == 3
    assert found.value("webhookproxy_commit_seconds_count", **of_the_owner) > 0
    assert found.value("webhookproxy_sockets_connected") == 1
    assert found.value("webhookproxy_webhook_waiting", webhook="webhook_1") == 0
    assert_no_name(found, token)


def test_a_receiver_that_fails_is_seen_by_its_age_and_its_circuit(
    app: Flask, simulator: SimulatorProcess, receiver: Receiver, token: str
) -> None:
    receiver.answer = (503, {}, b"canary: telefone (11) 91234-5678")
    company = make_company(app, simulator.url, token, connected=True)
    make_webhook(app, company, receiver.url())

    def value(name: str) -> float:
        return scrape(app).value(f"webhookproxy_webhook_{name}", webhook="webhook_1")

    with relaying(app):
        for number in range(6):
            call = [{"call": {"id": number, "phone": "11912345678"}}]
            simulator.control("emit", token=token, event="call-was-created", args=call)
        wait_until(lambda: value("circuit_open") == 1)
        # The circuit may open before the last event was stored.
        wait_until(lambda: value("waiting") == 6)
        age = value("oldest_waiting_seconds")
        wait_until(lambda: value("oldest_waiting_seconds") > age)
        found = scrape(app)
    assert found.value("webhookproxy_attempts_total", **{"class": "failure"}) >= 3
    assert_no_name(found, token)


def assert_no_name(found: Scraped, token: str) -> None:
    """Check that no name, address, secret or payload is in the text."""
    for private in ("anári", "canary", "127.0.0.1", "91234", "telefone", token, TOKEN):
        assert private not in found.text
