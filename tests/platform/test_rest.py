"""What the answers of 3C Plus mean, and who sees a token."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.receiver import Receiver
from webhookproxy.events.recovery.periods import Period
from webhookproxy.network.addresses import Policy
from webhookproxy.network.dial import shared_resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.pace import Pace
from webhookproxy.platform.rest import Access, PlatformError, Rest
from webhookproxy.reasons import PlatformTrouble
from webhookproxy.rules.platform import rest_base

TOKEN = "canary-token-of-rest-0001"
PERIOD = Period("2026-11-29 08:00:00", "2026-11-29 09:00:00")
PRIVATE = Policy(allow_private=True, rest_hosts=frozenset({"127.0.0.1"}))


def rest() -> Rest:
    # The time stands: how long a company is not asked is then exact.
    return Rest(Client(PRIVATE, shared_resolver()), Pace(lambda: 0.0))


def access(receiver: Receiver, **fields: Any) -> Access:
    return Access(1, receiver.url("").rstrip("/"), TOKEN, **fields)


def test_calls_are_asked_for_in_the_form_that_the_platform_wants(receiver: Receiver) -> None:
    receiver.answer = (200, {}, json.dumps({"data": [{"id": "a"}]}).encode())
    assert rest().calls(access(receiver, agent_id="7"), PERIOD, 2) == [{"id": "a"}]
    (asked,) = receiver.requests
    parts = urlsplit(asked.path)
    assert (asked.method, parts.path) == ("GET", "/api/v1/calls")
    assert parse_qs(parts.query) == {
        "start_date": ["2026-11-29 08:00:00"],
        "end_date": ["2026-11-29 09:00:00"],
        "with_mailing": ["true"],
        "simple_paginate": ["true"],
        "per_page": ["100"],
        "page": ["2"],
    }
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["X-Agent-Id"] == "7"
    # Addresses end up in logs.
    assert TOKEN not in asked.path


ANSWERS: dict[str, tuple[Any, PlatformTrouble, bool, float | None]] = {
    "401": ((401, {}, b"{}"), PlatformTrouble.UNAUTHORIZED, True, None),
    "403": ((403, {}, b"{}"), PlatformTrouble.FORBIDDEN, True, None),
    "404": ((404, {}, b"{}"), PlatformTrouble.REFUSED, True, None),
    "302": ((302, {"Location": "https://example.com"}, b""), PlatformTrouble.REFUSED, True, None),
    "422": ((422, {}, b"{}"), PlatformTrouble.THROTTLED, False, 30.0),
    "429": ((429, {"Retry-After": "7"}, b""), PlatformTrouble.THROTTLED, False, 7.0),
    "429 nan": ((429, {"Retry-After": "nan"}, b""), PlatformTrouble.THROTTLED, False, 30.0),
    "500": ((500, {}, b""), PlatformTrouble.FAILING, False, None),
    "503": ((503, {"Retry-After": "60"}, b""), PlatformTrouble.FAILING, False, 60.0),
    "524": ((524, {}, b""), PlatformTrouble.FAILING, False, None),
    "empty": ((200, {}, b" "), PlatformTrouble.EMPTY, False, None),
    "no JSON": ((200, {}, b"<html>"), PlatformTrouble.NOT_UNDERSTOOD, False, None),
    "too long": ((200, {}, b"[" + b" " * 4_000_001), PlatformTrouble.NOT_UNDERSTOOD, False, None),
}


@pytest.mark.parametrize(("answer", "trouble", "final", "after"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_without_calls_says_why(
    receiver: Receiver, answer: Any, trouble: PlatformTrouble, final: bool, after: float | None
) -> None:
    receiver.answer = answer
    asking = rest()
    with pytest.raises(PlatformError) as raised:
        asking.calls(access(receiver), PERIOD, 1)
    error = raised.value
    assert (error.trouble, error.is_final, error.after) == (trouble, final, after)
    assert TOKEN not in str(error)
    # No redirect is followed.
    assert len(receiver.requests) == 1
    if after is not None:
        assert asking.pace.free_in(1) == after


def test_a_server_that_is_not_there_is_asked_again_later() -> None:
    with Receiver() as receiver:
        there = access(receiver)
    with pytest.raises(PlatformError) as raised:
        rest().calls(there, PERIOD, 1)
    assert (raised.value.trouble, raised.value.is_final) == (PlatformTrouble.NOT_REACHED, False)


BASES = {
    "the default": ("https://socket.3c.plus", "", "https://app.3c.plus"),
    "of another cluster": ("https://new-socket.3cplus.com.br/", "", "https://app.3c.plus"),
    "a domain of one's own": (
        "https://socket.3c.plus",
        "https://acme.3c.plus/",
        "https://acme.3c.plus",
    ),
    "a socket elsewhere": ("https://socket.example.com", "", ""),
    "an address elsewhere": ("https://socket.3c.plus", "https://example.com", ""),
    "a name that only ends alike": ("https://socket.3c.plus", "https://evil3c.plus", ""),
    "a user before another host": ("https://socket.3c.plus", "https://3c.plus@example.com", ""),
    "a host that the setting names": ("http://127.0.0.1:4000", "", "http://127.0.0.1:4000"),
    "no address": ("", "https://[", ""),
}


@pytest.mark.parametrize(("socket", "given", "base"), BASES.values(), ids=BASES)
def test_a_token_goes_only_where_it_was_meant_for(socket: str, given: str, base: str) -> None:
    assert rest_base(socket, given, PRIVATE) == base
