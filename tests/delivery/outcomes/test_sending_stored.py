"""Stored events go to a webhook later: each once, behind the traffic, and none at the border."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from sqlalchemy.orm import Session

from tests.delivery.acting import ids
from tests.delivery.lanes_world import Sending, attempt, by_key, numbers
from tests.delivery.outcomes.test_resending import bulk, go_on_until, is_over, the_job
from tests.support.application import make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from webhookproxy.database.store import StoreUnavailable
from webhookproxy.delivery.outcomes import resending
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.models.audit import CLI
from webhookproxy.models.deliveries.bulk_resends import begin, cancel
from webhookproxy.models.deliveries.missed import Counted, Wanted
from webhookproxy.models.deliveries.periods import first_delivery
from webhookproxy.models.deliveries.stored import STATES, count_stored, following_stored
from webhookproxy.models.webhooks import find_webhook


@pytest.fixture(autouse=True)
def _no_border(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "BORDER_MS", 0)


def counted(half: Sending, webhook: int, **given: Any) -> tuple[Wanted, Counted]:
    wanted = Wanted(webhook, STATES, stored=True, **given)
    return wanted, half.store.session(
        lambda session: count_stored(session, find_webhook(session, webhook), wanted)
    )


def ask(half: Sending, webhook: int, **given: Any) -> int:
    """Ask for what is stored; return the number of the request."""
    wanted, found = counted(half, webhook, **given)
    return half.store.session(lambda session: begin(session, wanted, found, CLI))


def sent_later(half: Sending, webhook: int) -> list[tuple[Any, ...]]:
    query = (
        "SELECT e.name, d.state, d.sent_later, d.condition FROM deliveries d"
        " JOIN events e ON e.id = d.event_id WHERE d.webhook_id = :id ORDER BY e.id"
    )
    return [(*row[:2], bool(row[2]), row[3]) for row in rows(half.app, query, id=webhook)]


def test_a_new_webhook_gets_what_had_arrived_once_and_marked(any_half: Sending) -> None:
    half = any_half
    half.store_events(3, key="one-call", name="call-was-ended")
    half.store_events(2, name="agent-is-idle")
    with Receiver() as receiver:
        other = half.webhook(receiver.url("/other"))
        webhook = half.webhook(receiver.url(), events=("call-was-ended",), secret="s" * 32)
        half.arrive(1, name="call-was-ended")
        half.wait_for_ends(webhook, 1)
        half.wait_for_ends(other, 1)
        live = {row[0] for row in rows(half.app, "SELECT id FROM deliveries")}
        _, found = counted(half, webhook)
        assert (found.count, found.is_cut, found.left_out) == (3, False, 0)
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        later = [each for each in receiver.requests if each.path != "/other"][1:]
        assert numbers(later) == sorted(numbers(later))
        public = [row[0] for row in rows(half.app, "SELECT public_id FROM events ORDER BY id")]
        assert [each.headers["webhook-id"] for each in later] == public[:3]
        assert [attempt(each) for each in later] == [1, 1, 1]
        assert sent_later(half, webhook) == [
            *[("call-was-ended", "delivered", True, None)] * 3,
            ("call-was-ended", "delivered", False, None),
        ]
        assert min(set(ids(half, webhook)) - live) > max(live)
        notes = [row[0] for row in rows(half.app, "SELECT note FROM events ORDER BY id")]
        assert notes == [None] * 3 + ["unwanted"] * 2 + [None]
        half.check_totals(webhook)
        row = bulk(half, number)
        assert (row["queued"], row["delivered"], row["skipped"]) == (3, 3, 0)
        # A second request finds nothing, and new events get numbers of their own.
        assert counted(half, webhook)[1].count == 0
        half.arrive(2, name="call-was-ended")
        half.wait_for_ends(webhook, 6)
        half.wait_for_ends(other, 3)
        assert len(receiver.requests) == 6 + 3
        with Session(half.reading) as session:
            # A late delivery of an old event does not move the beginning of a period.
            assert first_delivery(session, 0) == min(live)


def test_the_filter_of_today_decides_and_what_it_kept_before_is_sent(half: Sending) -> None:
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url())
        half.store_events(4, name="call-was-ended")
        half.execute(
            "UPDATE deliveries SET state = 'filtered', reason = 'filtered_out', ended_ms = 1,"
            " condition = 'n was 5541900000001'"
        )
        half.execute("UPDATE webhook_health SET created = 0")
        first = rows(half.app, "SELECT payload FROM events ORDER BY id")[0][0]
        lowest = json.loads(first)["n"]
        test = Condition("n", Operator.GREATER, str(lowest + 1))
        half.edit(webhook, filters={"call-was-ended": (test,)})
        half.end()
        half.build()
        half.begin()
        assert counted(half, webhook)[1].left_out == 2
        number = ask(half, webhook)
        go_on_until(half, is_over(half, number))
        assert sorted(numbers(receiver.requests)) == [lowest + 2, lowest + 3]
        said = sent_later(half, webhook)
        assert [row[1] for row in said] == ["filtered", "filtered", "delivered", "delivered"]
        assert [row[3] is None for row in said] == [False, False, True, True]
        # One event that a user chose goes whatever the filter says.
        one = ask(half, webhook, event_id=half.event_ids()[0])
        go_on_until(half, is_over(half, one))
        assert min(numbers(receiver.requests)) == lowest
        (detail,) = rows(half.app, "SELECT detail FROM audit ORDER BY id DESC LIMIT 1")
        assert detail[0].startswith("evt_")


def test_markers_and_events_without_personal_data_are_never_sent(half: Sending) -> None:
    half.store_events(5)
    stored = half.event_ids()
    for number, note in zip(stored, ("too_large", "unreadable", "masked"), strict=False):
        half.execute(f"UPDATE events SET note = '{note}' WHERE id = {number}")
    webhook = half.webhook("http://127.0.0.1:4001/")
    assert counted(half, webhook)[1].count == 2
    assert counted(half, webhook, event_id=stored[2])[1].count == 0
    # A cut count says so.
    since = Wanted(webhook, STATES, stored=True, event="no-such")
    with Session(half.reading) as session:
        found = count_stored(session, find_webhook(session, webhook), since)
    assert (found.count, found.oldest_ms, found.newest_ms) == (0, None, None)


def test_a_recovered_call_goes_only_to_a_webhook_that_takes_it_and_only_once(
    half: Sending,
) -> None:
    # The first is a call that was recovered; the second is the same one, which came after all.
    half.store_events(1)
    had_it = half.webhook("http://127.0.0.1:4001/", takes_recovered=True)
    half.store_events(1)
    first, second = half.event_ids()
    half.execute(f"UPDATE events SET recovered = TRUE WHERE id = {first}")
    half.execute("UPDATE deliveries SET state = 'filtered', reason = 'already_recovered'")
    assert counted(half, had_it)[1].count == 1
    refuses = half.webhook("http://127.0.0.1:4002/", takes_recovered=False)
    wanted, found = counted(half, refuses)
    assert (found.count, found.oldest_ms) == (1, found.newest_ms)
    with Session(half.reading) as session:
        webhook = find_webhook(session, refuses)
        following = following_stored(session, webhook, wanted, 0, found.upto, 10)
        assert following == ([second], second, True)
    # One event that a user chose goes all the same.
    assert counted(half, refuses, event_id=first)[1].count == 1
    assert counted(half, had_it, event_id=second)[1].count == 1


def test_an_event_at_the_border_is_neither_lost_nor_sent_twice(
    any_half: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook exists, and the socket's process does not know it yet."""
    half = any_half
    monkeypatch.setattr(resending, "BORDER_MS", 60_000)
    half.store_events(2)
    with Receiver() as receiver:
        webhook = make_webhook(half.app, half.company, receiver.url())
        number = ask(half, webhook)
        half.store_events(3)
        half.notice()
        half.arrive(2)
        steps = the_job(half)

        def all_arrived() -> bool:
            steps.step()
            return len(receiver.requests) >= 7

        wait_until(all_arrived, 20)
        assert bulk(half, number)["state"] == "running"
        half.skew = 61
        go_on_until(half, is_over(half, number))
        assert len(numbers(receiver.requests)) == len(set(numbers(receiver.requests))) == 7


