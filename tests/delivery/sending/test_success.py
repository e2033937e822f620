"""What counts as success, by a webhook's own rule."""

from __future__ import annotations

import json
import socket

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.delivery.sending.conftest import DUE, MakeSender
from tests.support.receiver import Plain, Receiver, raw
from webhookproxy.delivery.outcomes.outcome import Outcome
from webhookproxy.delivery.outcomes.retry import Kind
from webhookproxy.delivery.sending.success import SuccessTest
from webhookproxy.events.conditions import WORDS_MAX, Condition, Operator
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.network.http import client
from webhookproxy.network.http.text import readable
from webhookproxy.reasons import DeliveryReason, words_of_attempt
from webhookproxy.rules import Problems, Refused
from webhookproxy.rules.success import (
    CHOICES,
    check_success_rule,
    chosen_rule,
    read_success_rule,
    stored_success_rule,
)

EQUAL, EXISTS = Operator.EQUAL, Operator.EXISTS
CONTAINS, LACKS = Operator.CONTAINS, Operator.LACKS


@pytest.mark.parametrize(
    ("rule", "answer", "failing"),
    [
        (Condition("ok", EQUAL, "true"), '{"ok":true}', None),
        (Condition("ok", EQUAL, "true"), '{"ok":"true"}', None),
        (Condition("ok", EQUAL, "true"), '{"ok":false,"error":"x"}', "ok não é igual a true"),
        (Condition("a[0].n", EQUAL, "1.10"), '{"a":[{"n":1.1}]}', None),
        (Condition("n", EQUAL, "1"), '{"n":' + "9" * 5_000 + "}", "n não é igual a 1"),
        (Condition("n", EQUAL, "1"), '{"n":NaN}', "n não é igual a 1"),
        (Condition("result", EXISTS), '{"result":null}', None),
        (Condition("result", EXISTS), '{"error":"x"}', "não tem o campo result"),
        (Condition("result", EXISTS), "[1]", "não tem o campo result"),
        (Condition("result", EXISTS), "<html>", "não é JSON, ou passa de 16 KB"),
        (Condition("result", EXISTS), "", "não é JSON, ou passa de 16 KB"),
        (Condition("result", EXISTS), "[" * 16_000, "não é JSON, ou passa de 16 KB"),
        (Condition("", CONTAINS, "OK"), "tudo ok", None),
        (Condition("", CONTAINS, "OK"), "falhou", "não contém “OK”"),
        (Condition("", LACKS, '"error"'), '{"result":1}', None),
        (Condition("", LACKS, '"error"'), '{"error":1}', "contém “"),
    ],
)
def test_an_answer_meets_the_rule_or_we_say_what_it_does_not_meet(
    rule: Condition, answer: str, failing: str | None
) -> None:
    assert read_success_rule(stored_success_rule(rule)) == rule
    said = SuccessTest(rule).failing(answer)
    assert said == failing if failing is None else failing in (said or "")


_PATHS = st.sampled_from(["ok", "a.b", "a[0]", '["a.b"]'])
_TEXTS = st.text(min_size=1, max_size=20)
_RULES = st.one_of(
    st.builds(Condition, _PATHS, st.just(EQUAL), _TEXTS),
    st.builds(Condition, _PATHS, st.just(EXISTS)),
    st.builds(Condition, st.just(""), st.sampled_from([CONTAINS, LACKS]), _TEXTS),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["ok", "a", "b", "a.b"]), inner, max_size=3)
    ),
    max_leaves=6,
).map(json.dumps)


_TYPES = st.sampled_from(["", "application/json; charset=latin-1", "text/html"])


@settings(max_examples=40)
@given(_RULES, _TYPES, st.one_of(_JSON.map(str.encode), st.binary(max_size=60)))
def test_any_bytes_meet_any_rule_or_not_and_nothing_is_raised(
    rule: Condition, content_type: str, content: bytes
) -> None:
    said = SuccessTest(rule).failing(readable({"Content-Type": content_type}, content))
    assert said is None or 0 < len(said) <= WORDS_MAX


