"""How log records are printed, and which are not."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from webhookproxy.logs.records import NOISY_LOGGERS, install


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
    # The trace names the folder, which may contain the word.
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
    # The trace names the folder, which may contain the word.
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
