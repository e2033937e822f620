"""The headers of an answer are kept bounded, each on its line, and without credentials."""

from __future__ import annotations

import pytest

from webhookproxy.delivery.sending.answer_headers import HEADERS_MAX, VALUE_MAX, storable_headers

URL = "https://crm.example.com/hook?key=canary"


def kept(*headers: tuple[str, str]) -> list[str]:
    hidden = storable_headers(URL, headers, lambda text: text.replace("canary-of-ours", "…"))
    return hidden.split("\n")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("X-Request-Id", "7f3a-12", "x-request-id: 7f3a-12"),
        ("Retry-After", "30", "retry-after: 30"),
        ("Location", "/novo/hook?key=canary", "location: https://crm.example.com/novo/hook"),
        ("Location", "http://10.0.0.7/admin", "location: …"),
        ("Content-Location", "https://crm.intranet/x", "content-location: …"),
        ("Set-Cookie", "session=canary; HttpOnly", "set-cookie: …"),
        ("Authorization", "Basic canary", "authorization: …"),
        ("X-Api-Key", "canary", "x-api-key: …"),
        ("X-CSRF-Token", "canary", "x-csrf-token: …"),
        ("WWW-Authenticate", 'Basic realm="crm"', 'www-authenticate: Basic realm="crm"'),
        ("X-Debug", "got canary-of-ours", "x-debug: got …"),
        ("X-Debug", "authorization: Bearer canary", "x-debug: authorization: …"),
        ("Link", "<https://a.example/x?token=canary>", "link: <https://a.example/x?…>"),
        ("X-Said", "fone (41) 98765-4321", "x-said: fone …"),
        ("X-canary-of-ours", "1", "x-…: 1"),
        ("X-Line", "a\r\n b\0c", "x-line: a   b c"),
        ("X-Long", "á" * 900, f"x-long: {'á' * (VALUE_MAX - 1)}…"),
    ],
)
def test_a_header_is_kept_without_what_nobody_may_read(name: str, value: str, line: str) -> None:
    assert kept((name, value)) == [line]


def test_a_secret_of_ours_is_hidden_before_a_value_is_cut() -> None:
    for before in range(VALUE_MAX - 20, VALUE_MAX + 5):
        (line,) = kept(("X-Debug", "x" * before + "canary-of-ours"))
        assert "can" not in line


@pytest.mark.parametrize(
    "headers",
    [
        [(f"X-{number}", "a" * 250) for number in range(20)],
        [(f"X-{number}", "") for number in range(5_000)],
        [("a" * 9_000, "b" * 9_000)] * 50,
        [(f"X-{number}", "😀" * VALUE_MAX) for number in range(9)],
    ],
)
def test_many_or_long_headers_are_cut_and_said_to_be(headers: list[tuple[str, str]]) -> None:
    text = storable_headers(URL, headers, str)
    assert len(text.encode()) <= HEADERS_MAX
    assert text.endswith("\n…")


def test_an_answer_without_headers_has_none() -> None:
    assert kept() == [""]
