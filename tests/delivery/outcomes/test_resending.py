"""A bulk resend goes on behind the traffic, and neither loses nor repeats a delivery."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import pytest

from tests.delivery.acting import URL, check_waiting, ids, never_again
from tests.delivery.lanes_world import Sending, attempt, by_key, numbers
from tests.support.application import rows, wait_until
from tests.support.receiver import OK, Plain, Received, Receiver
from webhookproxy.database.store import Store
from webhookproxy.delivery.outcomes import resending
from webhookproxy.delivery.outcomes.resending import Resending
from webhookproxy.models.audit import CLI
from webhookproxy.models.deliveries import actions as acts
from webhookproxy.models.deliveries.actions import resend
from webhookproxy.models.deliveries.bulk_resends import begin, cancel
from webhookproxy.models.deliveries.missed import Counted, Wanted, count
from webhookproxy.reasons import DeliveryState
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookState

REFUSE: Plain = (400, {}, b"no")


def the_job(half: Sending) -> Resending:
    """The job of the process that owns the sockets."""
    given = (half.lanes.attend, half.journal.reserved)
    return Resending(half.store, half.reading, *given, 7, half.clock)


def missed(half: Sending, webhook: int, number: int, state: str = "refused") -> list[int]:
    """So many deliveries that ended badly, as if their receiver had said so."""
    half.lanes.results.drain(20)
    before = ids(half, webhook)
    half.store_events(number)
    mine = [each for each in ids(half, webhook) if each not in before]
    half.execute(
        f"UPDATE deliveries SET state = '{state}', reason = 'refused_status', ended_ms = 1,"
        f" status = 400 WHERE id >= {mine[0]} AND id <= {mine[-1]}"
    )
    half.execute(
        f"UPDATE webhook_health SET {state} = {state} + {number} WHERE webhook_id = {webhook}"
    )
    start_anew(half)
    return mine


def start_anew(half: Sending) -> None:
    """Stop and start, so that the lanes know of rows that were not offered to them."""
    half.end()
    half.build()
    half.begin()


def counted(half: Sending, webhook: int, **given: object) -> tuple[Wanted, Counted]:
    wanted = Wanted(webhook, **given)  # type: ignore[arg-type]
    return wanted, half.store.session(lambda session: count(session, wanted))


def ask(half: Sending, webhook: int, **given: object) -> int:
    """A bulk resend of what did not arrive; its number."""
    wanted, found = counted(half, webhook, **given)
    return half.store.session(lambda session: begin(session, wanted, found, CLI))


def bulk(half: Sending, number: int) -> dict[str, object]:
    (row,) = rows(half.app, "SELECT * FROM bulk_resends WHERE id = :id", id=number)
    return dict(row._mapping)


def go_on_until(half: Sending, condition: Callable[[], object], seconds: float = 20.0) -> Resending:
    """Step, as the engine does, until something is so."""
    steps = the_job(half)

    def stepped() -> object:
        steps.step()
        return condition()

    wait_until(stepped, seconds)
    return steps


def is_over(half: Sending, number: int) -> Callable[[], bool]:
    def over() -> bool:
        row = bulk(half, number)
        return row["state"] == "finished" and row["waiting"] in ("[]", [])

    return over


def test_everything_that_did_not_arrive_is_sent_again_in_order_with_the_same_bytes(
    any_half: Sending,
) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), secret="s" * 32, parallelism=1)
        half.arrive(2)
        half.wait_for_ends(webhook, 2)
        before = {each.headers["webhook-id"]: each for each in receiver.requests}
        half.execute("UPDATE deliveries SET state = 'expired'")
        half.execute("UPDATE webhook_health SET expired = 2, delivered = 0")
        missed(half, webhook, 38)
        number, sent = ask(half, webhook), len(receiver.requests)
        assert bulk(half, number)["total"] == 40
        go_on_until(half, is_over(half, number))
        again = receiver.requests[sent:]
        assert len(again) == 40
        assert numbers(again) == sorted(numbers(again))
        for each in again[:2]:
            first = before[each.headers["webhook-id"]]
            assert (first.body, attempt(each)) == (each.body, attempt(first) + 1)
        row = bulk(half, number)
        assert (row["queued"], row["skipped"], row["delivered"], row["failed"]) == (40, 0, 40, 0)
        assert {each[0] for each in rows(half.app, "SELECT resends FROM deliveries")} == {1}
        check_waiting(half, webhook)


def test_only_what_is_asked_for_is_resent(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.store_events(3, name="call-was-ended")
        half.store_events(3, name="agent-is-idle")
        half.execute("UPDATE deliveries SET state = 'refused', ended_ms = 1")
        mine = ids(half, webhook)
        half.execute(f"UPDATE deliveries SET state = 'cancelled' WHERE id = {mine[0]}")
        half.execute(f"UPDATE events SET received_ms = 1000 WHERE id <= {_event(half, mine[1])}")
        start_anew(half)
        given = {"states": (DeliveryState.REFUSED,), "event": "call-was-ended", "since_ms": 5000}
        number = ask(half, webhook, **given)
        assert bulk(half, number)["total"] == 1
        go_on_until(half, is_over(half, number))
        resent = "SELECT id FROM deliveries WHERE resends > 0"
        assert [row[0] for row in rows(half.app, resent)] == [mine[2]]
        assert len(receiver.requests) == 1


def _event(half: Sending, delivery: int) -> int:
    query = "SELECT event_id FROM deliveries WHERE id = :id"
    return int(rows(half.app, query, id=delivery)[0][0])


def test_new_events_do_not_wait_behind_a_thousand_old_ones(half: Sending) -> None:
    def answer(_: Received) -> Plain:
        gevent.sleep(0.01)
        return OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=2)
        missed(half, webhook, 1000)
        number = ask(half, webhook)
        go_on_until(half, lambda: len(receiver.requests) > 10)
        half.arrive(1, name="new")
        seen = len(receiver.requests)
        go_on_until(half, lambda: "new" in _names(receiver.requests))
        at = _names(receiver.requests).index("new")
        assert at - seen <= 2 * resending.PER_WORKER_MAX + 2
        assert bulk(half, number)["state"] == "running"


def test_behind_a_slow_receiver_few_wait(half: Sending) -> None:
    def answer(_: Received) -> Plain:
        gevent.sleep(0.3)
        return OK

    with Receiver(answer) as receiver:
        webhook = half.webhook(receiver.url(), parallelism=2)
        missed(half, webhook, 100)
        number = ask(half, webhook)
        most = 0

        def looked() -> bool:
            nonlocal most
            waiting = "SELECT COUNT(*) FROM deliveries WHERE state = 'queued'"
            most = max(most, rows(half.app, waiting)[0][0])
            return len(receiver.requests) >= 10

        go_on_until(half, looked)
        # Two more may go while a step comes late on a busy machine.
        assert most <= 2 * resending.PER_WORKER + 2
        assert bulk(half, number)["state"] == "running"


def _names(requests: list[Received]) -> list[str]:
    return [each.headers["X-Webhook-Event"] for each in requests]


def test_nothing_is_queued_while_enough_waits(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    webhook = half.webhook(URL, parallelism=2, state=WebhookState.PAUSED)
    missed(half, webhook, 20)
    half.switch(webhook, WebhookState.ACTIVE)
    number = ask(half, webhook)
    half.lanes.stop(1.0)
    half.store_events(3)
    steps = the_job(half)
    assert not steps.step()
    assert bulk(half, number)["queued"] == 0
    half.execute("UPDATE deliveries SET due_ms = 9999999999999 WHERE state = 'queued'")
    assert steps.step()
    assert bulk(half, number)["queued"] == 4
    half.execute("UPDATE deliveries SET due_ms = 9999999999999 WHERE state = 'queued'")
    monkeypatch.setattr(resending, "OPEN_MAX", 7)
    assert not steps.step()


def test_the_rate_limit_holds(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), rate_limit=20)
        missed(half, webhook, 21)
        began = time.monotonic()
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        assert time.monotonic() - began >= 0.95
        assert len(receiver.requests) == 21


def test_it_goes_on_where_it_was_after_a_crash_and_repeats_nothing(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), parallelism=4)
        mine = missed(half, webhook, 60)
        number = ask(half, webhook)
        go_on_until(half, lambda: int(str(bulk(half, number)["queued"])) >= 20)
        half.crash()
        go_on_until(half, is_over(half, number))
        resent = rows(half.app, "SELECT id, resends, state FROM deliveries ORDER BY id")
        assert [tuple(row) for row in resent] == [(each, 1, "delivered") for each in mine]
        row = bulk(half, number)
        assert (row["queued"], row["delivered"]) == (60, 60)
        check_waiting(half, webhook)
        # What was in flight at the crash may have come twice, and nothing else.
        assert 60 <= len(receiver.requests) <= 60 + 4


def test_two_processes_at_the_same_moment_queue_each_delivery_once(any_half: Sending) -> None:
    """As when an owner was held up so long that another took over."""
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        missed(half, webhook, 50)
        number = ask(half, webhook)
        other = Store(half.app.config["SQLALCHEMY_DATABASE_URI"])
        theirs = Resending(
            other, half.reading, half.lanes.attend, half.journal.reserved, 7, half.clock
        )
        try:
            mine = the_job(half)
            wait_until(
                lambda: (
                    (gevent.joinall([gevent.spawn(mine.step), gevent.spawn(theirs.step)]))
                    and is_over(half, number)()
                ),
                20,
            )
        finally:
            other.close()
        assert len(receiver.requests) == 50
        row = bulk(half, number)
        assert (row["queued"], row["skipped"]) == (50, 0)
        check_waiting(half, webhook)


def test_nothing_is_written_that_could_be_lost_between_two_transactions(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the process dies of in the middle of a step, the row and the deliveries agree."""
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        mine = missed(half, webhook, 30)
        number = ask(half, webhook)
        steps = the_job(half)
        queue = acts.queue_again

        def dies(*given: object) -> list[int]:
            queue(*given)  # type: ignore[arg-type]
            raise RuntimeError("killed")

        monkeypatch.setattr(resending, "queue_again", dies)
        with pytest.raises(RuntimeError):
            steps.step()
        assert bulk(half, number)["cursor"] == bulk(half, number)["begins"]
        assert half.states(webhook) == [("refused", "refused_status")] * 30
        monkeypatch.setattr(resending, "queue_again", queue)
        # Dead after the commit, before a lane was told: the change log tells the next owner.
        Resending(
            half.store, half.reading, lambda *_: None, half.journal.reserved, 7, half.clock
        ).step()
        half.notice()
        go_on_until(half, is_over(half, number))
        assert len(set(numbers(receiver.requests))) == len(receiver.requests) == len(mine)


