"""The dead man's switch: when it calls, and what it says where it cannot."""

from __future__ import annotations

import logging
from functools import partial

import pytest
from flask import Flask

from tests.engine.test_lifecycle import running
from tests.support.receiver import OK, Answer, Receiver, hang, raw
from tests.web.support.sockets import DEAD_MS, execute, owner
from webhookproxy.engine import dead_man
from webhookproxy.engine.dead_man import AGAIN_SECONDS, CALL_SECONDS, DeadMansSwitch
from webhookproxy.engine.liveness import look
from webhookproxy.extensions import db
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.network.http.client import Client

SECRET = "/canary-0123-4567/of-the-monitor?key=canary"


INSIDE = Policy(allow_private=True, allow_http=True)


def switch(
    app: Flask, url: str, failing_since: float | None = None, policy: Policy = INSIDE
) -> DeadMansSwitch:
    with app.app_context():
        reading = db.engine
    client = Client(policy, Resolver(), max_idle=0)
    return DeadMansSwitch(url, client, partial(look, reading, lambda: failing_since))


def test_it_calls_while_events_are_stored_and_at_no_other_time(
    app: Flask, receiver: Receiver
) -> None:
    job = switch(app, receiver.url(SECRET))
    # No process has ever owned the sockets.
    assert not job.step()
    owner(app, DEAD_MS)
    assert not job.step()
    owner(app)
    assert job.step()
    assert job.pause == CALL_SECONDS
    assert not switch(app, receiver.url(SECRET), failing_since=1.0).step()
    execute(app, "UPDATE leases SET failing_since = 1")
    assert not job.step()
    got = receiver.requests
    assert [(each.method, each.path, each.body) for each in got] == [("GET", SECRET, b"")]
    assert got[0].headers["User-Agent"].startswith("webhookproxy/")


def test_it_does_nothing_without_an_address(app: Flask) -> None:
    owner(app)
    assert not switch(app, "").step()


def test_a_failure_is_said_once_an_hour_without_the_address(
    app: Flask,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    owner(app)
    job = switch(app, receiver.url(SECRET))
    answers: list[Answer] = [
        (404, {}, b"canary: no such check"),
        (307, {"Location": f"http://127.0.0.1:9{SECRET}"}, b""),
        lambda _: hang(),
        lambda _: raw(b"canary\r\n\r\n"),
    ]
    hangs = answers[2]
    for answer in answers:
        monkeypatch.setattr(dead_man, "TIMEOUT_SECONDS", 0.1 if answer is hangs else 60.0)
        receiver.answer = answer
        assert not job.step()
        assert job.pause == AGAIN_SECONDS
    assert [each.getMessage() for each in caplog.records] == [
        "HEARTBEAT_URL (127.0.0.1) takes no calls: It answered 404."
    ]
    monkeypatch.setattr(dead_man, "QUIET_SECONDS", 0.0)
    assert not job.step()
    receiver.answer = OK
    assert job.step()
    assert job.step()
    said = [each.getMessage() for each in caplog.records[1:]]
    assert len(said) == 2
    assert said[1] == "HEARTBEAT_URL (127.0.0.1) takes calls again"
    assert "canary" not in caplog.text


def test_an_address_inside_is_not_called_from_a_public_server(
    app: Flask, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    owner(app)
    job = switch(app, receiver.url(SECRET), policy=Policy())
    assert not job.step()
    assert receiver.requests == []
    assert "takes no calls" in caplog.text
    assert "canary" not in caplog.text


def test_the_owner_of_the_sockets_calls(
    app: Flask, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_man, "AGAIN_SECONDS", 0.05)
    app.config["HEARTBEAT_URL"] = receiver.url(SECRET)
    with running(app):
        receiver.wait_for(1)
