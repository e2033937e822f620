"""Which delivery an open circuit is probed with, on schedule or on request."""

from __future__ import annotations

import pytest

from tests.delivery.waiting import window_rows
from tests.delivery.waiting.window_rows import Bench
from webhookproxy.delivery.lanes import probes
from webhookproxy.delivery.lanes.probes import LOOK_AGAIN, Probes
from webhookproxy.delivery.outcomes.circuit import Circuit
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import classify
from webhookproxy.delivery.waiting.backlog import Backlog
from webhookproxy.delivery.waiting.rows import Heads, Row
from webhookproxy.models.deliveries.tables import Due


class InMemory(Backlog):
    """A backlog over a bench's rows."""

    def __init__(self, bench: Bench) -> None:
        self.discard_until = 0
        self._table = bench.table

    def one(self, delivery_id: int) -> Due | None:
        return self._table.one(delivery_id)

    def after(self, delivery_id: int, limit: int) -> list[Row]:
        return self._table.after(delivery_id, limit)

    def of_key(self, key: str, after: int, upto: int, limit: int) -> list[Row]:
        return self._table.of_key(key, after, upto, limit)

    def heads(self, after: str | None, limit: int) -> Heads:
        return self._table.heads(after, limit)

    def newest_heads(self, before: int) -> list[Row]:
        return self._table.newest_heads(before)


class Probed:
    """A window whose circuit is open, and is probed by schedule a hundred seconds from now."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.circuit = Circuit()
        self.probes = Probes(self.circuit, InMemory(self.bench), self.bench.window)
        self.circuit.restore(2, self.bench.now + 100.0)

    def take(self) -> Due | None:
        return self.probes.take(self.bench.now)

    def fail(self, due: Due, retry_after: float | None = None) -> None:
        status = self.bench.table.statuses.get(due.id, 503)
        outcome = Outcome(*classify(status), 1, 1, status=status, retry_after=retry_after)
        self.probes.failed(due, outcome, self.bench.now, lambda: 0.5)
        self.bench.fail(due, 0.0)
        self.probes.under_way = False


@pytest.fixture
def probed() -> Probed:
    return Probed()


def test_nothing_is_probed_before_its_time_unless_somebody_asks(probed: Probed) -> None:
    _, two = probed.bench.arrive("ab")
    assert probed.take() is None
    assert not probed.probes.ready(probed.bench.now)
    probed.probes.ask([two.id])
    assert probed.probes.ready(probed.bench.now)
    assert probed.take() == two
    assert probed.take() is None


def test_wishes_are_served_one_after_the_other_and_once(probed: Probed) -> None:
    one, two, _ = probed.bench.arrive("abc")
    probed.probes.ask([two.id, one.id, two.id])
    for due in (two, one):
        found = probed.take()
        assert found is not None
        assert found.id == due.id
        probed.fail(found)
    assert probed.take() is None


def test_an_earlier_one_of_the_key_is_the_probe(probed: Probed) -> None:
    one, two = probed.bench.arrive("aa")
    probed.probes.ask([two.id])
    assert probed.take() == one


def test_a_failed_wish_puts_the_schedule_off_only_if_the_receiver_asks_for_it(
    probed: Probed,
) -> None:
    (one,) = probed.bench.arrive("a")
    before, now = probed.circuit.next_probe, probed.bench.now
    for retry_after, expected in ((None, before), (50.0, before), (500.0, now + 500.0)):
        probed.probes.ask([one.id])
        found = probed.take()
        assert found is not None
        probed.fail(found, retry_after)
        assert probed.circuit.next_probe == expected
        assert probed.circuit.failed_probes == 2


def test_a_wish_waits_for_what_is_in_hand_of_its_key(probed: Probed) -> None:
    bench = probed.bench
    one, two = bench.arrive("aa")
    assert bench.next() == one
    probed.probes.ask([two.id])
    assert probed.take() is None
    assert probed.probes.next_at(bench.now) == bench.now + LOOK_AGAIN
    bench.end(one)
    assert probed.take() == two


def test_a_probe_goes_to_the_newest_head_that_was_not_refused(probed: Probed) -> None:
    bench = probed.bench
    a, _, b, c, _ = bench.arrive("aabcc")
    bench.table.statuses.update({b.id: 503, c.id: 422})
    bench.now += 100.0
    # c was refused, and the second ones of a and c would overtake.
    assert probed.take() == b
    probed.fail(b)
    for expected in (b, a, a, b):
        bench.now = probed.circuit.next_probe
        found = probed.take()
        assert found is not None
        assert found.id == expected.id
        probed.fail(found)


def test_a_new_head_is_probed_before_older_ones_go_round(probed: Probed) -> None:
    bench = probed.bench
    (old,) = bench.arrive("a")
    bench.table.statuses[old.id] = 404
    bench.now += 100.0
    found = probed.take()
    assert found is not None
    assert found.id == old.id
    probed.fail(found)
    (new,) = bench.arrive("b")
    bench.now = probed.circuit.next_probe
    assert probed.take() == new


def test_where_all_were_refused_the_probes_go_round(probed: Probed) -> None:
    bench = probed.bench
    a, b, c = bench.arrive("abc")
    bench.table.statuses.update({a.id: 404, b.id: 404, c.id: 404})
    asked = []
    for _ in range(8):
        bench.now = max(bench.now, probed.circuit.next_probe)
        found = probed.take()
        assert found is not None
        asked.append(found.id)
        probed.fail(found)
    assert asked == [a.id, a.id, b.id, b.id, c.id, c.id, a.id, a.id]


def test_of_very_many_refused_keys_a_fresh_one_is_found_in_the_end(
    probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "KEYS_AT_ONCE", 2)
    monkeypatch.setattr(probes, "KEYS_MAX", 4)
    monkeypatch.setattr(window_rows, "NEWEST", 3)
    bench = probed.bench
    fresh, *refused = bench.arrive("zabcdefghijklmno")
    bench.table.statuses.update({due.id: 422 for due in refused})
    asked: list[int] = []
    while fresh.id not in asked:
        bench.now = max(bench.now, probed.circuit.next_probe)
        found = probed.take()
        assert found is not None
        asked.append(found.id)
        probed.fail(found)
    assert len(asked) < 12


def test_wishes_for_what_ended_or_from_before_the_circuit_closed_are_forgotten(
    probed: Probed,
) -> None:
    one, two = probed.bench.arrive("ab")
    probed.probes.ask([one.id])
    probed.bench.table.end(one.id)
    assert probed.take() is None
    assert not probed.probes.ready(probed.bench.now)
    probed.probes.ask([two.id])
    probed.probes.forget()
    assert not probed.probes.ready(probed.bench.now)
    probed.circuit.succeed(probed.bench.now)
    probed.probes.ask([two.id])
    probed.circuit.restore(0, probed.bench.now + 1.0)
    assert not probed.probes.ready(probed.bench.now)
