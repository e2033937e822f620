"""The whole: a simulator, receivers and server processes, on both databases."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter, defaultdict
from pathlib import Path

import gevent
import pytest
from flask import Flask
from standardwebhooks import Webhook as StandardWebhook

from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.databases import QUICK_ON_SQLITE
from tests.support.receiver import Received, Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

SECRET = "canary-secret-of-the-webhooks"
TYPED_NAME = "evento-digitado"
NAMES = (
    "call-was-created",
    "call-was-answered",
    "call-was-connected",
    "call-was-finished",
    "call-history-was-created",
    "call-was-not-answered",
    "agent-is-idle",
    "agent-in-acw",
    "agent-entered-manual",
)
CHOSEN = ("call-was-connected", "agent-is-idle")


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def event_id(request: Received) -> str:
    return request.headers["webhook-id"]


def sent_text(request: Received) -> str:
    """Name and payload, exactly as the body has them."""
    text = request.body.decode()
    return text[: text.rindex(',"meta":')]


def emitted_text(frame: str) -> str:
    """Return name and payload of a frame with one argument, as the simulator emitted it."""
    name, _, payload = frame.removeprefix("42[")[:-1].partition(",")
    return f'{{"event":{name},"payload":{payload}'


def assert_signed(request: Received) -> None:
    """Check both signatures like a receiver."""
    plain = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Signature-SHA256"] == plain
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert StandardWebhook(SECRET.encode()).verify(request.body, headers)


def by_path(receiver: Receiver) -> defaultdict[str, list[Received]]:
    found: defaultdict[str, list[Received]] = defaultdict(list)
    for request in receiver.requests:
        found[request.path].append(request)
    return found


def assert_in_order(app: Flask, requests: list[Received]) -> None:
    """Check that the first receipts of each ordering key have the order of the stored events."""
    stored = {
        row.public_id: row for row in rows(app, "SELECT public_id, id, order_key FROM events")
    }
    last: dict[str, int] = {}
    for identity in dict.fromkeys(event_id(request) for request in requests):
        row = stored[identity]
        assert row.id > last.get(row.order_key, 0), f"{identity} came after a later one of its key"
        last[row.order_key] = row.id


def emit_ten_kinds(simulator: SimulatorProcess, token: str) -> None:
    """Three hundred events of ten kinds, about thirty-three calls, agents and others."""
    for turn in range(3):
        for name in NAMES:
            simulator.control("burst", token=token, count=10, event=name, distinct_keys=False)
        for number in range(10):
            call = {"call": {"telephony_id": f"call-{turn}", "número": number}}
            simulator.control("emit", token=token, event=TYPED_NAME, args=[call])


@QUICK_ON_SQLITE
def test_each_event_arrives_once_where_it_should_and_in_order(
    app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(
        app, simulator.url, token, name="Aberta", connected=True, hide_credentials=False
    )
    hiding_token = f"{token}-hiding"
    hiding = make_company(app, simulator.url, hiding_token, name="Fechada", connected=True)
    for path, names in (("/all", None), ("/two", CHOSEN), ("/typed", (TYPED_NAME,))):
        make_webhook(app, company, receiver.url(path), events=names, secret=SECRET)
    make_webhook(app, hiding, receiver.url("/hidden"), secret=SECRET)

    with ServerProcess(database_url, tmp_path) as server:
        server.wait_for_sockets(2)
        emit_ten_kinds(simulator, token)
        agent = {"agent": {"id": 7, "api_token": "canary-of-an-agent", "name": "Ana"}}
        simulator.control("emit", token=hiding_token, event="agent-is-idle", args=[agent])
        receiver.wait_for(300 + 60 + 30 + 1, 30)
        server.wait_until_settled()
        health = server.health()

    assert (health["status"], health["storing"], health["owner"]) == (200, True, True)
    came = by_path(receiver)
    assert {path: len(requests) for path, requests in came.items()} == {
        "/all": 300,
        "/two": 60,
        "/typed": 30,
        "/hidden": 1,
    }
    for requests in came.values():
        assert len({event_id(request) for request in requests}) == len(requests)
        assert_in_order(app, requests)
        for request in requests:
            assert_signed(request)
    emitted = [emitted_text(each["frame"]) for each in simulator.emitted(token)]
    assert Counter(map(sent_text, came["/all"])) == Counter(emitted)
    assert {request.headers["X-Webhook-Event"] for request in came["/two"]} == set(CHOSEN)
    assert {request.headers["X-Webhook-Event"] for request in came["/typed"]} == {TYPED_NAME}
    assert sent_text(came["/hidden"][0]) == (
        '{"event":"agent-is-idle","payload":{"agent":{"id":7,"api_token":"[oculto]","name":"Ana"}}'
    )
    states = rows(app, "SELECT state, COUNT(*) AS n FROM deliveries GROUP BY state")
    assert [tuple(row) for row in states] == [("delivered", 391)]
    for canary in (token, hiding_token, SECRET, "canary-of-an-agent"):
        assert canary not in server.output


@QUICK_ON_SQLITE
def test_a_webhook_created_by_another_process_gets_the_next_event(
    app: Flask,
    database_url: str,
    tmp_path: Path,
    simulator: SimulatorProcess,
    receiver: Receiver,
    token: str,
) -> None:
    company = make_company(app, simulator.url, token, connected=True)
    with ServerProcess(database_url, tmp_path) as server:
        server.wait_for_sockets(1)
        simulator.control("emit", token=token, event="agent-is-idle")
        make_webhook(app, company, receiver.url(), secret=SECRET)

        def arrives() -> bool:
            simulator.control("emit", token=token, event="agent-in-acw")
            gevent.sleep(0.05)
            return bool(receiver.requests)

        wait_until(arrives, 20, "the new webhook gets an event")
        assert receiver.requests[0].headers["X-Webhook-Event"] == "agent-in-acw"
        assert simulator.state(token)["accepted"] == 1
