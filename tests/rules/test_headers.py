"""The headers that a webhook may have, and their values when its URL changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import PreparedRequest

from webhookproxy.network.guard import Policy
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.network.http.message import message_of, route_of
from webhookproxy.rules import Problems, Refused
from webhookproxy.rules.headers import Header, check_headers, read_headers, stored_headers
from webhookproxy.rules.webhooks import WebhookInput, changed_webhook, check_webhook

POLICY = Policy(allow_private=False, allow_http=False)
WEBHOOK = WebhookInput("CRM", "https://crm.example/hook", headers=(("X-Api-Key", "canary"),))
ROUTE = route_of("POST", "https://crm.example/hook", POLICY)
CONNECTION, OURS = "é da conexão", "é dos nossos"


def problems_of(*headers: Header) -> list[str]:
    problems = Problems()
    check_headers(headers, problems)
    refused = problems.joined(Refused([]))
    assert {each.field for each in refused.problems} <= {"headers"}
    return [each.portuguese for each in refused.problems]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        *((name, "x", CONNECTION) for name in ("Connection", "keep-alive", "TE", "Upgrade")),
        *((name, "x", CONNECTION) for name in ("Proxy-Authorization", "Trailer", "Expect")),
        *((name, "x", CONNECTION) for name in ("transfer-encoding", "Accept-Encoding")),
        *((name, "x", "vem da URL e do corpo") for name in ("HOST", "Content-Type")),
        *((name, "x", OURS) for name in ("webhook-id", "X-Webhook-Foo", "X-Signature-SHA256")),
        ("authorization", "x", "tem campo próprio"),
        *((name, "x", "não é um nome de header") for name in ("", "a b", "ação", "X:", "a\nb")),
        ("X-A", "", "Informe o valor de X-A"),
        ("X-A", "a\r\nX-Evil: 1", "tem quebras de linha"),
        ("X-A", "漢", "fora do Latin-1"),
        ("X-A", "\u00a0x", "tem quebras de linha, caracteres de controle"),
        ("X-A", "x" * 9_000, "passa de 8192 caracteres"),
    ],
)
def test_a_header_that_may_not_be_sent_is_refused_with_its_reason(
    name: str, value: str, why: str
) -> None:
    first, *_ = problems_of((name, value))
    assert why in first
    assert "x" * 100 not in first


def test_a_name_stands_once_and_all_together_have_a_limit() -> None:
    assert "aparece duas vezes" in problems_of(("X-A", "1"), ("x-a", "2"))[0]
    assert "até 10" in problems_of(*((f"X-{n}", "1") for n in range(11)))[0]
    assert "somam" in problems_of(*((f"X-{n}", "y" * 2_000) for n in range(5)))[0]
    assert problems_of(*((f"X-{n}", "y" * 700) for n in range(10)), ("", " ")) == []
    assert problems_of(("Accept", "text/plain"), ("User-Agent", "x"), ("X-É".lower(), "")) != []


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=20)), max_size=12))
def test_what_is_accepted_never_splits_a_request(headers: list[Header]) -> None:
    problems = Problems()
    clean = check_headers(tuple(headers), problems)
    request = PreparedRequest()
    try:
        problems.raise_any()
    except Refused:
        return
    assert read_headers(stored_headers(clean)) == clean
    request.headers = dict(clean)  # type: ignore[assignment]
    request.body = b"body"
    head, _, body = message_of(ROUTE, request).partition(b"\r\n\r\n")
    assert body == b"body"
    # The request line, Host, Accept-Encoding and Content-Length are ours.
    assert len(head.split(b"\r\n")) == 4 + len(clean)


@given(st.tuples(st.text(max_size=12), st.text(max_size=20)))
def test_what_is_not_accepted_cannot_be_sent_either(header: Header) -> None:
    request = PreparedRequest()
    request.headers = dict([header])  # type: ignore[assignment]
    request.body = b""
    try:
        head = message_of(ROUTE, request)
    except NoAnswer:
        return
    assert head.count(b"\r\n") == 6


def test_a_blank_value_keeps_the_stored_one_of_its_name_and_its_host() -> None:
    kept = changed_webhook(WEBHOOK, {"headers": (("x-api-key", ""),)}, POLICY, same_path=False)
    assert kept.headers == (("x-api-key", "canary"),)
    elsewhere = {"url": "https://evil.example/hook"}
    for fields in ({}, {"headers": (("X-Api-Key", ""),)}):
        with pytest.raises(Refused) as refused:
            changed_webhook(WEBHOOK, {**elsewhere, **fields}, POLICY, same_path=False)
        (problem,) = refused.value.problems
        assert (problem.field, "os headers" in problem.portuguese) == ("url", True)
    for headers in ((), (("X-Api-Key", "new"),)):
        changed = {**elsewhere, "headers": headers}
        assert changed_webhook(WEBHOOK, changed, POLICY, same_path=False).headers == headers
    other = {"headers": (("X-Other", ""),)}
    renamed = changed_webhook(WEBHOOK, other, POLICY, same_path=False)
    with pytest.raises(Refused, match="X-Other has no value"):
        check_webhook(renamed, POLICY)
    typed = replace(WEBHOOK, headers=((" X-A ", " b "), ("", "")))
    assert check_webhook(typed, POLICY).headers == (("X-A", "b"),)
