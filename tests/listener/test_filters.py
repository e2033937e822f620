"""What a webhook's filter leaves out at the door: recorded with its condition, never sent."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.listener.listening import Listening
from tests.support.application import make_company, make_webhook, rows, store_of
from webhookproxy.database.fence import Fence
from webhookproxy.events.conditions import Compiled, Condition, Operator
from webhookproxy.models.companies import find_company
from webhookproxy.models.webhooks import Webhook, live_webhooks
from webhookproxy.rules.filters import Checked

NAME = "call-was-connected"
ONLY_7: Checked = {NAME: (Condition("call.status", Operator.EQUAL, "7"),)}


class Filtered:
    """A company whose webhooks have filters, and the deliveries of its events."""

    def __init__(self, half: Listening) -> None:
        self.half = half
        self.company = make_company(half.app)
        self._arrived = 0

    def webhook(self, filters: Checked | None, **fields: Any) -> int:
        url = "http://127.0.0.1:9999/x"
        return make_webhook(self.half.app, self.company, url, filters=filters, **fields)

    def arrive(self, *payloads: Any, name: str = NAME) -> None:
        """Events with these payloads, once they are stored."""
        store_of(self.half.app).session(self._apply)
        feed = self.half.feed(self.company)
        for each in payloads:
            feed.event(f'["{name}",{json.dumps(each)}]')
        self._arrived += len(payloads)
        self.half.wait_for_events(self._arrived)
        assert self.half.intake.drain(20)

    def _apply(self, session: Session) -> None:
        find_company(session, self.company)
        self.half.relay.routes.apply(self.company, live_webhooks(session, [self.company]))

    def deliveries(self) -> list[Any]:
        return rows(self.half.app, "SELECT * FROM deliveries ORDER BY id")

    def outcomes(self) -> list[tuple[int, str]]:
        return [(each.webhook_id, each.state) for each in self.deliveries()]


@pytest.fixture
def app(any_app: Flask) -> Flask:
    """On either kind of database: rows with a condition go in by a statement of their own."""
    return any_app


@pytest.fixture
def world(half: Listening) -> Filtered:
    return Filtered(half)


def test_what_a_filter_leaves_out_is_recorded_with_its_condition(world: Filtered) -> None:
    webhook = world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}})
    [row] = world.deliveries()
    assert (row.state, row.reason, row.webhook_id) == ("filtered", "filtered_out", webhook)
    assert row.condition == "call.status é igual a 7 (finalizada)"
    [event] = world.half.events()
    assert row.ended_ms == event.received_ms
    assert (row.tries, row.attempts, row.first_attempt_ms, row.due_ms) == (0, 0, None, None)
    assert world.half.dues == []
    # Others may want it still: it is kept as long as what was sent.
    assert event.note is None


def test_what_passes_is_due_as_ever(world: Filtered) -> None:
    webhook = world.webhook(ONLY_7)
    world.arrive({"call": {"status": 7}}, {"call": {"status": "7"}})
    assert world.outcomes() == [(webhook, "queued")] * 2
    assert [due.id for due in world.half.dues] == [row.id for row in world.deliveries()]
    assert {row.condition for row in world.deliveries()} == {None}


def test_each_webhook_has_its_own_and_each_event_too(world: Filtered) -> None:
    narrow, wide = world.webhook(ONLY_7), world.webhook(None)
    world.arrive({"call": {"status": 3}})
    assert sorted(world.outcomes()) == [(narrow, "filtered"), (wide, "queued")]
    world.arrive({"call": {"status": 3}}, name="agent-is-idle")
    assert sorted(world.outcomes()[2:]) == [(narrow, "queued"), (wide, "queued")]


def test_numbers_stay_in_step_from_group_to_group(world: Filtered) -> None:
    world.webhook(ONLY_7)
    world.webhook(None)
    for status in (3, 7, 3):
        world.arrive({"call": {"status": status}}, {"call": {"status": 7}})
    by_id = {row.id: row for row in world.deliveries()}
    assert len(by_id) == 12
    for due in world.half.dues:
        assert (by_id[due.id].state, by_id[due.id].webhook_id) == ("queued", due.webhook_id)
    events = {event.id: json.loads(event.payload) for event in world.half.events()}
    left_out = [events[row.event_id] for row in by_id.values() if row.state == "filtered"]
    assert left_out == [{"call": {"status": 3}}] * 2


def test_deliveries_are_numbered_with_their_events(world: Filtered) -> None:
    world.webhook(ONLY_7)
    world.webhook(None)
    # In one group: a list of a period ends at the number of the first delivery after it.
    world.arrive(*[{"call": {"status": status}} for status in (3, 7, 3, 7)])
    of_events = [row.event_id for row in world.deliveries()]
    assert of_events == sorted(of_events)
    assert len(of_events) == 8


def test_what_was_filtered_never_waited_and_is_counted_by_the_hour(world: Filtered) -> None:
    webhook = world.webhook(ONLY_7)
    world.arrive(*[{"call": {"status": status}} for status in (3, 3, 7)])
    world.arrive({"call": {"status": 4}})
    [health] = rows(world.half.app, "SELECT created FROM webhook_health")
    assert health.created == 1
    hours = rows(world.half.app, "SELECT * FROM hourly_deliveries")
    assert {(row.webhook_id, row.outcome, row.bucket) for row in hours} == {
        (webhook, "filtered", 0)
    }
    assert sum(row.count for row in hours) == 3


def test_all_conditions_must_hold_and_the_first_that_does_not_is_said(world: Filtered) -> None:
    two = (*ONLY_7[NAME], Condition("agent.id", Operator.EXISTS))
    world.webhook({NAME: two})
    world.arrive({"call": {"status": 7}}, {"call": {}}, {"call": {"status": 7}, "agent": {"id": 1}})
    said = [row.condition for row in world.deliveries()]
    assert sorted(map(str, said)) == [
        "None",
        "agent.id existe",
        "call.status é igual a 7 (finalizada)",
    ]


def test_changed_filters_are_in_force_from_the_next_event(world: Filtered) -> None:
    webhook = world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}})
    store_of(world.half.app).session(
        lambda session: setattr(live_webhooks(session, [world.company])[0], "filters", None)
    )
    world.arrive({"call": {"status": 3}})
    assert world.outcomes() == [(webhook, "filtered"), (webhook, "queued")]


def test_a_filter_sees_a_hidden_credential_as_it_is_stored(world: Filtered) -> None:
    webhook = world.webhook({NAME: (Condition("token", Operator.EQUAL, "canary-secret"),)})
    world.arrive({"token": "canary-secret"})
    assert world.outcomes() == [(webhook, "filtered")]


def test_an_event_whose_filter_breaks_is_sent(
    world: Filtered, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ArithmeticError("canary")

    monkeypatch.setattr(Compiled, "failing", broken)
    webhook = world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}})
    assert world.outcomes() == [(webhook, "queued")]
    assert "it is sent" in caplog.text


@pytest.mark.parametrize(
    "stored",
    [
        f'{{"{NAME}":[{{}}]}}',
        f'{{"{NAME}":[{{"path":"a..b","operator":"igual","value":"7"}}]}}',
        f'{{"{NAME}":[{{"path":"a","operator":"like","value":"7"}}]}}',
        "[7]",
    ],
)
def test_a_webhook_whose_filters_cannot_be_read_gets_everything(
    world: Filtered, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    webhook, other = world.webhook(ONLY_7), world.webhook(ONLY_7)
    store_of(world.half.app).session(
        lambda session: setattr(session.get(Webhook, webhook), "filters", json.loads(stored))
    )
    world.arrive({"call": {"status": 3}})
    assert sorted(world.outcomes()) == [(webhook, "queued"), (other, "filtered")]
    assert f"cannot read the filters of webhook_{webhook}" in caplog.text


def test_several_arguments_are_a_list_and_none_is_null(world: Filtered) -> None:
    webhook = world.webhook({"two": (Condition("[1].status", Operator.EQUAL, "7"),)})
    feed = world.half.feed(world.company)
    world.arrive()
    for packet in ('["two",{"status":3},{"status":7}]', '["two",{"status":7}]', '["two"]'):
        feed.event(packet)
    world.half.wait_for_events(3)
    states = [row.state for row in sorted(world.deliveries(), key=lambda row: row.event_id)]
    assert states == ["queued", "filtered", "filtered"]
    assert {row.webhook_id for row in world.deliveries()} == {webhook}


def test_a_payload_is_parsed_once_whether_it_is_filtered_or_not(
    world: Filtered, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    loads = orjson.loads

    def counted(given: str) -> Any:
        parsed.append(given)
        return loads(given)

    monkeypatch.setattr(orjson, "loads", counted)
    world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}}, {"call": {"status": 7}})
    assert len(parsed) == 2


def test_a_payload_that_only_the_slow_parser_reads_is_filtered_too(world: Filtered) -> None:
    webhook = world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}, "text": "\ud800"}, {"call": {"status": 7}, "t": "\ud800"})
    assert sorted(world.outcomes()) == [(webhook, "filtered"), (webhook, "queued")]


def test_an_event_that_cannot_be_stored_leaves_no_filtered_delivery(
    world: Filtered, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = world.half.intake.journal.write

    def failing(arrivals: list[Any], fence: Fence, *, again: bool) -> Any:
        if any(arrival.filtered for arrival in arrivals):
            raise ValueError("cannot be stored")
        return write(arrivals, fence, again=again)

    monkeypatch.setattr(world.half.intake.journal, "write", failing)
    world.webhook(ONLY_7)
    world.arrive({"call": {"status": 3}})
    assert [event.note for event in world.half.events()] == ["unreadable"]
    assert world.deliveries() == []
