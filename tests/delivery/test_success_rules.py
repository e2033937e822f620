"""A receiver that answers 200 also when it refuses, and a webhook that knows."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.delivery.lanes_world import Sending
from tests.support.application import rows
from tests.support.receiver import Plain, Received, Receiver
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.reasons import DeliveryReason
from webhookproxy.troubles.now import Trouble, TroubleKind
from webhookproxy.troubles.words import trouble_name, trouble_words

OK_IS_TRUE = Condition("ok", Operator.EQUAL, "true")
FAILING = "Sua URL responde com status 200, mas a resposta diz que falhou, desde 16:18."


def crm(got: Received) -> Plain:
    """Refuse the events of one name."""
    if got.headers["X-Webhook-Event"] == "bad":
        return 200, {}, b'{"ok": false, "error": "no lead 17"}'
    return 200, {}, b'{"ok": true}'


def test_a_2xx_that_says_it_failed_is_refused_as_a_4xx_is(any_half: Sending) -> None:
    half = any_half
    with Receiver(crm) as receiver:
        webhook = half.webhook(receiver.url(), success_rule=OK_IS_TRUE)
        half.arrive(3, name="bad")
        tried = "SELECT COUNT(*) AS n FROM deliveries WHERE tries > 0"
        half.wait_for(f"SELECT 1 FROM ({tried}) t WHERE n = 3")
        half.arrive(1)
        half.wait_for_ends(webhook, 4)
    bad = ("refused", "answer_failed")
    assert half.states(webhook) == [bad, bad, bad, ("delivered", "accepted")]
    details = rows(half.app, "SELECT DISTINCT detail FROM attempts WHERE detail IS NOT NULL")
    assert [row.detail for row in details] == ["ok não é igual a true"]
    groups = rows(half.app, "SELECT status, reason, shape, count FROM refusal_groups")
    assert [tuple(row) for row in groups] == [(200, "answer_failed", "no lead 0", 3)]
    assert half.health(webhook).last_error == "answer_failed"
    half.check_totals(webhook)


def test_the_trouble_is_told_in_our_words() -> None:
    now = datetime.now(UTC)
    for kind, said in (
        (TroubleKind.FAILING, FAILING),
        (TroubleKind.REFUSING, "50\u00a0% dos eventos desde 16:18: resposta de falha (200)."),
    ):
        trouble = Trouble(kind, 1, now, DeliveryReason.ANSWER_FAILED, 200, None, 10, 5)
        words = trouble_words(trouble, since="16:18")
        assert said in words.what
        assert "corrija no webhook" in words.you
        assert "(200)" in trouble_name(trouble)
