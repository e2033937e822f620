from __future__ import annotations

import pytest

from webhookproxy.delivery.outcomes.retry import (
    EVENT_DELAYS,
    Kind,
    Verdict,
    classify,
    event_delay,
    judge,
    probe_delay,
    refusal_delay,
    was_refused,
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
        Kind.ERROR: DeliveryReason.FAILED_STATUS,
        Kind.FAILURE: DeliveryReason.FAILED_STATUS,
        Kind.BUSY: DeliveryReason.THROTTLED,
        Kind.GONE: DeliveryReason.GONE,
    }[kind]
    options = {"probe": False, "others_passed": True, "retry_after": None, **given}
    return judge(kind, reason, tries, random=middle, **options)  # type: ignore[arg-type]  # a dict


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
        ((500,), Kind.ERROR, DeliveryReason.FAILED_STATUS),
        ((501, 502, 503, 504, 599, 600, 999), Kind.FAILURE, DeliveryReason.FAILED_STATUS),
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
    assert verdict(Kind.REFUSAL, 0).delay == 2
    assert verdict(Kind.REFUSAL, 1).delay == 3
    assert verdict(Kind.REFUSAL, 2) == Verdict(
        DeliveryState.REFUSED, DeliveryReason.REFUSED_STATUS, counts=True
    )


def test_a_refusal_is_not_final_as_long_as_nothing_passes() -> None:
    late = verdict(Kind.REFUSAL, 50, others_passed=False)
    assert late.state is DeliveryState.RETRYING
    assert late.delay == 3600
    assert late.kept
    assert refusal_delay(3, middle) == 30


@pytest.mark.parametrize("kind", [Kind.FAILURE, Kind.ERROR])
def test_a_failure_among_successes_is_exhausted_after_eight_tries(kind: Kind) -> None:
    assert verdict(kind, 6).state is DeliveryState.RETRYING
    assert verdict(kind, 7) == Verdict(DeliveryState.REFUSED, DeliveryReason.EXHAUSTED, counts=True)
    late = verdict(kind, 50, others_passed=False)
    assert (late.state, late.kept) == (DeliveryState.RETRYING, False)


def test_what_was_refused_while_nothing_passed_gets_its_tries_again() -> None:
    tries, delays = 5, []
    while (again := verdict(Kind.REFUSAL, tries)).state is DeliveryState.RETRYING:
        tries = again.tries(tries)
        delays.append(again.delay)
    assert (tries, delays) == (2, [2, 3])
    assert again.state is DeliveryState.REFUSED
    assert verdict(Kind.ERROR, 8).tries(8) == 1


@pytest.mark.parametrize("others_passed", [True, False])
def test_a_busy_receiver_never_exhausts_an_event(others_passed: bool) -> None:
    busy = verdict(Kind.BUSY, 50, others_passed=others_passed)
    assert (busy.state, busy.counts, busy.delay) == (DeliveryState.RETRYING, False, 5)
    assert verdict(Kind.BUSY, 0, retry_after=60.0).delay == 60


@pytest.mark.parametrize(
    ("reason", "status", "refused"),
    [
        ("refused_status", 422, True),
        ("n8n_test_url", 404, True),
        ("failed_status", 500, True),
        ("failed_status", 503, False),
        ("throttled", 429, False),
        ("make_queue_full", 400, False),
        ("waiting_turn", None, False),
    ],
)
def test_what_is_stored_says_whether_the_answer_was_about_one_event(
    reason: str, status: int | None, refused: bool
) -> None:
    assert was_refused(reason, status) == refused


@pytest.mark.parametrize("kind", [Kind.FAILURE, Kind.REFUSAL, Kind.ERROR, Kind.BUSY, Kind.GONE])
def test_a_failed_probe_never_counts(kind: Kind) -> None:
    probe = verdict(kind, 50, probe=True)
    assert (probe.state, probe.counts, probe.delay) == (DeliveryState.RETRYING, False, 0.0)


def test_410_never_counts() -> None:
    gone = verdict(Kind.GONE, 50)
    assert (gone.state, gone.counts, gone.delay) == (DeliveryState.RETRYING, False, 0.0)


def test_a_retry_after_only_makes_the_wait_of_an_event_longer() -> None:
    assert verdict(Kind.FAILURE, 0, retry_after=60.0).delay == 60
    assert verdict(Kind.FAILURE, 1, retry_after=1.0).delay == 30


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
