"""Printing never stops the hub, and a gap is told."""

from __future__ import annotations

import logging
import os
import re
import select
import subprocess
import sys
import textwrap

import pytest

from tests.logs.test_console import ROOT, Pipe
from webhookproxy.logs import output

# Fewer than in service, and many times what a pipe holds.
QUEUE_LINES = 1_000


def test_lines_that_nobody_reads_are_dropped_and_the_next_line_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output, "QUEUE_LINES", QUEUE_LINES)
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
    assert pipe.console.close(timeout=20)
    os.close(pipe.writer)


def test_a_full_pipe_does_not_stop_the_hub_and_the_gap_is_told() -> None:
    program = """
        from gevent import monkey; monkey.patch_all()
        import logging, sys, gevent
        from webhookproxy.logs import output
        from webhookproxy.logs.records import install
        output.QUEUE_LINES = 1_000
        console = install("DEBUG", 1)
        ticks = []
        ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.001)) for _ in range(50)])
        for number in range(3_000):
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
    assert len(lines) - 2 + int(missing[1]) == 3_000
    assert lines[-1].endswith(b"INFO webhookproxy.test the last line\n")


def test_lines_after_closing_are_not_printed() -> None:
    pipe = Pipe()
    assert pipe.console.close()
    pipe.console.connected(1)
    assert pipe.lines() == []
