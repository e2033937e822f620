from __future__ import annotations

import pytest

from webhookproxy.delivery.outcomes.circuit import (
    OPEN_AFTER_REFUSALS,
    REFUSALS_SECONDS,
    REFUSALS_SPREAD,
    Circuit,
)
from webhookproxy.delivery.outcomes.retry import Kind


def middle() -> float:
    return 0.5


def fail(circuit: Circuit, kind: Kind, *events: int, strict: bool = False) -> list[bool]:
    return [circuit.fail(kind, event, 0.0, first=False, strict=strict) for event in events]


def refuse(
    circuit: Circuit, count: int, begins: float, seconds: float, *, first: bool = True
) -> list[bool]:
    """Refuse `count` events, evenly over `seconds`."""
    step = seconds / (count - 1)
    return [
        circuit.fail(Kind.REFUSAL, 1000 + each, begins + each * step, first=first, strict=False)
        for each in range(count)
    ]


@pytest.mark.parametrize("kind", [Kind.REFUSAL, Kind.ERROR])
def test_fifty_first_attempts_refused_over_a_minute_open_the_circuit(kind: Kind) -> None:
    circuit, opened = Circuit(), []
    for each in range(OPEN_AFTER_REFUSALS):
        at = each * 1.25
        opened.append(circuit.fail(kind, each, at, first=True, strict=False))
    assert opened == [False] * (OPEN_AFTER_REFUSALS - 1) + [True]


def test_fewer_or_faster_refusals_never_open_the_circuit() -> None:
    assert not any(refuse(Circuit(), OPEN_AFTER_REFUSALS - 1, 0.0, 599.0))
    assert not any(refuse(Circuit(), 5_000, 0.0, REFUSALS_SPREAD - 1))
    # Five a minute and fewer never are enough within ten minutes.
    assert not any(refuse(Circuit(), 1_000, 0.0, 1_000 * 12.5))


def test_retries_resends_and_probes_that_are_refused_never_count() -> None:
    assert not any(refuse(Circuit(), 5_000, 0.0, 600.0, first=False))


def test_one_first_attempt_that_passed_speaks_for_the_receiver_for_ten_minutes() -> None:
    circuit = Circuit()
    assert not any(refuse(circuit, 40, 0.0, 59.0))
    circuit.succeed(59.5, first=True)
    opened = refuse(circuit, 1_000, 60.0, 999.0)
    at = 60.0 + opened.index(True)
    assert at == pytest.approx(59.5 + REFUSALS_SECONDS, abs=1.0)


def test_a_retry_that_passed_says_nothing_of_first_attempts() -> None:
    circuit = Circuit()
    refuse(circuit, 40, 0.0, 59.0)
    circuit.succeed(59.5)
    assert any(refuse(circuit, 20, 60.0, 10.0))


def test_a_first_attempt_that_reached_nobody_is_no_refusal() -> None:
    circuit = Circuit()
    circuit.fail(Kind.FAILURE, 1, 30.0, first=True, strict=False)
    assert not any(refuse(circuit, 100, 31.0, 300.0))


def test_after_a_probe_closed_it_the_circuit_needs_fifty_again() -> None:
    circuit = Circuit()
    assert any(refuse(circuit, 100, 0.0, 100.0))
    circuit.open(100.0, None, middle)
    assert circuit.succeed(200.0)
    assert not any(refuse(circuit, 45, 201.0, 70.0))


def test_five_failures_over_three_events_open_the_circuit() -> None:
    assert fail(Circuit(), Kind.FAILURE, 1, 2, 3, 1, 2) == [False] * 4 + [True]


def test_failures_of_two_events_do_not_open_the_circuit() -> None:
    circuit = Circuit()
    assert not any(fail(circuit, Kind.FAILURE, *[1, 2] * 20))
    assert fail(circuit, Kind.FAILURE, 3) == [True]


def test_a_success_between_starts_the_count_anew() -> None:
    circuit = Circuit()
    assert not any(fail(circuit, Kind.FAILURE, 1, 2, 3, 4))
    assert circuit.succeed(0.0) is False
    assert not any(fail(circuit, Kind.FAILURE, 1, 2, 3, 4))


def test_in_strict_order_five_failures_of_one_event_open_the_circuit() -> None:
    assert fail(Circuit(), Kind.FAILURE, *[1] * 5, strict=True) == [False] * 4 + [True]


def test_an_open_circuit_does_not_open_again() -> None:
    circuit = Circuit()
    circuit.open(100.0, None, middle)
    assert (circuit.opened, circuit.next_probe) == (True, 105.0)
    assert not any(fail(circuit, Kind.FAILURE, 1, 2, 3, 4, 5, 6))


def test_a_failed_probe_sets_the_time_of_the_next() -> None:
    circuit = Circuit()
    circuit.open(100.0, None, middle)
    circuit.probe_failed(1, 105.0, None, middle)
    assert circuit.next_probe == 115.0
    circuit.probe_failed(1, 115.0, 300.0, middle)
    assert circuit.next_probe == 415.0
    assert circuit.failed_probes == 2


def test_after_two_failed_probes_the_next_goes_to_another_event() -> None:
    circuit = Circuit()
    circuit.open(100.0, None, middle)
    asked = []
    for event in (1, 1, 2, 2, 3):
        circuit.probe_failed(event, 105.0, None, middle)
        asked.append(circuit.wants_another())
    assert asked == [False, True, False, True, False]
    assert circuit.probed_id == 3


def test_a_success_closes_the_circuit_and_forgets() -> None:
    circuit = Circuit()
    circuit.open(100.0, None, middle)
    circuit.probe_failed(1, 105.0, None, middle)
    assert circuit.succeed(0.0) is True
    assert (circuit.opened, circuit.failed_probes, circuit.probed_id) == (False, 0, 0)
    assert not circuit.wants_another()


def test_a_restored_circuit_goes_on_where_it_stopped() -> None:
    circuit = Circuit()
    circuit.restore(3, 140.0)
    assert (circuit.opened, circuit.next_probe) == (True, 140.0)
    circuit.probe_failed(1, 140.0, None, middle)
    assert circuit.next_probe == 220.0
