"""An owner and its successor in one process, step by step: what goes wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask

from tests.listener.listening import Listening, listening
from tests.support.application import rows, store_of, wait_until
from tests.support.simulator_process import SimulatorProcess
from tests.web.support.sockets import execute
from webhookproxy.database.fence import SHARD, SHARDS
from webhookproxy.engine.shares import hand_over, relay, successor
from webhookproxy.engine.shares.placement import Placement
from webhookproxy.engine.shares.successor import Successor
from webhookproxy.listener import connection
from webhookproxy.listener.handover import agreement
from webhookproxy.listener.handover.agreement import Agreement
from webhookproxy.listener.handover.stretches import Stretches

HOUR_MS = 3_600_000
# A busy machine may take this long for a step.
SECONDS = 60.0


class Following:
    """A listening half that waits for the owner's place."""

    def __init__(self, half: Listening, holder: str) -> None:
        self.half = half
        self.agreement = Agreement(store_of(half.app), half.relay.reading, SHARD)
        placement = Placement(half.relay.reading, holder, 1, SHARDS, lambda: ())
        self.successor = Successor(half.relay, self.agreement, placement, takes_over=False)

    def follow(self, owner: Listening) -> None:
        """Claim the place that the owner offers, and wait for sockets of its own."""
        self.successor.step()
        assert owner.ownership.fence is not None
        owner.hand_over.offer(owner.ownership.fence.number(SHARD))
        self.successor.step()
        assert self.successor.is_ahead

    def stand(self, owner: Listening) -> None:
        """Go on until the owner was told of the sockets, and opens none itself any more."""

        def stands() -> bool:
            self.successor.step()
            return self.agreement.read().standing is not None

        wait_until(stands, SECONDS, "the successor stands")
        allowed = owner.registry.handshakes._allowed
        wait_until(lambda: not allowed.is_set(), SECONDS, "the owner has seen it")


