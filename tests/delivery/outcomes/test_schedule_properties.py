"""The two schedules, whatever happens: bounded, growing, never silent for ever, never a storm."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.delivery.outcomes.retry import (
    EVENT_DELAYS,
    JITTER,
    OPEN_AFTER_FAILURES,
    OPEN_AFTER_REFUSALS,
    PROBE_FIRST,
    PROBE_LAST,
    PROBES_PER_EVENT,
    RETRY_AFTER_MAX,
    Circuit,
    Kind,
    event_delay,
    judge,
    probe_delay,
)
from webhookproxy.delivery.sending.sender import read_retry_after
from webhookproxy.delivery.waiting.retries import DUE_AHEAD_MAX
from webhookproxy.reasons import DeliveryReason, DeliveryState

CHANCE = st.floats(0.0, 1.0, exclude_max=True)
RETRY_AFTER = st.sampled_from([None, 0.0, RETRY_AFTER_MAX]) | st.floats(0.0, RETRY_AFTER_MAX)
KINDS = st.sampled_from(list(Kind))
FAILURES = st.lists(
    st.tuples(st.sampled_from([Kind.REFUSAL, Kind.FAILURE, Kind.BUSY]), st.integers(1, 12))
)


@given(st.integers(-5, 10**6), CHANCE)
def test_an_event_is_tried_again_within_its_schedule(tries: int, chance: float) -> None:
    delay = event_delay(tries, lambda: chance)
    assert EVENT_DELAYS[0] * (1 - JITTER) <= delay <= EVENT_DELAYS[-1] * (1 + JITTER)
    # What is stored may not look like the mark of a clock that jumped.
    assert delay < DUE_AHEAD_MAX
    assert event_delay(tries + 1, lambda: chance) >= delay


@given(st.integers(0, 10**6), RETRY_AFTER, CHANCE)
def test_a_probe_goes_out_within_its_schedule_and_not_before_it_may(
    failed: int, retry_after: float | None, chance: float
) -> None:
    delay = probe_delay(failed, retry_after, lambda: chance)
    longest = max(PROBE_LAST * (1 + JITTER), RETRY_AFTER_MAX)
    assert PROBE_FIRST * (1 - JITTER) <= delay <= longest
    assert delay >= (retry_after or 0.0)
    assert probe_delay(failed + 1, retry_after, lambda: chance) >= delay


VALUES = (
    st.text(max_size=40)
    | st.floats().map(str)
    | st.integers().map(str)
    | st.sampled_from(
        [
            "1e99",
            "Mon, 01 Jan 0001 00:00:00 GMT",
            "Fri, 31 Dec 9999 23:59:59 -2359",
            "Wed, 21 Oct 2015 07:28:00",
            "Thu, 99 Xyz 2015 99:99:99 GMT",
        ]
    )
)


@given(VALUES, st.floats(0, 4e9))
def test_whatever_a_retry_after_says_it_is_clamped_or_ignored(value: str, now: float) -> None:
    seconds = read_retry_after(value, now)
    assert seconds is None or (math.isfinite(seconds) and 0.0 <= seconds <= RETRY_AFTER_MAX)


@given(KINDS, st.integers(0, 10), st.booleans(), st.booleans(), RETRY_AFTER, CHANCE)
def test_a_verdict_ends_a_delivery_or_says_when_it_is_tried_again(
    kind: Kind,
    tries: int,
    probe: bool,
    others_passed: bool,
    retry_after: float | None,
    chance: float,
) -> None:
    verdict = judge(
        kind,
        DeliveryReason.FAILED_STATUS,
        tries,
        probe=probe,
        others_passed=others_passed,
        retry_after=retry_after,
        random=lambda: chance,
    )
    waits = verdict.state is DeliveryState.RETRYING
    assert waits == (verdict.delay is not None)
    assert (kind is Kind.SUCCESS) == (verdict.state is DeliveryState.DELIVERED)
    if verdict.state is DeliveryState.REFUSED:
        # As long as nothing passes it is the receiver that is at fault, and not the event.
        assert others_passed
        assert not probe
    if verdict.delay is not None and not probe and kind is not Kind.GONE:
        assert verdict.delay >= (retry_after or 0.0)


@given(FAILURES, st.booleans())
def test_a_circuit_opens_in_time_and_only_for_cause(
    failures: list[tuple[Kind, int]], strict: bool
) -> None:
    circuit, failed, opened = Circuit(), 0, False
    events: set[int] = set()
    for kind, event in failures:
        failed += kind is not Kind.REFUSAL or strict
        events.add(event)
        opened = circuit.fail(kind, event, strict=strict)
        if opened:
            break
    if opened:
        assert failed >= OPEN_AFTER_FAILURES or len(events) >= OPEN_AFTER_REFUSALS
    else:
        assert len(events) < OPEN_AFTER_REFUSALS
    assert not circuit.succeed()
    # A success makes it forget: one failure more opens nothing.
    assert not circuit.fail(Kind.FAILURE, 1, strict=strict)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=30), RETRY_AFTER, CHANCE)
def test_probes_of_an_open_circuit_move_on_and_wait_longer(
    events: list[int], retry_after: float | None, chance: float
) -> None:
    circuit, now, before = Circuit(), 0.0, 0.0
    circuit.open(now, retry_after, lambda: chance)
    in_a_row, last = 0, 0
    for event in events:
        now = circuit.next_probe
        circuit.probe_failed(event, now, retry_after, lambda: chance)
        in_a_row, last = (in_a_row + 1 if event == last else 1), event
        wait = circuit.next_probe - now
        assert wait >= before - 1e-6
        assert circuit.wants_another() == (in_a_row >= PROBES_PER_EVENT)
        before = wait
    assert circuit.succeed()
    assert not circuit.opened
