"""The signs that a lane writes, the last answer, and the rates, on both databases."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from tests.delivery.lanes_world import Sending
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.extensions import db
from webhookproxy.models.deliveries.tables import end_deliveries
from webhookproxy.models.webhooks import live_webhooks
from webhookproxy.reasons import DeliveryReason, DeliveryState
from webhookproxy.troubles.answers import LastAnswer, first_line, last_answers
from webhookproxy.troubles.now import Trouble, TroubleKind, troubles_of
from webhookproxy.troubles.rates import Rate, rates
from webhookproxy.web.deliveries.attempts import failed_attempts

BROKEN: Plain = (500, {}, b'\n{"error":"banco fora do ar"}\nstack')


def troubles(half: Sending, seconds: float = 0.0) -> dict[int, Trouble]:
    """The troubles of the company's webhooks, some seconds from now."""
    now = datetime.now(UTC) + timedelta(seconds=seconds)
    with half.app.app_context():
        return troubles_of(live_webhooks(db.session(), [half.company]), now)


def answers(half: Sending, found: dict[int, Trouble]) -> dict[int, LastAnswer]:
    with half.app.app_context():
        return last_answers(db.session(), found.values())


def test_a_failing_webhook_says_its_last_answer_and_is_well_after_a_success(
    any_half: Sending,
) -> None:
    with Receiver(BROKEN) as receiver:
        webhook = any_half.webhook(receiver.url())
        began = datetime.now(UTC)
        any_half.arrive(1)
        receiver.wait_for(3)
        wait_until(lambda: any_half.health(webhook).failures >= 3, 20, "three failures are stored")
        assert troubles(any_half) == {}
        found = troubles(any_half, 61)
        trouble = found[webhook]
        assert (trouble.kind, trouble.status) == (TroubleKind.FAILING, 500)
        assert trouble.reason is DeliveryReason.FAILED_STATUS
        assert began <= trouble.since < began + timedelta(seconds=30)
        answer = wait_until(lambda: answers(any_half, found).get(webhook), 20, "the answer")
        assert (answer.line, answer.status) == ('{"error":"banco fora do ar"}', 500)
        assert answer.delivery_id == trouble.delivery_id
        with any_half.app.app_context():
            failed, older = failed_attempts(db.session(), [webhook, webhook + 1], None, 2)
            rest, _ = failed_attempts(db.session(), [webhook], older)
        # Without a login no answer is shown.
        assert {(each.status, each.line) for each in (*failed, *rest)} == {(500, "")}
        assert [each.number for each in (*failed, *rest)][-1] == 1
        receiver.answer = OK
        any_half.wait_for_ends(webhook, 1)
        assert troubles(any_half, 61) == {}
        assert any_half.health(webhook).failures_since is None


def test_a_webhook_that_refuses_a_third_is_told_though_the_rest_arrives(
    any_half: Sending,
) -> None:
    def picky(request: Received) -> Plain:
        return (422, {}, b"telefone: formato") if b'"spoiled"' in request.body else OK

    with Receiver(picky) as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(10)
        any_half.arrive(5, name="spoiled")
        any_half.wait_for_ends(webhook, 10)
        wait_until(lambda: any_half.health(webhook).first_attempts == 15, 20, "all are counted")
        trouble = troubles(any_half)[webhook]
        assert (trouble.kind, trouble.status) == (TroubleKind.REFUSING, 422)
        assert (trouble.attempts, trouble.refused) == (15, 5)
        # The row names an attempt as soon as it is answered; it may be written a moment later.
        said = wait_until(lambda: answers(any_half, troubles(any_half)).get(webhook), 20, "answer")
        assert said.line == "telefone: formato"


def test_410_is_a_pause_of_the_receivers_making(any_half: Sending) -> None:
    with Receiver((410, {}, b"")) as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(1)
        wait_until(lambda: webhook in troubles(any_half), 20, "the webhook is paused")
        found = troubles(any_half)[webhook]
        assert (found.kind, found.reason) == (TroubleKind.PAUSED, DeliveryReason.GONE)


def test_the_rate_counts_what_ended_with_an_answer_or_by_age(any_half: Sending) -> None:
    with Receiver() as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(4)
        any_half.wait_for_ends(webhook, 4)
    hour = int(time.time()) // 3600
    any_half.execute(f"INSERT INTO hourly_deliveries VALUES ({webhook}, {hour}, 'failed', 0, 9)")
    waiting = any_half.webhook("http://127.0.0.1:9999/")
    with any_half.app.app_context():
        assert rates(db.session(), [webhook, waiting], hour - 1) == {
            webhook: Rate(delivered=4),
            waiting: Rate(),
        }
    ids = [due.id for due in any_half.store_events(3) if due.webhook_id == webhook]

    def job(connection: Connection) -> None:
        now_ms = round(time.time() * 1000)
        state, reason = DeliveryState.EXPIRED, DeliveryReason.MAX_AGE
        end_deliveries(connection, webhook, ids[:1], state, reason, now_ms)
        state, reason = DeliveryState.CANCELLED, DeliveryReason.DISCARDED
        end_deliveries(connection, webhook, ids[1:], state, reason, now_ms)

    any_half.store.run(job)
    with any_half.app.app_context():
        rate = rates(db.session(), [webhook], hour - 1)[webhook]
        earlier = rates(db.session(), [webhook], hour - 2, hour - 1)[webhook]
    assert rate == Rate(delivered=4, expired=1, cancelled=2)
    assert (rate.share, earlier.share) == (0.8, None)


def test_the_first_line_of_an_answer_is_short() -> None:
    assert first_line(None) == first_line(" \n ") == ""
    assert first_line("<html>\n<h1>x") == "<html>"
    assert len(first_line("x" * 5000)) == 200


def test_the_signs_survive_the_purge_of_their_delivery(any_half: Sending) -> None:
    with Receiver((410, {}, b"")) as receiver:
        webhook = any_half.webhook(receiver.url())
        any_half.arrive(1)
        wait_until(lambda: webhook in troubles(any_half), 20, "the webhook is paused")
    any_half.execute("DELETE FROM attempts")
    found = troubles(any_half)
    assert answers(any_half, found) == {}
    assert rows(any_half.app, "SELECT failures FROM webhook_health")[0][0] == 1
