"""What is printed, what is not, and that printing never stops the hub."""

from __future__ import annotations

import logging
import os
import re
import select
import subprocess
import sys
import textwrap
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent import monkey

from webhookproxy.logs.console import Console
from webhookproxy.logs.output import QUEUE_LINES
from webhookproxy.logs.records import NOISY_LOGGERS, install

ROOT = Path(__file__).resolve().parents[2]
URL = "https://api.exemplo.com/webhook"
SUMMARY = re.compile(
    r"In one second, besides the (\d+) lines above: (\d+) events received, (\d+) webhooks sent, "
    r"(\d+) succeeded, (\d+) failed\."
)


class Pipe:
    """A console that writes into a pipe, and the pipe's other end."""

    def __init__(self, level: int = logging.INFO, lines_per_second: int = 200) -> None:
        self.reader, self.writer = os.pipe()
        self.console = Console(self.writer, level, lines_per_second)

    def lines(self, timeout: float = 5.0) -> list[str]:
        """All lines, after the console has been closed."""
        assert self.console.close(timeout)
        # gevent's own closes only once its loop runs, which the blocking read below would prevent.
        monkey.get_original("os", "close")(self.writer)
        with os.fdopen(self.reader, encoding="utf-8") as file:
            return file.read().splitlines()


@pytest.fixture
def root_logging() -> Iterator[None]:
    root = logging.getLogger()
    names = ("", *NOISY_LOGGERS)
    levels = {name: logging.getLogger(name).level for name in names}
    before = root.handlers[:]
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


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
    pipe.console.webhook_failed("agent-is-idle", URL, "the connection was refused", 5.2)
    pipe.console.webhook_failed("agent-is-idle", URL, "the receiver answered 410", None)
    assert pipe.lines() == [
        f"Webhook failed: agent-is-idle → {URL}: the connection was refused; next attempt in 5 s.",
        f"Webhook failed: agent-is-idle → {URL}: the receiver answered 410; no further attempt.",
    ]


@pytest.mark.parametrize(
    ("delay", "words"),
    [(0, "0 s"), (30.4, "30 s"), (120, "2 min"), (1800, "30 min"), (7200, "2 h")],
)
def test_the_next_attempt_is_told_in_a_readable_unit(delay: float, words: str) -> None:
    pipe = Pipe()
    pipe.console.webhook_failed("e", URL, "no", delay)
    assert pipe.lines()[0].endswith(f"next attempt in {words}.")


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
    while b"In one second" not in text:
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


def test_lines_that_nobody_reads_are_dropped_and_the_next_line_says_how_many() -> None:
    pipe = Pipe(level=logging.DEBUG)
    name = "x" * 200
    for _ in range(3 * QUEUE_LINES):
        pipe.console.event_received(name, 1)
    assert not pipe.console.close(timeout=0.01)
    waiting = os.dup(pipe.reader)
    text = b""
    while select.select([waiting], [], [], 0)[0] or not pipe.console.close(timeout=0.01):
        text += os.read(waiting, 1 << 20)
    os.close(waiting)
    assert QUEUE_LINES <= text.count(b"\n") + len(pipe.lines()) < 3 * QUEUE_LINES


def test_a_reader_that_went_away_stops_nothing() -> None:
    pipe = Pipe()
    os.close(pipe.reader)
    pipe.console.connected(1)
    assert pipe.console.close(timeout=5)
    os.close(pipe.writer)


def test_a_full_pipe_does_not_stop_the_hub_and_the_gap_is_told() -> None:
    program = """
        from gevent import monkey; monkey.patch_all()
        import logging, sys, gevent
        from webhookproxy.logs.records import install
        console = install("DEBUG", 1)
        ticks = []
        ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.001)) for _ in range(50)])
        for number in range(30_000):
            console.event_received("x" * 200, number)
            number % 100 or gevent.sleep(0)
        ticker.join()
        sys.stderr.write(f"{len(ticks)} ticks\\n"); sys.stderr.flush()
        sys.stdin.readline()
        logging.getLogger("webhookproxy.test").info("the last line")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"50 ticks\n"
        lines = [process.stdout.readline() for _ in range(QUEUE_LINES)]
        process.stdin.write(b"\n")
        process.stdin.close()
        lines += process.stdout.readlines()
        assert process.wait(30) == 0
    missing = re.search(rb"(\d+) lines are missing here", b"".join(lines[-2:]))
    assert missing
    assert len(lines) - 2 + int(missing[1]) == 30_000
    assert lines[-1].endswith(b"INFO webhookproxy.test the last line\n")


@pytest.mark.usefixtures("root_logging")
def test_installing_sends_records_to_stdout_in_utc_with_a_redacted_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    console = install("INFO", 200)
    logger = logging.getLogger("webhookproxy.x")
    logger.debug("not shown")
    logger.info("message %s", "one\ntwo token=canary")
    try:
        raise ValueError("https://x.example/?a=canary\n2026-11-23T20:00:00.000Z INFO forged")
    except ValueError:
        logger.exception("failed")
    assert console.close()
    out = capfd.readouterr().out
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    first, second, *rest = out.splitlines()
    assert re.fullmatch(rf"{stamp} INFO webhookproxy\.x message one\\ntwo token=…", first)
    assert re.fullmatch(rf"{stamp} ERROR webhookproxy\.x failed", second)
    assert "ValueError: https://x.example/?…" in out
    # The trace names the folder, which may be called so, too.
    assert "=canary" not in out
    assert all(line.startswith("  ") for line in rest)


@pytest.mark.usefixtures("root_logging")
def test_installing_again_replaces_the_console_and_quiets_the_noisy_loggers(
    capfd: pytest.CaptureFixture[str],
) -> None:
    install("DEBUG", 200)
    console = install("DEBUG", 200)
    logging.getLogger("webhookproxy.x").info("once")
    for name in NOISY_LOGGERS:
        logging.getLogger(name).info("canary")
    assert console.close()
    out = capfd.readouterr().out
    assert out.count("once") == 1
    # The trace names the folder, which may be called so, too.
    assert "=canary" not in out


@pytest.mark.usefixtures("root_logging")
def test_a_record_that_cannot_be_formatted_costs_only_itself(
    capfd: pytest.CaptureFixture[str],
) -> None:
    console = install("INFO", 200)
    record = logging.LogRecord("webhookproxy.x", logging.INFO, "f", 1, "%d", ("canary",), None)
    assert not logging.getLogger().handlers[-1].handle(record)
    assert console.close()
    output = capfd.readouterr()
    assert "A log line of webhookproxy.x could not be written (TypeError)." in output.out
    assert "canary" not in output.out + output.err


def test_lines_after_closing_are_not_printed() -> None:
    pipe = Pipe()
    assert pipe.console.close()
    pipe.console.connected(1)
    assert pipe.lines() == []
