"""A refusal: of the token, or of a server in trouble; what it said is kept and shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.listener.listening import Listening, now_ms
from tests.support.application import wait_until
from tests.support.receiver import Behaviour, Plain, Received, Receiver
from tests.support.socket_server import CONNECT, OPEN, websocket
from webhookproxy.database.fence import ALL_SHARDS
from webhookproxy.listener import connection
from webhookproxy.listener.client import ANSWER_MAX, is_about_the_token

TOKEN = "canary-token-of-a-refusal"


def refusing(message: Any) -> Any:
    """A server that refuses with this message."""
    return websocket(OPEN, f"44{json.dumps({'message': message})}")


@pytest.mark.parametrize(
    "message",
    [
        "Authentication error",
        "authentication failed",
        "Unauthorized",
        "Not authorised",
        "invalid token",
        "Token expired",
        "jwt malformed",
        "Token inválido",
        "Não autorizado",
        "Forbidden",
    ],
)
def test_messages_about_authentication_are_about_the_token(message: str) -> None:
    assert is_about_the_token(message)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "Internal server error: database timeout",
        "Service Unavailable",
        "Authentication service timed out",
        "cannot verify token: connect ECONNREFUSED 10.0.0.1:6379",
        "Too many connections",
        "Internal Server Error",
        "no more",
    ],
)
def test_other_messages_are_not_about_the_token(message: str | None) -> None:
    assert not is_about_the_token(message)


def test_a_server_in_trouble_is_tried_again_within_seconds_and_what_it_said_is_kept(
    half: Listening,
) -> None:
    message = f"Internal server error: database timeout of {TOKEN}\x00 and so on, and so on"
    with Receiver(refusing(message)) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        row = half.wait_for_state(company, "reconnecting")
    assert row.reason == "server_refused"
    assert row.next_attempt_at - now_ms() < 2_000
    assert row.answer.startswith("Internal server error: database timeout of …")
    assert len(row.answer) <= ANSWER_MAX
    assert "canary" not in row.answer
    assert half.gaps(company) == [("server_refused", False)]


def test_a_token_that_was_accepted_before_is_refused_only_after_the_third_time(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.2)
    seen: list[tuple[str, str]] = []
    company = half.connected(TOKEN)
    began = now_ms()
    half.simulator.control("refuse", token=TOKEN)

    def refused() -> Any:
        row = half.connection(company)
        if not seen or seen[-1] != (row.state, row.reason):
            seen.append((row.state, row.reason))
        return row if row.state == "token_refused" else None

    row = wait_until(refused, 20, "the token counts as refused")
    assert half.simulator.state(TOKEN)["handshakes"] == 5
    assert ("reconnecting", "refused_for_now") in seen
    assert row.answer == "Authentication error"
    assert began + 59_000 < row.next_attempt_at < now_ms() + 121_000
    half.simulator.control("refuse", token=TOKEN, refused=False)


def test_an_outage_before_it_does_not_make_the_first_refusal_wait_longer(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.01)

    def answer(request: Received) -> Behaviour | Plain:
        if request.number <= 5:
            return (503, {}, b"")
        behaviour: Behaviour = refusing("Authentication error")(request)
        return behaviour

    began = now_ms()
    with Receiver(answer) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        row = half.wait_for_state(company, "token_refused")
    assert began + 59_000 < row.next_attempt_at < now_ms() + 121_000


def test_after_a_restart_a_token_that_had_been_accepted_is_still_known_as_such(
    half: Listening,
) -> None:
    company = half.connected(TOKEN)
    half.registry.stop(2.0)
    half.wait_for_state(company, "reconnecting")
    half.simulator.control("refuse", token=TOKEN)
    assert half.ownership.fence is not None
    half.relay.start(half.ownership.fence, continued=ALL_SHARDS)
    wait_until(lambda: half.connection(company).reason == "refused_for_now")
    half.simulator.control("refuse", token=TOKEN, refused=False)
    half.wait_for_state(company, "connected")


def test_a_refusal_in_the_middle_of_a_connection_is_kept_too(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 5.0)
    ousting = websocket(OPEN, CONNECT, '44{"message":"Company suspended"}')
    with Receiver(ousting) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        row = half.wait_for_state(company, "reconnecting")
    assert (row.reason, row.answer) == ("server_refused", "Company suspended")


def test_a_token_is_refused_since_the_first_refusal_whatever_comes_between(
    half: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REFUSED_FIRST", 0.05)
    monkeypatch.setattr(connection, "REFUSED_MAX", 0.1)
    with Receiver(refusing("Authentication error")) as server:
        company = half.company(TOKEN, socket_url=server.url(""))
        first = half.wait_for_state(company, "token_refused").since
        server.wait_for(4)
        half.registry.stop(2.0)
        assert half.ownership.fence is not None
        tried = len(server.requests)
        half.relay.start(half.ownership.fence, continued=ALL_SHARDS)
        server.wait_for(tried + 2)
        assert half.wait_for_state(company, "token_refused").since == first
        half.edit(company, token="canary-token-that-is-new")
        row = wait_until(
            lambda: (row := half.connection(company)).since != first and row, 20, "a new beginning"
        )
        assert row.since > first
