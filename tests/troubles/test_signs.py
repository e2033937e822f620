"""The signs of trouble, counted, and what they mean at any later time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from webhookproxy.models.types import from_ms, to_ms
from webhookproxy.models.webhooks import Webhook, WebhookHealth
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.troubles.now import Trouble, TroubleKind, trouble_of, troubles_of, works_since
from webhookproxy.troubles.signs import SIGN_COLUMNS, Signs

NOON = 1_780_000_000_000
SECOND, MINUTE = 1_000, 60_000


def webhook_with(signs: Signs, *, waiting: int = 1, number: int = 7, **fields: Any) -> Webhook:
    """A webhook whose row has these signs."""
    health = WebhookHealth(
        webhook_id=number, created=waiting, delivered=0, refused=0, expired=0, cancelled=0,
        simulated=0, last_error="refused_status", last_error_status=422,
    )  # fmt: skip
    for name, value in zip(SIGN_COLUMNS, signs.row(), strict=True):
        is_time = value is not None and name.endswith(("_since", "_at"))
        setattr(health, name, from_ms(value) if is_time and value is not None else value)
    given = {"state": WebhookState.ACTIVE.value, **fields}
    return Webhook(id=number, health=health, **given)


def trouble_at(signs: Signs, at_ms: int, *, waiting: int = 1) -> Trouble | None:
    return trouble_of(webhook_with(signs, waiting=waiting), from_ms(at_ms))


def test_three_failures_and_no_success_for_a_minute_are_failing_since_the_first() -> None:
    signs = Signs()
    for second in (0, 5, 35):
        signs.failed(NOON + second * SECOND, 4)
    assert trouble_at(signs, NOON + 59 * SECOND) is None
    found = trouble_at(signs, NOON + 60 * SECOND)
    assert found is not None
    assert (found.kind, to_ms(found.since), found.delivery_id) == (TroubleKind.FAILING, NOON, 4)


def test_two_failures_or_a_success_between_are_not_failing() -> None:
    signs = Signs()
    for second in (0, 90):
        signs.failed(NOON + second * SECOND, 4)
    assert trouble_at(signs, NOON + 10 * MINUTE) is None
    signs.succeeded(NOON + 91 * SECOND)
    signs.failed(NOON + 92 * SECOND, 4)
    assert trouble_at(signs, NOON + 10 * MINUTE) is None


def test_where_nothing_waits_the_refused_event_is_no_failing_receiver() -> None:
    signs = Signs()
    for second in (0, 2, 5):
        signs.failed(NOON + second * SECOND, 4)
    assert trouble_at(signs, NOON + 10 * MINUTE, waiting=0) is None


def test_retries_and_a_closed_circuit_do_not_move_the_beginning() -> None:
    signs = Signs()
    for minute in range(60):
        signs.failed(NOON + minute * MINUTE, minute)
    found = trouble_at(signs, NOON + 60 * MINUTE)
    assert found is not None
    assert to_ms(found.since) == NOON


def test_failures_soon_after_a_success_are_the_same_trouble() -> None:
    signs = Signs()
    for second in (0, 1, 2, 70):
        signs.failed(NOON + second * SECOND, 4)
    signs.succeeded(NOON + 80 * SECOND)
    assert trouble_at(signs, NOON + 81 * SECOND) is None
    for second in (100, 101, 170):
        signs.failed(NOON + second * SECOND, 4)
    found = trouble_at(signs, NOON + 171 * SECOND)
    assert found is not None
    assert to_ms(found.since) == NOON


def test_failures_long_after_a_success_are_a_new_trouble() -> None:
    signs = Signs()
    for second in (0, 1, 2, 70):
        signs.failed(NOON + second * SECOND, 4)
    signs.succeeded(NOON + 80 * SECOND)
    for minute in (10, 11, 12):
        signs.failed(NOON + minute * MINUTE, 4)
    found = trouble_at(signs, NOON + 13 * MINUTE)
    assert found is not None
    assert to_ms(found.since) == NOON + 10 * MINUTE


def test_a_receiver_works_again_once_nothing_fails_for_a_minute_after_a_success() -> None:
    signs = Signs()
    for second in (0, 1, 2, 70):
        signs.failed(NOON + second * SECOND, 4)
    assert works_since(webhook_with(signs).health, from_ms(NOON + 70 * SECOND)) is None
    signs.succeeded(NOON + 80 * SECOND)
    signs.succeeded(NOON + 90 * SECOND)
    health = webhook_with(signs).health
    assert works_since(health, from_ms(NOON + 139 * SECOND)) is None
    assert works_since(health, from_ms(NOON + 140 * SECOND)) == from_ms(NOON + 80 * SECOND)
    signs.failed(NOON + 120 * SECOND, 4)
    assert works_since(webhook_with(signs).health, from_ms(NOON + 150 * SECOND)) is None


def refuse(signs: Signs, began: int, minutes: int, every: int) -> None:
    """Two first attempts a second, of which one of `every` is refused (none if 0)."""
    for n in range(minutes * 120):
        refused = bool(every) and n % every == 0
        signs.first_attempt(began + n * 500, refused=refused, waited_ms=10)


def test_a_third_refused_is_told_with_its_beginning_and_its_share() -> None:
    signs = Signs()
    refuse(signs, NOON, 5, 0)
    refuse(signs, NOON + 5 * MINUTE, 20, 3)
    found = trouble_at(signs, NOON + 25 * MINUTE)
    assert found is not None
    assert (found.kind, found.status) == (TroubleKind.REFUSING, 422)
    assert to_ms(found.since) == NOON + 5 * MINUTE
    assert found.share == pytest.approx(0.33, abs=0.01)


def test_four_refused_or_a_tenth_of_many_are_no_trouble() -> None:
    signs = Signs()
    for n in range(4):
        signs.first_attempt(NOON + n * SECOND, refused=True, waited_ms=10)
    assert trouble_at(signs, NOON + 5 * SECOND) is None
    signs = Signs()
    refuse(signs, NOON, 20, 0)
    refuse(signs, NOON + 20 * MINUTE, 20, 10)
    assert trouble_at(signs, NOON + 40 * MINUTE) is None


def test_refusing_is_over_when_few_were_refused_for_half_an_hour() -> None:
    signs = Signs()
    refuse(signs, NOON, 20, 3)
    refuse(signs, NOON + 20 * MINUTE, 35, 0)
    assert trouble_at(signs, NOON + 55 * MINUTE) is not None
    refuse(signs, NOON + 55 * MINUTE, 10, 0)
    assert trouble_at(signs, NOON + 65 * MINUTE) is None
    refuse(signs, NOON + 120 * MINUTE, 20, 3)
    found = trouble_at(signs, NOON + 140 * MINUTE)
    assert found is not None
    assert to_ms(found.since) == NOON + 120 * MINUTE


def test_fifteen_per_cent_keep_it_refusing_and_do_not_begin_it() -> None:
    signs = Signs()
    refuse(signs, NOON, 30, 7)
    assert trouble_at(signs, NOON + 30 * MINUTE) is None
    refuse(signs, NOON + 30 * MINUTE, 20, 3)
    refuse(signs, NOON + 50 * MINUTE, 60, 7)
    assert trouble_at(signs, NOON + 110 * MINUTE) is not None


def test_a_queue_that_grows_is_behind_and_one_that_drains_is_not() -> None:
    signs = Signs()
    for minute in range(20):
        waited = minute * 40 * SECOND
        signs.first_attempt(NOON + minute * MINUTE, refused=False, waited_ms=waited)
    found = trouble_at(signs, NOON + 20 * MINUTE)
    assert found is not None
    assert found.kind is TroubleKind.BEHIND
    assert to_ms(found.since) == NOON + 9 * MINUTE
    assert trouble_at(signs, NOON + 20 * MINUTE, waiting=0) is None
    for minute in range(20, 30):
        waited = (30 - minute) * MINUTE
        signs.first_attempt(NOON + minute * MINUTE, refused=False, waited_ms=waited)
        if minute == 24:
            # Events still wait for more than five minutes, and less than before.
            assert trouble_at(signs, NOON + 25 * MINUTE) is None
    assert trouble_at(signs, NOON + 30 * MINUTE) is None


def test_stored_signs_go_on_after_a_restart() -> None:
    signs = Signs()
    for second in (0, 1, 2, 70):
        signs.failed(NOON + second * SECOND, 4)
    refuse(signs, NOON, 20, 3)
    again = Signs.stored(webhook_with(signs).health)
    assert again.row() == signs.row()


def test_what_the_user_switched_off_is_no_trouble_and_410_is_one() -> None:
    signs = Signs()
    for second in (0, 1, 2, 70):
        signs.failed(NOON + second * SECOND, 4)
    now = from_ms(NOON + 5 * MINUTE)
    paused: dict[str, Any] = {"state": WebhookState.PAUSED.value}
    paused["paused_at"] = now - timedelta(minutes=1)
    assert trouble_of(webhook_with(signs, **paused), now) is None
    assert trouble_of(webhook_with(signs, state=WebhookState.SIMULATED.value), now) is None
    gone = trouble_of(webhook_with(signs, **paused, paused_reason="gone"), now)
    assert gone is not None
    assert (gone.kind, gone.since) == (TroubleKind.PAUSED, now - timedelta(minutes=1))


def test_the_worst_trouble_comes_first_and_the_oldest_of_a_kind() -> None:
    early, late, refusing = Signs(), Signs(), Signs()
    for second in (0, 1, 2, 70):
        early.failed(NOON + second * SECOND, 4)
        late.failed(NOON + 100 * SECOND + second * SECOND, 4)
    refuse(refusing, NOON - 10 * MINUTE, 15, 3)
    webhooks = [
        webhook_with(refusing, number=1),
        webhook_with(late, number=2),
        webhook_with(early, number=3),
        webhook_with(Signs(), number=4),
    ]
    assert list(troubles_of(webhooks, from_ms(NOON + 5 * MINUTE))) == [3, 2, 1]