def test_what_personal_data_was_taken_out_of_is_skipped_and_counted(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        mine = missed(half, webhook, 10)
        half.execute(f"UPDATE events SET note = 'masked' WHERE id = {_event(half, mine[3])}")
        half.execute(f"DELETE FROM events WHERE id = {_event(half, mine[4])}")
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        row = bulk(half, number)
        assert (row["queued"], row["skipped"], row["delivered"]) == (8, 2, 8)
        assert len(receiver.requests) == 8


def test_one_that_somebody_resent_meanwhile_is_not_sent_twice(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        mine = missed(half, webhook, 10)
        number = ask(half, webhook)
        half.act(resend, mine[5])
        half.notice()
        go_on_until(half, is_over(half, number))
        assert len(receiver.requests) == 10
        check_waiting(half, webhook)


@pytest.mark.parametrize("why", ["paused", "simulated", "discarding", "circuit"])
def test_it_waits_while_the_webhook_does(
    half: Sending, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_again(monkeypatch)
    answer = {"status": 503}
    with Receiver(lambda _: (answer["status"], {}, b"")) as receiver:
        webhook = half.webhook(receiver.url())
        missed(half, webhook, 12)
        number = ask(half, webhook)
        end: Callable[[], object]
        if why == "circuit":
            half.arrive(10)
            half.wait_for("SELECT circuit_opened_at FROM webhook_health")
            answer["status"] = 200
            end = lambda: half.edit(webhook)  # noqa: E731
        elif why == "discarding":
            answer["status"] = 200
            half.execute("UPDATE webhooks SET discard_until = 1")
            end = lambda: half.execute("UPDATE webhooks SET discard_until = NULL")  # noqa: E731
        else:
            answer["status"] = 200
            half.switch(webhook, WebhookState(why))
            end = lambda: half.switch(webhook, WebhookState.ACTIVE)  # noqa: E731
        steps = the_job(half)
        assert not steps.step()
        assert (bulk(half, number)["queued"], steps.pause) == (0, resending.PAUSE_WAITING)
        end()
        go_on_until(half, is_over(half, number))
        assert bulk(half, number)["delivered"] == 12


def test_a_cancelled_one_withdraws_what_is_queued_and_not_begun(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), rate_limit=50)
        missed(half, webhook, 60)
        number = ask(half, webhook)
        go_on_until(half, lambda: len(receiver.requests) >= 10)
        assert half.store.session(lambda session: cancel(session, number, CLI))
        assert not half.store.session(lambda session: cancel(session, number, CLI))
        half.notice()
        steps = the_job(half)
        wait_until(lambda: (steps.step(), bulk(half, number)["waiting"] in ("[]", []))[1])
        row = bulk(half, number)
        assert row["state"] == "cancelled"
        half.wait_for("SELECT COUNT(*) = 0 FROM deliveries WHERE ended_ms IS NULL")
        # What was under way at that moment may have arrived, and is not counted any more.
        delivered = ("delivered", "accepted")
        wait_until(lambda: half.states(webhook).count(delivered) == len(receiver.requests))
        arrived = len(receiver.requests)
        assert row["queued"] == row["delivered"]
        assert int(str(row["delivered"])) <= arrived < 60
        check_waiting(half, webhook)
        # Another one takes up what is left.
        again = ask(half, webhook)
        assert bulk(half, again)["total"] == 60 - len(receiver.requests)
        go_on_until(half, is_over(half, again))
        assert len(receiver.requests) == 60
        assert max(len(each) for each in by_key(receiver.requests).values()) == 1


def test_a_cancelled_one_leaves_nothing_in_the_queue_of_a_slow_webhook(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), rate_limit=1)
        missed(half, webhook, 30)
        number = ask(half, webhook)
        go_on_until(half, lambda: receiver.requests)
        assert half.store.session(lambda session: cancel(session, number, CLI))
        half.notice()
        # Nothing is open but what is being sent right now.
        query = "SELECT COUNT(*) FROM deliveries WHERE ended_ms IS NULL AND reason = 'resent'"
        assert rows(half.app, query)[0][0] == 0
        sent = len(receiver.requests)
        gevent.sleep(1.2)
        assert len(receiver.requests) <= sent + 1


def test_what_fails_again_is_counted(half: Sending) -> None:
    with Receiver(lambda each: REFUSE if each.number % 3 == 0 else OK) as receiver:
        webhook = half.webhook(receiver.url())
        missed(half, webhook, 12)
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        row = bulk(half, number)
        states = [state for state, _ in half.states(webhook)]
        assert (row["delivered"], row["failed"]) == (
            states.count("delivered"),
            states.count("refused"),
        )
        assert len(receiver.requests) >= 12


def test_a_deleted_webhook_ends_it_and_takes_it_with_it(any_half: Sending) -> None:
    half = any_half
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), rate_limit=5)
        missed(half, webhook, 30)
        number = ask(half, webhook)
        go_on_until(half, lambda: receiver.requests)
        half.delete(webhook)
        the_job(half).step()
        assert bulk(half, number)["state"] == "cancelled"
        wait_until(
            lambda: half.housekeeping.step() and not rows(half.app, "SELECT 1 FROM webhooks"), 20
        )
        assert rows(half.app, "SELECT 1 FROM bulk_resends") == []
        assert not the_job(half).step()


