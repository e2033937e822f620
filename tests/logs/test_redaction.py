"""Nothing that is printed shows a credential."""

from __future__ import annotations

import logging
import sys

import pytest

from tests.support.application import least_processor_time
from webhookproxy.logs.redaction import Redaction, ServerRedaction, one_line, redact, without_pieces


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("url: /socket.io/?token=canary&transport=polling", "url: /socket.io/?…"),
        ("GET https://h.example/a?canary and more", "GET https://h.example/a?… and more"),
        ("wss://h.example/?EIO=4&token=canary (x)", "wss://h.example/?… (x)"),
        ("api_token=canary, next", "api_token=…, next"),
        ("API_KEY=canary", "API_KEY=…"),
        ("{'client_secret': 'canary'}", "{'client_secret': '…'}"),
        ('{"password":"canary","a":1}', '{"password":"…","a":1}'),
        ("Authorization: Bearer canary", "Authorization: …"),
        ("{'Authorization': 'Basic canary=='}", "{'Authorization': '…'}"),
        ("[('authorization', b'Token canary')]", "[('authorization', b'…')]"),
        ("authorization=custom canary", "authorization=…"),
        ("token=bcanary&x=1", "token=…&x=1"),
        ("sent Bearer canary.canary-x", "sent Bearer …"),
        ("whsec_canary+/canary==", "whsec_…"),
        ("cpf 123.456.789-09, next", "cpf …, next"),
        ("to +55 (11) 98765-4321.", "to …."),
        ("to (11) 3333-4444", "to …"),
        ("to +5511987654321.", "to …."),
        ('{"phone":"5511987654321","cpf":12345678909}', '{"phone":"…","cpf":…}'),
        ("postgresql+psycopg://user:canary@host/db", "postgresql+psycopg://…@host/db"),
        ("smtp://user:canary@host:587", "smtp://…@host:587"),
        ("/bot123456789:canary-canary-canary-canary/sendMessage", "/bot…/sendMessage"),
        ("https://hooks.slack.com/services/T0/B0/canary.", "https://hooks.slack.com/…"),
        ("GET /avisos/confirmar/canary-canary-canary 200", "GET /avisos/confirmar/… 200"),
    ],
)
def test_credentials_are_hidden_by_their_form(text: str, printed: str) -> None:
    assert redact(text) == printed


@pytest.mark.parametrize(
    "text",
    [
        "company_12: the token was refused",
        "the keys of call:TEL1 wait",
        "Is it connected? Yes.",
        "https://api.exemplo.com/webhook",
        "delivery 1234567890 of call:1700000000.12345678901 waits since 2026-11-25 10:00:00",
        "evt_018cc251f4007000800000000000002a",
        "📥 Evento recebido: agent-is-idle para empresa company_123",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text: str) -> None:
    assert redact(text) == text
    assert one_line(text) == text


def test_a_traceback_and_a_stack_pass_the_filter_too() -> None:
    try:
        raise ValueError("token=canary")
    except ValueError:
        record = logging.LogRecord("x", 40, "f", 1, "m %s", ("key=canary",), sys.exc_info())
    record.stack_info = "Stack:\n  secret=canary"
    assert Redaction().filter(record)
    shown = logging.Formatter("%(message)s").format(record)
    # The trace names the folder, which may contain the word.
    assert "=canary" not in shown
    assert "ValueError: token=…" in shown
    assert "m key=…" in shown


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("Invalid HTTP Header: 'Authorization canary'", "Invalid HTTP Header: …"),
        ('Invalid chunk size: b"it\'s a canary"', "Invalid chunk size: …"),
        ("Error handling request POST /canary", "Error handling request…"),
        ("Worker (pid:7) was sent SIGTERM!", "Worker (pid:7) was sent SIGTERM!"),
    ],
)
def test_what_a_web_server_quotes_of_a_request_is_hidden(said: str, printed: str) -> None:
    record = logging.LogRecord("gunicorn.error", 30, "f", 1, "%s", (said,), None)
    assert ServerRedaction().filter(record)
    assert record.getMessage() == printed


@pytest.mark.parametrize(
    "piece",
    ["http://", "?a", "authorization: ", "1", "(11) ", "key='", "://a", "bearer ", "token' "],
)
def test_a_line_of_any_shape_takes_a_bounded_time(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    assert len(redact(text)) < 10_000
    assert least_processor_time(lambda: redact(text)) < 0.2


def test_a_secret_that_is_cut_with_its_line_is_hidden_too() -> None:
    assert "canary" not in redact("a" * 8_180 + " token=canary-token")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bad abcdefghijklmnop!", "bad …!"),
        ("bad abcdefgh or ijklmnop", "bad … or …"),
        ("bad abcdefg", "bad abcdefg"),
        ("", ""),
    ],
)
def test_pieces_of_a_token_are_hidden(text: str, shown: str) -> None:
    assert without_pieces(text, "abcdefghijklmnop") == shown
    assert without_pieces(text, "short") == text