@pytest.mark.parametrize(
    ("choice", "path", "text", "field"),
    [
        ("igual", "ok", "", "success_text"),
        ("igual", "a..b", "1", "success_path"),
        ("existe", "", "", "success_path"),
        ("existe", "a" * 151, "", "success_path"),
        ("contem", "", "a\nb", "success_text"),
        ("nao_contem", "", "x" * 121, "success_text"),
        ("maior", "a", "1", "success"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(choice: str, path: str, text: str, field: str) -> None:
    problems = Problems()
    check_success_rule(chosen_rule(choice, path, text, problems), problems)
    with pytest.raises(Refused) as refused:
        problems.raise_any()
    assert [each.field for each in refused.value.problems] == [field]
    # What is missing is asked for, and not quoted.
    assert "''" not in refused.value.problems[0].portuguese


@pytest.mark.parametrize("stored", [{}, {"path": "a", "operator": "x", "value": ""}, {"path": 1}])
def test_a_rule_of_another_version_is_not_taken_for_none(stored: dict[str, str]) -> None:
    with pytest.raises(NewerVersion, match="newer version"):
        read_success_rule(stored)


def test_every_choice_has_words() -> None:
    assert list(CHOICES) == ["qualquer", *(each.value for each in (EQUAL, EXISTS, CONTAINS, LACKS))]


def ask(make: MakeSender, answer: object, rule: Condition | None, **fields: object) -> Outcome:
    with Receiver(answer) as receiver:  # type: ignore[arg-type]
        stored = stored_success_rule(rule)
        return make(receiver.url(), success_rule=stored, **fields).send(DUE)


OK = Condition("ok", EQUAL, "true")
SLACK: Plain = (200, {}, b'{"ok":false,"error":"channel_not_found"}')
BITRIX: Plain = (200, {}, b'{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many"}')


def test_a_2xx_that_fails_the_rule_is_a_refusal_and_one_that_asks_for_patience_is_busy(
    make: MakeSender,
) -> None:
    refused = ask(make, SLACK, OK)
    assert (refused.kind, refused.reason, refused.status) == (
        Kind.REFUSAL,
        DeliveryReason.ANSWER_FAILED,
        200,
    )
    words = words_of_attempt(refused.reason, refused.status, refused.detail)
    assert words.what == (
        "Sua URL respondeu com status 200, mas a resposta diz que falhou: ok não é igual a true."
    )
    busy = ask(make, BITRIX, Condition("result", EXISTS))
    assert (busy.kind, busy.reason) == (Kind.BUSY, DeliveryReason.THROTTLED)
    assert ask(make, SLACK, None).kind is Kind.SUCCESS
    # The rule says nothing of an answer that is a failure anyway.
    failed = ask(make, (500, {}, b"{}"), OK)
    assert (failed.kind, failed.reason) == (Kind.ERROR, DeliveryReason.FAILED_STATUS)


def test_the_rule_reads_up_to_16_kb_and_a_success_keeps_its_beginning(make: MakeSender) -> None:
    long = b'{"pad":"' + b"x" * 10_000 + b'","ok":true}'
    outcome = ask(make, (200, {}, long), OK)
    assert (outcome.kind, len(outcome.answer or "")) == (Kind.SUCCESS, 1_024)
    longer = ask(make, (200, {}, b'{"pad":"' + b"x" * 20_000 + b'","ok":true}'), OK)
    assert (longer.kind, longer.reason) == (Kind.REFUSAL, DeliveryReason.ANSWER_FAILED)
    assert "passa de 16 KB" in (longer.detail or "")
    cut = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"ok":')
    assert ask(make, lambda _got: cut, OK).reason is DeliveryReason.ANSWER_FAILED


def test_the_rule_waits_for_a_body_that_comes_late(
    make: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n")
        gevent.sleep(0.05)
        sock.sendall(b'{"ok":true}')

    # Without a rule the status alone decides, and no one waits.
    monkeypatch.setattr(client, "BODY_SECONDS", 0.0)
    assert ask(make, lambda _got: late, OK).kind is Kind.SUCCESS


def test_own_headers_are_sent_and_hidden_in_what_comes_back(make: MakeSender) -> None:
    headers = "X-Api-Key: Token canary-own-1\nAccept: application/json"
    with Receiver(lambda got: (200, {}, repr(dict(got.headers)).encode())) as receiver:
        rule = stored_success_rule(Condition("", LACKS, "canary-own"))
        sender = make(receiver.url(), headers=headers, success_rule=rule)
        outcome = sender.send(DUE)
    (got,) = receiver.requests
    assert got.headers["X-Api-Key"] == "Token canary-own-1"
    assert got.headers["Accept"] == "application/json"
    # The rule sees the whole answer; what is stored of it does not show the key.
    assert outcome.reason is DeliveryReason.ANSWER_FAILED
    assert "canary-own-1" not in (outcome.answer or "canary-own-1")
    assert "application/json" in (outcome.answer or "")


def test_a_rule_of_another_version_counts_any_2xx(make: MakeSender) -> None:
    with Receiver(SLACK) as receiver:
        sender = make(receiver.url(), success_rule={"path": "a", "operator": "new", "value": ""})
        assert sender.send(DUE).kind is Kind.SUCCESS
