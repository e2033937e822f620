from __future__ import annotations

import pytest

from webhookproxy.delivery.outcomes.retry import (
    EVENT_DELAYS,
    Circuit,
    Kind,
    Verdict,
    classify,
    event_delay,
    judge,
    probe_delay,
)
from webhookproxy.delivery.sending.sender import read_retry_after
from webhookproxy.reasons import DeliveryReason, DeliveryState

NOW = 1_700_000_000.0


def middle() -> float:
    return 0.5


def verdict(kind: Kind, tries: int, **given: object) -> Verdict:
    reason = {
        Kind.SUCCESS: DeliveryReason.ACCEPTED,
        Kind.REFUSAL: DeliveryReason.REFUSED_STATUS,
        Kind.FAILURE: DeliveryReason.FAILED_STATUS,
        Kind.BUSY: DeliveryReason.THROTTLED,
        Kind.GONE: DeliveryReason.GONE,
    }[kind]
    options = {"probe": False, "others_passed": True, "retry_after": None, **given}
    return judge(kind, reason, tries, random=middle, **options)  # type: ignore[arg-type]  # a dict


def fail(circuit: Circuit, kind: Kind, *events: int, strict: bool = False) -> list[bool]:
    return [circuit.fail(kind, event, strict=strict) for event in events]


def test_an_event_is_tried_again_at_growing_distances_and_then_hourly() -> None:
    delays = [event_delay(tries, middle) for tries in range(1, 9)]
    assert delays == [5, 30, 120, 600, 1800, 3600, 3600, 3600]


def test_jitter_moves_a_delay_by_a_tenth_at_most() -> None:
    for tries, base in enumerate(EVENT_DELAYS, 1):
        assert event_delay(tries, lambda: 0.0) == pytest.approx(base * 0.9)
        assert event_delay(tries, lambda: 1.0) == pytest.approx(base * 1.1)


def test_probes_grow_from_five_seconds_to_a_quarter_of_an_hour() -> None:
    delays = [probe_delay(failed, None, middle) for failed in range(12)]
    assert delays == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]
    assert probe_delay(10_000, None, middle) == 900


def test_a_retry_after_only_makes_the_wait_for_a_probe_longer() -> None:
    assert probe_delay(0, 60.0, middle) == 60
    assert probe_delay(5, 1.0, middle) == 160


@pytest.mark.parametrize(
    ("statuses", "kind", "reason"),
    [
        ((200, 201, 204, 299), Kind.SUCCESS, DeliveryReason.ACCEPTED),
        ((300, 301, 302, 307, 308, 399), Kind.FAILURE, DeliveryReason.REDIRECTED),
        ((400, 401, 403, 404, 413, 422, 499), Kind.REFUSAL, DeliveryReason.REFUSED_STATUS),
        ((408, 425), Kind.BUSY, DeliveryReason.FAILED_STATUS),
        ((429,), Kind.BUSY, DeliveryReason.THROTTLED),
        ((423,), Kind.BUSY, DeliveryReason.BUSY),
        ((402,), Kind.BUSY, DeliveryReason.OUT_OF_CREDITS),
        ((410,), Kind.GONE, DeliveryReason.GONE),
        ((500, 502, 503, 504, 599, 600, 999), Kind.FAILURE, DeliveryReason.FAILED_STATUS),
        ((0, 100, 103, 199), Kind.FAILURE, DeliveryReason.FAILED_STATUS),
    ],
)
def test_every_status_has_its_kind(
    statuses: tuple[int, ...], kind: Kind, reason: DeliveryReason
) -> None:
    assert {classify(status) for status in statuses} == {(kind, reason)}


def test_a_success_ends_a_delivery() -> None:
    assert verdict(Kind.SUCCESS, 0) == Verdict(
        DeliveryState.DELIVERED, DeliveryReason.ACCEPTED, counts=True
    )


def test_a_refusal_among_successes_is_final_after_three_tries() -> None:
    assert verdict(Kind.REFUSAL, 0).delay == 5
    assert verdict(Kind.REFUSAL, 1).delay == 30
    assert verdict(Kind.REFUSAL, 2) == Verdict(
        DeliveryState.REFUSED, DeliveryReason.REFUSED_STATUS, counts=True
    )