@contextmanager
def following(owner: Listening, holder: str = "next") -> Iterator[Following]:
    with listening(owner.app, owner.simulator, owns=False) as half:
        made = Following(half, holder)
        try:
            yield made
        finally:
            made.successor.give_up()
            owner.hand_over.companies(0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event comes to tell the sockets apart, and a slow machine makes no one silent."""
    for name in ("SILENT_MS", "WAITING_MS", "OFFER_MS"):
        monkeypatch.setattr(agreement, name, 60_000)
    monkeypatch.setattr(hand_over, "CLAIM_SECONDS", 60.0)
    monkeypatch.setattr(hand_over, "OPEN_SECONDS", 60.0)
    monkeypatch.setattr(successor, "OPEN_SECONDS", 60.0)
    monkeypatch.setattr(successor, "END_SECONDS", 600.0)
    monkeypatch.setattr(successor, "KNOWN_SECONDS", 0.0)
    monkeypatch.setattr(hand_over, "UNDER_WAY_SECONDS", 0.0)


@pytest.fixture
def owner(app: Flask, simulator: SimulatorProcess) -> Iterator[Listening]:
    with listening(app, simulator) as half:
        yield half


def one_socket_at(app: Flask) -> list[int | None]:
    query = "SELECT one_socket_at FROM connections ORDER BY company_id"
    return [row.one_socket_at for row in rows(app, query)]


def emit(simulator: SimulatorProcess, token: str, *numbers: int) -> None:
    for number in numbers:
        simulator.control("emit", token=token, event="x", args=[{"number": number}])


def test_an_owner_that_stays_opens_sockets_again_and_its_successor_closes_its_own(
    owner: Listening, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = owner.connected(token)
    monkeypatch.setattr(hand_over, "OPEN_SECONDS", 0.1)
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.01)
    with following(owner) as next_one:
        next_one.follow(owner)
        fence = owner.ownership.fence
        assert fence is not None

        def stays() -> bool:
            assert not owner.hand_over.look(fence.number(SHARD))
            return not next_one.agreement.read().offered

        wait_until(stays, SECONDS, "the owner stays")
        next_one.successor.step()
        assert not next_one.successor.is_ahead
    first = owner.registry.connected()[company]
    owner.simulator.control("drop", token=token)
    connected = owner.registry.connected
    wait_until(lambda: connected().get(company, first) != first, SECONDS, "a new socket")


@pytest.mark.parametrize("holder", ["'a third one'", "holder"])
def test_a_successor_whose_owner_lost_the_lease_to_another_or_took_it_again_closes_its_sockets(
    app: Flask, owner: Listening, token: str, holder: str
) -> None:
    owner.connected(token)
    with following(owner) as next_one:
        next_one.follow(owner)
        execute(app, f"UPDATE leases SET holder = {holder}, fence = fence + 1")
        next_one.successor.step()
        assert not next_one.successor.is_ahead
        execute(app, "UPDATE leases SET fence = fence - 1")


def test_the_offer_of_an_owner_that_another_one_followed_counts_no_more(
    app: Flask, owner: Listening
) -> None:
    next_one = Agreement(store_of(app), owner.relay.reading, SHARD)
    next_one.wait()
    next_one.offer(1)
    assert next_one.read().offered
    execute(app, "UPDATE leases SET fence = 2")
    assert not next_one.read().offered
    execute(app, "UPDATE leases SET fence = 1")


def test_an_offer_that_nobody_took_up_is_made_again_at_a_stop(
    owner: Listening, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = owner.connected(token)
    with following(owner) as next_one:
        next_one.agreement.wait()
        with monkeypatch.context() as hurried:
            hurried.setattr(hand_over, "CLAIM_SECONDS", 0.0)
            owner.hand_over.offer(1)
            wait_until(owner.hand_over._over.is_set, SECONDS, "no one took it up")
        next_one.follow(owner)
        next_one.stand(owner)
        assert owner.hand_over.companies(SECONDS) == {company}


@pytest.mark.parametrize("said", ["seen_at", "waiting_at", "offered_at", "asked_at"])
def test_what_was_said_before_the_clock_was_set_back_does_not_count(
    said: str, app: Flask, owner: Listening
) -> None:
    agreement = Agreement(store_of(app), owner.relay.reading, SHARD)
    agreement.ask()
    agreement.offer(1)
    assert agreement.claim("next", 1)
    agreement.ask()
    assert _said(agreement) == (True, True, True, True)
    execute(app, f"UPDATE handovers SET {said} = {said} + {HOUR_MS}")
    order = ("seen_at", "waiting_at", "offered_at", "asked_at")
    assert _said(agreement) == tuple(each != said for each in order)
    assert agreement.claim("another", 1) is (said == "seen_at")


def _said(agreement: Agreement) -> tuple[bool, ...]:
    found = agreement.read()
    return (found.successor is not None, found.waited, found.offered, found.asked)


def test_a_call_that_was_recovered_meanwhile_hides_no_event_from_the_successor(
    app: Flask, owner: Listening, token: str
) -> None:
    company = owner.connected(token)
    with following(owner) as next_one:
        buffer, relay = next_one.half.intake.buffer, next_one.half.relay
        next_one.follow(owner)
        stretches = Stretches(relay.reading, buffer, relay.routes)
        wait_until(lambda: next_one.half.registry.connected(), SECONDS, "the next one has a socket")
        emit(owner.simulator, token, 1, 2)
        first, second = [event.id for event in owner.wait_for_events(2)]
        wait_until(lambda: len(buffer) == 2, SECONDS, "both heard both")
        execute(app, "UPDATE events SET id = id + 1 WHERE id = :id", id=second)
        execute(
            app,
            "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
            " token_mask, received_ms, hidden, recovered) SELECT :id, 'recovered', company_id,"
            " name, '{}', '', '', '', received_ms, 0, true FROM events WHERE id = :first",
            id=second,
            first=first,
        )
        assert len(owner.events()) == 3
        settled = stretches.settle({company: 2})
        assert (settled.known, settled.torn, len(buffer)) == (2, frozenset(), 0)


def test_an_owner_whose_socket_was_dead_leaves_a_gap(owner: Listening, token: str) -> None:
    company = owner.connected(token)
    with following(owner) as next_one:
        next_one.follow(owner)
        wait_until(lambda: next_one.half.registry.connected(), SECONDS, "the next one has a socket")
        # As if the owner's socket brought nothing of it.
        next_one.half.feed(company).event('42["x",{"number":1}]')
        next_one.stand(owner)
        assert owner.ownership.fence is not None
        next_one.agreement.hand(owner.ownership.fence.number(SHARD), [company])
        assert next_one.successor.take_over() == frozenset()
        (kept,) = next_one.half.intake.buffer.since(0)
        assert kept.may_be_repeat


def test_what_is_not_stored_in_time_says_nothing_of_3c_plus(
    app: Flask, owner: Listening, token: str
) -> None:
    owner.connected(token)
    with following(owner) as next_one:
        next_one.follow(owner)
        next_one.stand(owner)
        assert owner.hand_over.companies(SECONDS)
        owner.hand_over.close(frozenset())
        assert one_socket_at(app) == [None]


def test_only_a_socket_that_3c_plus_ended_is_noted(
    app: Flask, owner: Listening, token: str
) -> None:
    names = ("disconnected", "edited", "deleted", "ended", "handed")
    companies = {name: owner.connected(f"{token}-{name}") for name in names}
    with following(owner) as next_one:
        next_one.follow(owner)
        next_one.stand(owner)
        owner.wish(companies["disconnected"], connected=False)
        owner.edit(companies["edited"], token=f"{token}-of-another")
        owner.delete(companies["deleted"])
        owner.simulator.control("drop", token=f"{token}-ended")
        left = {companies["handed"]}
        wait_until(lambda: owner.registry.connected().keys() == left, SECONDS, "one socket is left")
        assert owner.hand_over.companies(SECONDS) == left
        owner.hand_over.close(frozenset(left))
    noted = rows(app, "SELECT company_id FROM connections WHERE one_socket_at IS NOT NULL")
    assert [row.company_id for row in noted] == [companies["ended"]]


def test_a_socket_with_unread_events_is_not_handed_over(owner: Listening, token: str) -> None:
    owner.connected(token)
    buffer = owner.intake.buffer
    with following(owner) as next_one:
        next_one.follow(owner)
        next_one.stand(owner)
        buffer._accepting.clear()
        emit(owner.simulator, token, 1)
        wait_until(lambda: not owner.registry.heard(), SECONDS, "an event lies unread")
        assert owner.hand_over.companies(SECONDS) == frozenset()
        buffer.clear()


def test_a_second_socket_is_tried_again_after_days_and_what_it_shows_is_noted(
    app: Flask, owner: Listening, token: str
) -> None:
    owner.connected(token)
    lasts_ms = relay.ONE_SOCKET_LASTS // timedelta(milliseconds=1)
    for age_ms, opens in ((0, 0), (lasts_ms - HOUR_MS, 0), (lasts_ms + HOUR_MS, 1)):
        now_ms = owner.connection(1).since
        execute(app, "UPDATE connections SET one_socket_at = :at", at=now_ms - age_ms)
        with following(owner) as next_one:
            next_one.half.relay.open_ahead()
            assert next_one.half.registry.counts()[0] == opens
            next_one.half.relay.close_ahead()
    Agreement(store_of(app), owner.relay.reading, SHARD).note_one_socket([], [1])
    assert one_socket_at(app) == [None]


def test_whoever_connects_or_changes_the_token_forgets_that_only_one_socket_was_allowed(
    app: Flask, owner: Listening, token: str
) -> None:
    company = owner.connected(token)
    agreement = Agreement(store_of(app), owner.relay.reading, SHARD)
    forgetting: list[tuple[Callable[[], None], bool]] = [
        (lambda: owner.edit(company, name="Another name"), False),
        (lambda: owner.edit(company, token=f"{token}-the-next"), True),
        (lambda: owner.wish(company, connected=False), False),
        (lambda: owner.wish(company, connected=True), True),
    ]
    for act, forgets in forgetting:
        agreement.note_one_socket([company], [])
        act()
        assert (one_socket_at(app) == [None]) is forgets
