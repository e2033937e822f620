"""One made-up event, sent now: what it was, and what came back."""

from __future__ import annotations

import json

import psutil
import pytest
from flask import Flask

from tests.support.application import make_company, make_webhook, rows
from tests.support.receiver import Plain, Receiver
from webhookproxy.delivery.sending.trial import TrialResult, run_trial
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.rules import Refused


def trial(app: Flask, webhook: int, event: str | None = None) -> TrialResult:
    with app.app_context():
        session = db.session()
        found = find_webhook(session, webhook)
        return run_trial(session, found, event, app.extensions["policy"])


def test_what_is_shown_is_what_was_sent(app: Flask) -> None:
    with Receiver() as receiver:
        webhook = make_webhook(
            app, make_company(app), receiver.url(), authorization="canary-key", secret="canary-s"
        )
        result = trial(app, webhook, "agent-is-idle")
        (received,) = receiver.requests
    assert result.accepted
    assert (result.outcome.status, result.outcome.answer) == (200, '{"status":"ok"}')
    assert result.request.body.encode() == received.body
    assert json.loads(received.body)["event"] == "agent-is-idle"
    for name, value in result.request.headers:
        assert value in ("…", "Bearer …", received.headers[name])
    assert (
        dict(result.request.headers)["webhook-timestamp"] == received.headers["webhook-timestamp"]
    )
    assert "canary" not in str(result)
    assert rows(app, "SELECT 1 FROM deliveries") == []


def test_a_refusal_is_a_result_with_its_answer(app: Flask) -> None:
    answer: Plain = (422, {}, b"no such field")
    with Receiver(answer) as receiver:
        webhook = make_webhook(app, make_company(app), receiver.url())
        result = trial(app, webhook)
    assert not result.accepted
    assert (result.outcome.status, result.outcome.answer) == (422, "no such field")


def test_a_word_that_is_no_event_name_is_refused_in_both_languages(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4009/")
    with pytest.raises(Refused, match="not an event name") as refused:
        trial(app, webhook, " no name")
    assert refused.value.problems[0].portuguese.startswith("Isto não é um nome de evento")


def test_trials_leave_no_thread_behind(app: Flask) -> None:
    with Receiver() as receiver:
        webhook = make_webhook(app, make_company(app), receiver.url(host="localhost"))
        assert trial(app, webhook).accepted
        before = psutil.Process().num_threads()
        for _ in range(8):
            assert trial(app, webhook).accepted
    assert psutil.Process().num_threads() <= before + 1
