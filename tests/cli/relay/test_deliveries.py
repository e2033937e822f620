from __future__ import annotations

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from webhookproxy.rules.webhooks import WebhookState

URL = "http://127.0.0.1:4009/hook"


@pytest.fixture(autouse=True)
def delivery(app: Flask) -> int:
    """Create a webhook with one waiting delivery; return its number."""
    webhook = world.make_webhook(app, world.make_company(app), URL)
    execute(
        app,
        "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
        " token_mask, received_ms, hidden) VALUES (1, 'evt_1', 1, 'x', '{}', 'k', 's', 'm', 1, 0)",
    )
    execute(
        app,
        "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
        f" attempts, born_ms, due_ms) VALUES (1, 1, {webhook}, 'k', 'retrying', 'failed_status',"
        " 2, 2, 1, 99999999999999)",
    )
    execute(app, "UPDATE webhook_health SET created = 1")
    return 1


def execute(app: Flask, statement: str) -> None:
    world.store_of(app).run(lambda connection: connection.exec_driver_sql(statement) and None)


def end(app: Flask) -> None:
    execute(app, "UPDATE deliveries SET state = 'refused', ended_ms = 1")
    execute(app, "UPDATE webhook_health SET refused = 1")


def test_what_ended_is_queued_again_once(run: Run, app: Flask) -> None:
    end(app)
    result = run("delivery", "resend", "delivery_1")
    assert result.stdout == "delivery_1 is queued again.\n"
    assert "No server is running now" in result.stderr
    assert run("delivery", "resend", "1").stdout == "delivery_1 was waiting already.\n"
    (row,) = world.rows(app, "SELECT state, reason, tries, attempts FROM deliveries")
    assert tuple(row) == ("queued", "resent", 0, 2)
    assert world.rows(app, "SELECT created FROM webhook_health") == [(2,)]


def test_what_ended_is_queued_in_the_format_of_now_if_that_is_asked(run: Run, app: Flask) -> None:
    end(app)
    execute(app, "UPDATE webhooks SET format_number = 7")
    run("delivery", "resend", "1", "--new-format")
    assert world.rows(app, "SELECT format_number, reason FROM deliveries") == [(7, "resent")]


def test_what_waits_is_to_be_tried_now(run: Run, app: Flask) -> None:
    assert run("delivery", "retry", "1").stdout == "delivery_1 is tried now.\n"
    assert world.rows(app, "SELECT due_ms FROM deliveries") == [(None,)]
    changes = world.rows(app, "SELECT webhook_id, delivery_id FROM changes ORDER BY number DESC")
    assert tuple(changes[0]) == (1, 1)


def test_what_comes_before_is_said_to_be_tried(run: Run, app: Flask) -> None:
    execute(
        app,
        "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
        " attempts, born_ms) VALUES (2, 2, 1, 'k', 'queued', 'waiting_turn', 0, 0, 1)",
    )
    said = run("delivery", "retry", "2").stdout
    assert said == "delivery_1 is tried now: it comes before delivery_2.\n"


def test_what_has_ended_does_not_stop_the_retry_of_others(app: Flask) -> None:
    execute(
        app,
        "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
        " attempts, born_ms, ended_ms) VALUES (2, 2, 1, 'other', 'refused', 'status', 1, 1, 1, 1)",
    )
    done = app.test_cli_runner().invoke(args=["delivery", "retry", "2", "1"])
    assert (done.exit_code, done.stdout) == (2, "delivery_1 is tried now.\n")
    assert "`flask delivery resend delivery_2`" in done.stderr


def test_what_cannot_be_done_is_a_sentence(refuse: Refuse, run: Run, app: Flask) -> None:
    assert "There is no delivery_9" in refuse("delivery", "resend", "9")
    assert "write it as delivery_1" in refuse("delivery", "retry", "webhook_1")
    run("webhook", "pause", "1")
    assert "is paused" in refuse("delivery", "retry", "1")
    run("webhook", "resume", "1")
    end(app)
    assert "`flask delivery resend delivery_1`" in refuse("delivery", "retry", "1")
    run("webhook", "delete", "1", "--yes")
    assert "There is no webhook_1" in refuse("delivery", "resend", "1")


def test_resuming_with_discard_marks_what_waits_and_only_once(run: Run, app: Flask) -> None:
    assert "Nothing was discarded" in run("webhook", "resume", "1", "--discard").stderr
    run("webhook", "pause", "1")
    assert run("webhook", "resume", "1", "--discard").stdout == "webhook_1 is active.\n"
    query = "SELECT state, discard_until FROM webhooks"
    assert world.rows(app, query) == [(WebhookState.ACTIVE.value, 1)]


def test_what_did_not_arrive_is_counted_then_resent_then_stopped(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    end(app)
    assert "would send 1 deliveries to webhook_1" in refuse("delivery", "resend-missed", "1")
    assert world.rows(app, "SELECT 1 FROM bulk_resends") == []
    done = run("delivery", "resend-missed", "webhook_1", "--yes")
    assert done.stdout == "resend_1 of 1 deliveries to webhook_1 is begun.\n"
    assert "No server is running now" in done.stderr
    assert "is running" in refuse("delivery", "resend-missed", "1", "--yes")
    assert run("delivery", "stop-resend", "resend_1").stdout == "resend_1 is cancelled.\n"
    assert run("delivery", "stop-resend", "1").stdout == "resend_1 was not running.\n"
    of_others = refuse("delivery", "resend-missed", "1", "--event", "y", "--yes")
    assert "nothing to send" in of_others
    assert "There is no webhook_9" in refuse("delivery", "resend-missed", "9")


def test_what_somebody_cancelled_is_resent_only_if_that_is_said(refuse: Refuse, app: Flask) -> None:
    execute(app, "UPDATE deliveries SET state = 'cancelled', ended_ms = 1")
    assert "would send 0 deliveries" in refuse("delivery", "resend-missed", "1")
    assert "would send 1 deliveries" in refuse("delivery", "resend-missed", "1", "--cancelled")


def test_what_had_arrived_is_counted_then_sent(run: Run, refuse: Refuse, app: Flask) -> None:
    execute(app, "DELETE FROM deliveries")
    command = ("webhook", "send-stored", "1")
    assert "would send 1 events to webhook_1" in refuse(*command, "--since", "1970-01-01T00:00Z")
    assert "is not a time" in refuse(*command, "--since", "ontem")
    assert "in the future" in refuse(*command, "--since", "2999-01-01T00:00")
    assert world.rows(app, "SELECT 1 FROM bulk_resends") == []
    # The event came in the first millisecond of 1970, and the company's clock is behind.
    done = run(*command, "--since", "1969-12-31T21:00", "--yes")
    assert done.stdout == "resend_1 of 1 events to webhook_1 is begun.\n"
    assert "No server is running now" in done.stderr
    (entry,) = world.rows(app, "SELECT detail, who FROM audit WHERE action = 'send_stored'")
    assert tuple(entry) == ("1", "cli")