def test_a_refusal_is_not_final_as_long_as_nothing_passes() -> None:
    late = verdict(Kind.REFUSAL, 50, others_passed=False)
    assert late.state is DeliveryState.RETRYING
    assert late.delay == 3600


def test_a_failure_among_successes_is_exhausted_after_eight_tries() -> None:
    assert verdict(Kind.FAILURE, 6).state is DeliveryState.RETRYING
    assert verdict(Kind.FAILURE, 7) == Verdict(
        DeliveryState.REFUSED, DeliveryReason.EXHAUSTED, counts=True
    )
    assert verdict(Kind.FAILURE, 50, others_passed=False).state is DeliveryState.RETRYING


@pytest.mark.parametrize("kind", [Kind.FAILURE, Kind.REFUSAL, Kind.GONE])
def test_a_failed_probe_never_counts(kind: Kind) -> None:
    probe = verdict(kind, 50, probe=True)
    assert (probe.state, probe.counts, probe.delay) == (DeliveryState.RETRYING, False, 0.0)


def test_410_never_counts() -> None:
    gone = verdict(Kind.GONE, 50)
    assert (gone.state, gone.counts, gone.delay) == (DeliveryState.RETRYING, False, 0.0)


def test_a_retry_after_only_makes_the_wait_of_an_event_longer() -> None:
    assert verdict(Kind.FAILURE, 0, retry_after=60.0).delay == 60
    assert verdict(Kind.FAILURE, 1, retry_after=1.0).delay == 30


def test_five_failures_over_three_events_open_the_circuit() -> None:
    assert fail(Circuit(), Kind.FAILURE, 1, 2, 3, 1, 2) == [False] * 4 + [True]


def test_failures_of_two_events_do_not_open_the_circuit() -> None:
    circuit = Circuit()
    assert not any(fail(circuit, Kind.FAILURE, *[1, 2] * 20))
    assert fail(circuit, Kind.FAILURE, 3) == [True]


def test_a_success_between_starts_the_count_anew() -> None:
    circuit = Circuit()
    assert not any(fail(circuit, Kind.FAILURE, 1, 2, 3, 4))
    assert circuit.succeed() is False
    assert not any(fail(circuit, Kind.FAILURE, 1, 2, 3, 4))


def test_ten_different_events_refused_in_a_row_open_the_circuit() -> None:
    circuit = Circuit()
    assert fail(circuit, Kind.REFUSAL, *range(1, 11)) == [False] * 9 + [True]


def test_one_event_refused_often_does_not_open_the_circuit() -> None:
    circuit = Circuit()
    assert not any(fail(circuit, Kind.REFUSAL, *list(range(1, 10)) * 5))
    circuit.succeed()
    assert not any(fail(circuit, Kind.REFUSAL, *range(10, 19)))


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
    assert circuit.succeed() is True
    assert (circuit.opened, circuit.failed_probes, circuit.probed_id) == (False, 0, 0)
    assert not circuit.wants_another()


def test_a_restored_circuit_goes_on_where_it_stopped() -> None:
    circuit = Circuit()
    circuit.restore(3, 140.0)
    assert (circuit.opened, circuit.next_probe) == (True, 140.0)
    circuit.probe_failed(1, 140.0, None, middle)
    assert circuit.next_probe == 220.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("-nan", None),
        ("12,5", None),
        ("120", 120.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("-inf", 0.0),
        ("1e99", 900.0),
        ("inf", 900.0),
        ("9" * 400, 900.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20", 60.0),
        ("Tue, 14 Nov 2023 19:14:20 -0300", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("Fri, 14 Nov 2098 22:00:00 GMT", 900.0),
        ("Fri, 14 Nov 99999 22:00:00 GMT", None),
        ("Fri, 99 Nov 2098 22:00:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("\ud800", None),
    ],
)
def test_a_retry_after_is_read_clamped_or_ignored(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds
