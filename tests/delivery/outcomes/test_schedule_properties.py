"""The two schedules are always bounded and growing, never without end, never a storm."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from webhookproxy.delivery.outcomes import circuit as circuits
from webhookproxy.delivery.outcomes.circuit import (
    OPEN_AFTER_FAILURES,
    PROBES_PER_EVENT,
    Circuit,
)
from webhookproxy.delivery.outcomes.retry import (
    EVENT_DELAYS,
    JITTER,
    PROBE_FIRST,
    PROBE_LAST,
    RETRY_AFTER_MAX,
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
ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([Kind.SUCCESS, Kind.REFUSAL, Kind.ERROR, Kind.FAILURE, Kind.BUSY]),
        st.integers(1, 12),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 1.0, 5.0, 30.0]),
    ),
    max_size=60,
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
    # What cannot be written in the webhook's format reaches no receiver.
    if verdict.state is DeliveryState.REFUSED and kind is not Kind.UNSENT:
        # As long as nothing passes it is the receiver that is at fault, and not the event.
        assert others_passed
        assert not probe
    if verdict.delay is not None and not probe and kind is not Kind.GONE:
        assert verdict.delay >= (retry_after or 0.0)


@given(ANSWERS, st.booleans())
def test_a_circuit_opens_in_time_and_only_for_cause(
    answers: list[tuple[Kind, int, bool, float]], strict: bool
) -> None:
    """As the rule says it, with smaller numbers: three first attempts in 20 s, over 2 s."""
    small: dict[str, Any] = {"OPEN_AFTER_REFUSALS": 3, "REFUSALS_SPREAD": 2.0}
    with patch.multiple(circuits, _COUNTED_TOGETHER=0.0, REFUSALS_SECONDS=20.0, **small):
        circuit, now = Circuit(), 0.0
        firsts: list[tuple[float, bool]] = []
        failed: list[int] = []
        for kind, event, first, seconds in answers:
            now += seconds
            refused = kind in (Kind.REFUSAL, Kind.ERROR)
            firsts += [(now, refused)] if first else []
            if kind is Kind.SUCCESS:
                failed.clear()
                assert not circuit.succeed(now, first=first)
                continue
            opened = circuit.fail(kind, event, now, first=first, strict=strict)
            failed += [] if refused and not strict else [event]
            late = [each for each in firsts if now - each[0] <= 20.0]
            all_refused = all(was for _, was in late) and len(late) >= 3
            expected = len(failed) >= OPEN_AFTER_FAILURES and (strict or len(set(failed)) >= 3)
            if refused and not strict:
                expected = first and all_refused and now - late[0][0] >= 2.0
            assert opened == expected
            if opened:
                break


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
    assert circuit.succeed(now)
    assert not circuit.opened