def test_one_that_ended_is_kept_as_long_as_deliveries_are(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        missed(half, webhook, 1)
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        the_job(half).step()
        assert bulk(half, number)["state"] == "finished"
        half.skew = 8 * 86_400.0
        the_job(half).step()
        assert rows(half.app, "SELECT 1 FROM bulk_resends") == []


def test_what_makes_no_sense_is_refused(half: Sending) -> None:
    webhook = half.webhook(URL, state=WebhookState.PAUSED)
    missed(half, webhook, 3)
    with pytest.raises(Refused, match="is paused"):
        ask(half, webhook)
    half.switch(webhook, WebhookState.SIMULATED)
    with pytest.raises(Refused, match="is simulated"):
        ask(half, webhook)
    half.switch(webhook, WebhookState.ACTIVE)
    with pytest.raises(Refused, match="nothing to send"):
        ask(half, webhook, event="no-such-event")
    ask(half, webhook)
    with pytest.raises(Refused, match="is running"):
        ask(half, webhook)
    half.delete(webhook)
    with pytest.raises(Refused, match="There is no webhook"):
        ask(half, webhook)


def test_more_than_can_be_counted_at_once_is_said_to_be_more(
    half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhookproxy.models.deliveries.missed.COUNT_MAX", 20)
    monkeypatch.setattr("webhookproxy.models.deliveries.missed.ROUND", 10)
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        missed(half, webhook, 35)
        number = ask(half, webhook)
        row = bulk(half, number)
        assert (row["total"], bool(row["total_is_cut"])) == (20, True)
        go_on_until(half, is_over(half, number))
        assert len(receiver.requests) == 35
