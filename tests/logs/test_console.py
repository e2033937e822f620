"""What is printed of events and webhooks, and what is only counted."""

from __future__ import annotations

import logging
import os
import re
import select
import timeit
from pathlib import Path

import pytest
from gevent import monkey

from webhookproxy.logs.console import Console

ROOT = Path(__file__).resolve().parents[2]
URL = "https://api.exemplo.com/webhook"
SUMMARY = re.compile(
    r"Em um segundo, além das (\d+) linhas acima: (\d+) eventos recebidos, "
    r"(\d+) webhooks enviados, (\d+) com sucesso, (\d+) sem sucesso\."
)


class Pipe:
    """A console that writes into a pipe, and the pipe's other end."""

    def __init__(self, level: int = logging.INFO, lines_per_second: int = 200) -> None:
        self.reader, self.writer = os.pipe()
        self.console = Console(self.writer, level, lines_per_second)

    def lines(self, timeout: float = 20.0) -> list[str]:
        """Close the console and return all lines."""
        assert self.console.close(timeout)
        # gevent's close needs its loop, which the blocking read below would stop.
        monkey.get_original("os", "close")(self.writer)
        with os.fdopen(self.reader, encoding="utf-8") as file:
            return file.read().splitlines()


def test_the_four_lines_are_those_of_the_guide() -> None:
    pipe = Pipe()
    pipe.console.connected(123)
    pipe.console.event_received("agent-is-idle", 123)
    pipe.console.webhook_sent("agent-is-idle", URL)
    pipe.console.webhook_succeeded(URL)
    assert pipe.lines() == [
        "✅ Conectado ao socket da 3C Plus para empresa company_123!",
        "📥 Evento recebido: agent-is-idle para empresa company_123",
        "📤 Webhook enviado: agent-is-idle → https://api.exemplo.com/webhook",
        "✅ Webhook enviado com sucesso para https://api.exemplo.com/webhook",
    ]


def test_a_failure_says_what_happened_and_what_comes_next() -> None:
    pipe = Pipe()
    pipe.console.webhook_failed("agent-is-idle", URL, "sem resposta", 5.2)
    pipe.console.webhook_failed("agent-is-idle", URL, "status 422", None, refused=True)
    pipe.console.webhook_simulated("agent-is-idle", URL)
    assert pipe.lines() == [
        f"❌ Webhook não entregue: agent-is-idle → {URL}: sem resposta; nova tentativa em 5 s.",
        f"❌ Webhook recusado: agent-is-idle → {URL}: status 422; sem outra tentativa.",
        f"🧪 Webhook simulado: agent-is-idle → {URL}: nada foi enviado.",
    ]


def test_the_address_of_the_first_access_is_printed_whole() -> None:
    pipe = Pipe(level=logging.ERROR)
    address = "http://127.0.0.1:5000/primeiro-acesso?codigo=0123-4567-89ab-cdef"
    pipe.console.first_access(address)
    assert pipe.lines() == [f"🔑 Primeiro acesso, válido por uma hora: {address}"]


@pytest.mark.parametrize(
    ("delay", "words"),
    [(0, "0 s"), (30.4, "30 s"), (120, "2 min"), (1800, "30 min"), (7200, "2 h")],
)
def test_the_next_attempt_is_told_in_a_readable_unit(delay: float, words: str) -> None:
    pipe = Pipe()
    pipe.console.webhook_failed("e", URL, "no", delay)
    assert pipe.lines()[0].endswith(f"nova tentativa em {words}.")


def test_an_event_name_cannot_begin_a_line_of_its_own() -> None:
    pipe = Pipe()
    pipe.console.event_received("a\n✅ forged\r\x1b[2J\u2028\u202e\ud83d", 1)
    assert pipe.lines() == [
        "📥 Evento recebido: a\\n✅ forged\\r\\x1b[2J\\u2028\\u202e\\ud83d para empresa company_1"
    ]


def test_above_the_limit_lines_become_a_summary_and_none_is_uncounted() -> None:
    pipe = Pipe(lines_per_second=10)
    for _ in range(500):
        pipe.console.event_received("e", 1)
        pipe.console.webhook_sent("e", URL)
        pipe.console.webhook_succeeded(URL)
        pipe.console.webhook_failed("e", URL, "no", None)
    lines = pipe.lines()
    summaries = [match for match in map(SUMMARY.fullmatch, lines) if match]
    printed = len(lines) - len(summaries)
    assert summaries
    assert printed + sum(int(m[i]) for m in summaries for i in (2, 3, 4, 5)) == 2000
    # The 2,000 calls may have fallen into two seconds.
    assert {match[1] for match in summaries} == {"10"}
    assert printed in (10, 20)


def test_the_summary_is_printed_when_its_second_ends_though_nothing_else_happens() -> None:
    pipe = Pipe(lines_per_second=1)
    for _ in range(100):
        pipe.console.event_received("e", 1)
    text = b""
    while b"Em um segundo" not in text:
        readable, _, _ = select.select([pipe.reader], [], [], 5)
        assert readable, "no summary within five seconds"
        text += os.read(pipe.reader, 65536)
    assert pipe.lines() == []


def test_debug_prints_every_line() -> None:
    pipe = Pipe(level=logging.DEBUG, lines_per_second=1)
    for _ in range(1000):
        pipe.console.event_received("e", 1)
    assert len(pipe.lines()) == 1000


def test_warning_prints_only_failures() -> None:
    pipe = Pipe(level=logging.WARNING)
    pipe.console.connected(1)
    pipe.console.event_received("e", 1)
    pipe.console.webhook_sent("e", URL)
    pipe.console.webhook_succeeded(URL)
    pipe.console.webhook_failed("e", URL, "no", None)
    assert len(pipe.lines()) == 1


def test_a_line_that_is_only_counted_costs_next_to_nothing() -> None:
    pipe = Pipe(lines_per_second=1)
    # 0.2 us measured; the limit leaves room for a slow and busy machine.
    best = min(timeit.repeat(lambda: pipe.console.event_received("e", 1), number=10_000, repeat=9))
    assert best / 10_000 < 5e-6
    pipe.lines()
