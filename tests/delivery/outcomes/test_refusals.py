"""Refusals are grouped by what the receiver answered, in the transaction of their results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.delivery.lanes_world import Sending
from tests.delivery.outcomes.test_results import ACCEPTED, outcome, stored, write
from tests.support.application import rows
from webhookproxy.delivery.outcomes.answer_shape import SHAPE_MAX, answer_shape
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind, Verdict
from webhookproxy.models.deliveries.refusals import GROUPS_MAX
from webhookproxy.models.types import day_number
from webhookproxy.reasons import DeliveryReason, DeliveryState

REFUSED = Verdict(DeliveryState.REFUSED, DeliveryReason.REFUSED_STATUS, counts=True)


def refusal(answer: str | None, status: int = 422) -> Outcome:
    reason = DeliveryReason.REFUSED_STATUS
    return Outcome(Kind.REFUSAL, reason, 1_000, 7, status=status, answer=answer)


def groups(half: Sending) -> list[tuple[object, ...]]:
    query = "SELECT status, shape, count FROM refusal_groups ORDER BY count DESC, id"
    return [tuple(row) for row in rows(half.app, query)]


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        ("telefone 41 90856-8406 inválido", "telefone 0 0-0 inválido"),
        ('campo "telefone" é inválido', "campo “…” é inválido"),
        ("it's not 'phone'", "it's not “…”"),
        ("lead 3f2b1c4d-7a65-4e2d-9b1f-0a1b2c3d4e5f exists", "lead # exists"),
        ("ERR1001: no such list", "ERR0: no such list"),
        ('{"error":"telefone: formato inválido","phone":"+5541908568406"}',
         "telefone: formato inválido"),
        ('{"message":"Invalid","errors":{"phone":["too short"]},"lead":{"name":"Ana Souza"}}',
         "message: Invalid · errors.phone[0]: too short"),
        ('{"ok":false,"name":"Ana Souza"}', "{“…”:false,“…”:“…”}"),
        ("<html><title>413 Too Large</title>\n<p>nginx</p></html>", "0 Too Large nginx"),
        ('{"error":"a\\u0000b \\uff11\\uff12"}', "a b 0"),
        ('{"error":"cut in the mid', '{“…”:"cut in the mid'),
        ("\uff11\uff12 ②", "0 0"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_shape_has_no_digit_id_or_quoted_text(answer: str, shape: str) -> None:
    assert answer_shape(answer) == shape


def test_a_shape_is_short_however_long_the_answer_is() -> None:
    shape = answer_shape("não " * 5_000)
    assert len(shape) <= SHAPE_MAX
    assert shape.endswith("não…")
    assert not any(each.isdigit() and each != "0" for each in answer_shape("a1b2" * 900))


def test_refusals_with_the_same_answer_are_one_group(any_half: Sending) -> None:
    webhook, dues = stored(any_half, 6)
    answers = [f'{{"error":"telefone {number} inválido"}}' for number in range(4)]
    came = [*map(refusal, answers), refusal("duplicado", 409), refusal(None, 400)]
    write(any_half, [(due, each, REFUSED) for due, each in zip(dues, came, strict=True)])
    assert groups(any_half) == [
        (422, "telefone 0 inválido", 4),
        (409, "duplicado", 1),
        (400, "", 1),
    ]
    query = (
        "SELECT g.shape, COUNT(*), MAX(g.sample_id) FROM deliveries d JOIN refusal_groups g"
        " ON g.id = d.refusal_group_id GROUP BY g.id ORDER BY 2 DESC, g.id"
    )
    found = [tuple(row) for row in rows(any_half.app, query)]
    assert found[0] == ("telefone 0 inválido", 4, dues[3].id)
    any_half.check_totals(webhook)


def test_a_group_goes_on_in_the_next_transaction(any_half: Sending) -> None:
    _, dues = stored(any_half, 3)
    for due in dues:
        write(any_half, [(due, refusal("duplicado"), REFUSED)])
    assert groups(any_half) == [(422, "duplicado", 3)]
    sample = rows(any_half.app, "SELECT sample_id FROM refusal_groups")[0][0]
    assert sample == dues[2].id


def test_only_what_ended_as_refused_counts_and_once(any_half: Sending) -> None:
    _, dues = stored(any_half, 3)
    again = Verdict(DeliveryState.RETRYING, DeliveryReason.REFUSED_STATUS, counts=True, delay=60.0)
    given = [(dues[0], refusal("não"), again), (dues[1], refusal("não"), REFUSED)]
    write(any_half, [*given, (dues[2], outcome(), ACCEPTED)])
    # It ended already: an earlier try of the same result counted it.
    write(any_half, [(dues[1], refusal("não"), REFUSED)])
    assert groups(any_half) == [(422, "não", 1)]


def test_a_day_has_fifty_groups_and_the_rest_in_one(any_half: Sending) -> None:
    _, dues = stored(any_half, GROUPS_MAX + 5)
    # Letters, because digits make no difference.
    came = [refusal("x" * number) for number in range(1, len(dues) + 1)]
    write(any_half, [(due, each, REFUSED) for due, each in zip(dues, came, strict=True)])
    found = groups(any_half)
    assert len(found) == GROUPS_MAX + 1
    assert found[0] == (0, "", 5)
    count = rows(any_half.app, "SELECT COUNT(*) FROM deliveries WHERE refusal_group_id IS NULL")
    assert count[0][0] == 0


def test_a_day_begins_at_midnight_of_the_company(half: Sending) -> None:
    half.execute("UPDATE companies SET timezone = 'America/Manaus'")
    _, dues = stored(half, 2)
    zone = ZoneInfo("America/Manaus")
    night = datetime.now(zone).replace(hour=23, minute=30) + timedelta(days=1)
    for due, moment in zip(dues, (night, night + timedelta(hours=1)), strict=True):
        half.skew = moment.timestamp() - datetime.now(UTC).timestamp()
        write(half, [(due, refusal("não"), REFUSED)])
    days = [row[0] for row in rows(half.app, "SELECT day FROM refusal_groups ORDER BY day")]
    assert days == [day_number(night.date()), day_number(night.date()) + 1]