def test_live_events_that_arrive_meanwhile_are_sent_once_and_keep_their_numbers(
    half: Sending,
) -> None:
    check_live_events(half)


@pytest.mark.slow
def test_live_events_that_arrive_meanwhile_are_sent_once_on_each_database(
    any_half: Sending,
) -> None:
    check_live_events(any_half)


def check_live_events(half: Sending) -> None:
    """The socket's greenlet writes its groups while stored events get numbers."""
    # More of one call than a lane reads at once, and more than a step queues.
    half.store_events(90, key="one-call")
    half.store_events(60)
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), parallelism=64)
        number = ask(half, webhook)

        def arrive() -> None:
            for _ in range(30):
                half.arrive(2)
                gevent.sleep(0)

        live = gevent.spawn(arrive)
        go_on_until(half, is_over(half, number))
        live.get(timeout=60)
        half.wait_for_ends(webhook, 210)
        sent = numbers(receiver.requests)
        assert len(sent) == len(set(sent)) == 210
        of_the_call = by_key(receiver.requests)["one-call"]
        assert of_the_call == sorted(of_the_call)
        assert len(set(ids(half, webhook))) == 210
        half.check_totals(webhook)


def test_numbers_of_a_group_that_may_be_committed_are_not_given_away(half: Sending) -> None:
    half.store_events(1)
    webhook = half.webhook("http://127.0.0.1:4001/")
    before = half.store.run

    def breaks(job: Callable[..., Any], **given: Any) -> Any:
        before(job, **given)
        raise StoreUnavailable("the answer was lost")

    half.store.run = breaks  # type: ignore[method-assign]
    group = [half._arrival(None, "x")]
    with pytest.raises(StoreUnavailable):
        half.journal.write(group, half._fence, again=False)
    half.store.run = before  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable), half.journal.reserved(half.company, 1):
        pass
    (due,) = half.journal.write(group, half._fence, again=True).dues
    assert ids(half, webhook) == [due.id]
    with half.journal.reserved(half.company, 3) as numbers_:
        reserved = numbers_.ids
    (later,) = half.store_events(1)
    given = [due.id, *reserved, later.id]
    assert given == sorted(set(given))
    assert len(given) == 5


def test_what_a_cancelled_request_withdrew_can_be_asked_for_again(half: Sending) -> None:
    half.store_events(2)
    with Receiver() as receiver:
        webhook = half.webhook(receiver.url(), rate_limit=0.1)
        half.arrive(1)
        half.wait_for_ends(webhook, 1)
        number = ask(half, webhook)
        the_job(half).step()
        assert half.store.session(lambda session: cancel(session, number, CLI))
        states = [row[1] for row in sent_later(half, webhook)]
        assert states.count("cancelled") == 1
        assert counted(half, webhook)[1].count == 2
        half.edit(webhook, rate_limit=None)
        again = ask(half, webhook)
        go_on_until(half, is_over(half, again))
        assert len(set(numbers(receiver.requests))) == len(receiver.requests) == 3
