from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from gevent.pywsgi import WSGIServer

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from tests.support.application import make_company

SECRET = "canary-signing-secret-0001"


class Receiver:
    """Answers every POST with `status` and keeps what came."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.got: list[tuple[dict[str, Any], bytes]] = []
        self.server = WSGIServer(("127.0.0.1", 0), self._answer, log=None, error_log=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.got.append((environ, environ["wsgi.input"].read()))
        start(self.status, [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    receiver = Receiver()
    receiver.server.start()
    yield receiver
    receiver.server.stop()


def test_a_test_event_is_signed_and_shaped_as_any_other(
    run: Run, receiver: Receiver, app: Flask
) -> None:
    company = make_company(app)
    events = ("agent-is-idle",)
    world.make_webhook(app, company, receiver.url, secret=SECRET, events=events)
    assert run("webhook", "test", "webhook_1").stdout.startswith("200 in ")
    ((environ, body),) = receiver.got
    sent = json.loads(body)
    assert list(sent) == ["event", "payload", "meta"]
    assert sent["event"] == environ["HTTP_X_WEBHOOK_EVENT"] == "agent-is-idle"
    assert sent["payload"]
    assert sent["meta"]["company_id"] == "company_1"
    assert sent["meta"]["event_id"].startswith("evt_")
    assert world.TOKEN not in body.decode()
    expected = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    assert environ["HTTP_X_SIGNATURE_SHA256"] == expected
    assert environ["HTTP_X_WEBHOOK_ATTEMPT"] == "1"


def test_nothing_of_a_test_event_is_stored(run: Run, receiver: Receiver, app: Flask) -> None:
    world.make_webhook(app, make_company(app), receiver.url)
    run("webhook", "test", "1")
    for table in ("events", "deliveries", "attempts", "hourly_deliveries"):
        assert world.rows(app, f"SELECT * FROM {table}") == []


def test_the_event_is_the_one_asked_for_or_a_usual_one(
    run: Run, receiver: Receiver, app: Flask
) -> None:
    world.make_webhook(app, make_company(app), receiver.url)
    run("webhook", "test", "1")
    run("webhook", "test", "1", "--event", "never-heard-of")
    sent = [json.loads(body) for _, body in receiver.got]
    assert [each["event"] for each in sent] == ["call-was-connected", "never-heard-of"]
    assert sent[0]["payload"] != {}
    assert sent[1]["payload"] == {}
    assert sent[0]["meta"]["event_id"] != sent[1]["meta"]["event_id"]


def test_a_failure_is_a_sentence_and_exit_code_1(receiver: Receiver, app: Flask) -> None:
    world.make_webhook(app, make_company(app), receiver.url)
    receiver.status = "503 Service Unavailable"
    result = app.test_cli_runner().invoke(args=["webhook", "test", "1"])
    assert result.exit_code == 1
    assert result.stdout.startswith("The receiver answered with an error status (503 in ")
    assert result.stdout.count("\n") == 1


def test_a_receiver_that_is_not_there_is_a_sentence(app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    result = app.test_cli_runner().invoke(args=["webhook", "test", "1"])
    assert result.exit_code == 1
    assert "refused the connection" in result.stdout
    assert result.stdout.count("\n") == 1


def test_an_address_that_is_not_allowed_gets_no_test_event(
    receiver: Receiver, app: Flask, sqlite_url: str, tmp_path: Path
) -> None:
    world.make_webhook(app, make_company(app), receiver.url)
    with world.application(sqlite_url, tmp_path, ALLOW_PRIVATE_TARGETS="0") as strict:
        result = strict.test_cli_runner().invoke(args=["webhook", "test", "1"])
    assert result.exit_code == 1
    assert "not allowed" in result.stdout
    assert receiver.got == []


def test_a_word_that_is_no_event_name_is_refused(refuse: Refuse, app: Flask) -> None:
    world.make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    assert "not an event name" in refuse("webhook", "test", "1", "--event", "*")
    assert "There is no webhook_7" in refuse("webhook", "test", "7")
