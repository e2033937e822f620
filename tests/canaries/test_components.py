"""Marked secrets and a marked phone go through all that can fail, and are searched for.

Every secret is marked: token, authorization, both signing secrets, a key in a webhook's
URL, the database's password. None may be in what the server or a command prints, nor in the files
of the database; a URL's key is the one that is stored as it is. The phone may be in payloads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.alerts.world import Alerting
from tests.canaries.marks import (
    AUTH,
    BOT,
    MAIL_PASSWORD,
    OLD_SECRET,
    OWN_HEADER,
    PHONE,
    PHONE_SHOWN,
    REST_TOKEN,
    SECRET,
    SLACK_KEY,
    TOKEN,
    TOPIC,
    TOPIC_TOKEN,
    URL,
    URL_KEY,
    assert_no_secret_is_stored,
    assert_prints_nothing,
    assert_the_phone_is_in_payloads_only,
    cells,
    echo,
)
from tests.canaries.stage import lay_next_token
from tests.support.application import (
    application,
    make_company,
    make_webhook,
    rows,
    store_of,
    wait_until,
)
from tests.support.receiver import Answer, Plain, Received, Receiver, hang, raw, reset
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from tests.support.socket_server import OPEN, websocket
from webhookproxy.alerts.addresses import add_address
from webhookproxy.alerts.message import Message
from webhookproxy.models.accounts.people import create_user
from webhookproxy.models.signing_secrets import rotate_secret
from webhookproxy.models.webhooks import find_webhook
from webhookproxy.network import dial


def redirect(got: Received) -> Plain:
    return 307, {"Location": f"http://127.0.0.1:4009/?{got.headers.get('Authorization')}"}, b""


RECEIVERS: dict[str, Answer] = {
    "accepts": (200, {}, b"ok"),
    "shows what it got": echo,
    "shows what it got in headers": lambda got: (
        503,
        {"X-Got": str(got.headers.get("Authorization")), "Set-Cookie": f"{URL_KEY}=1"},
        b"",
    ),
    "refuses": (422, {}, b"no"),
    "throttles": (429, {"Retry-After": "1"}, b""),
    "is gone": (410, {}, b""),
    "redirects": redirect,
    "resets": lambda _: reset(),
    "hangs": lambda _: hang(),
    "speaks no HTTP": lambda _: raw(b"SSH-2.0\r\n"),
    "breaks a chunk": lambda _: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "sends garbage headers": lambda _: raw(b"HTTP/1.1 200 OK\r\n\xff\xfe\r\n\x00: \r\n\r\n"),
}
SOCKETS: dict[str, Answer] = {
    "an error": (500, {}, b"<html>"),
    "a page": (200, {}, b"<html>"),
    "a redirect": lambda got: (302, {"Location": f"ws://127.0.0.1:4009{got.path}"}, b""),
    "garbage": lambda _: raw(b"\x00\xff\r\n\r\n"),
    "a reset": lambda _: reset(),
    "a cut OPEN": websocket('0{"sid":'),
    "a CONNECT_ERROR that shows the token": websocket(OPEN, f'44{{"message":"bad {TOKEN}"}}'),
    "a packet that is none": websocket(OPEN, '40{"sid":"s"}', f'42["x",{{"phone":"{PHONE}"'),
}
# As raw frames of a connected socket.
BROKEN_PACKETS = (
    f'42["x",{{"phone":"{PHONE_SHOWN}","token":"{TOKEN}"',
    f'42{{"phone":"{PHONE}"}}',
    f'42[null,"{PHONE}"]',
    f'451-["x",{{"_placeholder":true,"num":9}},"{PHONE}"]',
    f'4?["{PHONE}"]',
    f'42["x",{"[" * 2_000}"{PHONE}"',
)


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    with application(sqlite_url, tmp_path) as app:
        yield app


def make_receivers(app: Flask, company: int, stack: ExitStack) -> list[Receiver]:
    """Create a webhook for every kind of failure, with two signing secrets."""
    receivers = [stack.enter_context(Receiver(answer)) for answer in RECEIVERS.values()]
    urls = [each.url(f"/hook/{URL_KEY}?key={URL_KEY}") for each in receivers]
    for url in [*urls, URL, receivers[0].url(f"/?key={URL_KEY}").replace("http:", "https:")]:
        fields = {"authorization": AUTH, "secret": OLD_SECRET, "timeout": 1.0}
        fields["headers"] = (("X-Api-Key", OWN_HEADER),)
        webhook = make_webhook(app, company, url, **fields)
        store_of(app).session(
            lambda session, number=webhook: rotate_secret(  # type: ignore[misc]
                session, find_webhook(session, number), f"{SECRET}-{number}"
            )
        )
    return receivers


def make_sockets(app: Flask, stack: ExitStack) -> None:
    """Create a company for every kind of server that opens no socket, or a bad one."""
    for number, answer in enumerate(SOCKETS.values()):
        server = stack.enter_context(Receiver(answer))
        make_company(app, server.url(), f"{TOKEN}-{number}", connected=True)
    make_company(app, "http://127.0.0.1:4009", f"{TOKEN}-none", connected=True)


def make_addresses(app: Flask, stack: ExitStack) -> dict[str, str]:
    """Ask for messages to addresses that take none; return the settings of their servers."""
    server = stack.enter_context(Receiver(echo))
    mail = stack.enter_context(Receiver(greeting=raw(b"554 refused\r\n")))
    settings = dict.fromkeys(("TELEGRAM_URL", "SLACK_URL", "NTFY_URL"), server.url(""))
    settings["SMTP_URL"] = f"smtp://avisos:{MAIL_PASSWORD}@127.0.0.1:{mail.port}"
    settings["SMTP_FROM"] = "avisos@exemplo.com.br"
    config = {**app.config, **settings}
    typed = {
        "email": "ana@exemplo.com.br",
        "telegram": f"{BOT} -1001234567890",
        "slack": server.url(f"/services/{SLACK_KEY}"),
        "ntfy": f"{TOPIC} {TOPIC_TOKEN}",
        "webhook": server.url(f"/{SLACK_KEY}?key={SLACK_KEY}"),
    }

    def job(session: Session) -> None:
        user = create_user(session, "avisada@exemplo.com.br", "hash", admin=True)
        for kind, address in typed.items():
            add_address(session, user.id, kind, address, config, app.extensions["policy"])

    store_of(app).session(job)
    return settings


def emit_everything(simulator: SimulatorProcess) -> None:
    person = {"phone": PHONE_SHOWN, "cpf": int(PHONE), "agent": {"api_token": TOKEN}}
    for number in range(3):
        simulator.control("emit", token=TOKEN, event="call-was-created", args=[person, number])
    simulator.control("emit", token=TOKEN, event="big", args=["x" * 1_100_000 + PHONE])
    for packet in BROKEN_PACKETS:
        simulator.control("raw", token=TOKEN, packet=packet)
        gevent.sleep(0.02)


@pytest.mark.slow
def test_no_failure_of_a_server_shows_or_stores_a_secret(
    app: Flask, sqlite_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        simulator = stack.enter_context(SimulatorProcess())
        company = make_company(app, simulator.url, TOKEN, connected=True, rest_token=REST_TOKEN)
        lay_next_token(app, company)
        receivers = make_receivers(app, company, stack)
        make_sockets(app, stack)
        settings = {**make_addresses(app, stack), "LOG_LEVEL": "DEBUG"}
        server = stack.enter_context(ServerProcess(sqlite_url, tmp_path, **settings))
        simulator.wait_for_sockets(TOKEN)
        emit_everything(simulator)
        for receiver in receivers:
            receiver.wait_for(1)
        tried = (
            "SELECT 1 FROM webhooks w WHERE NOT EXISTS (SELECT 1 FROM deliveries d"
            " JOIN attempts a ON a.delivery_id = d.id WHERE d.webhook_id = w.id)"
        )
        wait_until(lambda: not rows(app, tried), 20, "every webhook was tried")
        untold = "SELECT 1 FROM alert_messages WHERE error IS NULL"
        wait_until(lambda: not rows(app, untold), 20, "every address refused its message")
        simulator.control("refuse", token=TOKEN)
        wait_until(lambda: "refused" in server.output, 20, "the token is refused")
        # While the server runs: SQLite's log must not be merged into the file before.
        assert_no_secret_is_stored(app, sqlite_url)
        assert server.terminate() == 0
    reasons = {row[0] for row in rows(app, "SELECT DISTINCT reason FROM attempts")}
    assert len(reasons) >= 10
    assert len(rows(app, "SELECT DISTINCT reason FROM gaps")) >= 4
    assert rows(app, "SELECT 1 FROM events WHERE note = 'unreadable'")
    assert_no_secret_is_stored(app, sqlite_url)
    assert_the_phone_is_in_payloads_only(app)
    assert_prints_nothing(server.output)
    # The searches above find nothing in an empty text either.
    assert "call-was-created" in server.output
    assert rows(app, "SELECT 1 FROM attempts WHERE answer LIKE '%Authorization%'")
    assert rows(app, "SELECT 1 FROM attempts WHERE answer_headers LIKE '%set-cookie: …%'")
    assert_prints_nothing(f"{messages_about(app)}")


def messages_about(app: Flask) -> list[Message]:
    """Return what a user is told of all that went wrong, an hour later."""
    alerting = Alerting(app, datetime.now(UTC))
    alerting.execute("UPDATE alert_addresses SET confirmed_at = 0 WHERE kind = 'email'")
    # There were too few events for a circuit to open.
    alerting.execute(
        "UPDATE webhook_health SET circuit_opened_at = :now, failing_since = :now"
        " WHERE last_error IS NOT NULL",
        now=alerting.now,
    )
    alerting.execute(
        "UPDATE connections SET refused_since = :now WHERE company_id = 1", now=alerting.now
    )
    messages = alerting.run(minutes=60, step=10)
    facts: list[Any] = [each.data.get("alerts", []) for each in messages]
    expected = {"connection_lost", "token_refused", "webhook_failing", "webhook_paused"}
    assert {alert["condition"] for alerts in facts for alert in alerts} >= expected
    return messages


COMMANDS: list[tuple[str, ...]] = [
    ("company", "create", "E", "--token", TOKEN),
    ("company", "create", "E", "--token", f"{TOKEN} {TOKEN}"),
    ("company", "create", "E", f"--tokn={TOKEN}"),
    ("company", "create", "E", "--token", "x", TOKEN),
    ("company", "edit", "1", "--token", TOKEN, "--timezone", "Nowhere"),
    ("company", "edit", "1", "--rest-token", f"{REST_TOKEN} x"),
    ("company", "edit", "1", "--socket-url", f"https://me:{TOKEN}@127.0.0.1/"),
    ("company", "edit", "1", "--socket-url", f"https://127.0.0.1/?token={TOKEN}"),
    ("company", "connect", TOKEN),
    ("company", TOKEN),
    ("webhook", "create", "1", "W", f"https://me:{AUTH}@127.0.0.1/"),
    ("webhook", "create", "1", "W", f"ftp://127.0.0.1/{URL_KEY}?key={URL_KEY}"),
    ("webhook", "create", "1", "W", f"http://127.0.0.1:4009/?key={URL_KEY}", "--auth", AUTH + "\n"),
    (
        "webhook",
        "create",
        "1",
        "W",
        f"http://127.0.0.1:4009/?key={URL_KEY}",
        "--secret",
        f"{SECRET} ",
    ),
    ("webhook", "create", "1", "W", f"http://127.0.0.1:4009/?key={URL_KEY}", "--timeout", SECRET),
    ("webhook", "create", "1", "W", f"https://name.invalid/?key={URL_KEY}"),
    ("webhook", "edit", "1", "--url", "http://127.0.0.2:4009/"),
    ("webhook", "edit", "1", "--secret", SECRET, "--auth", AUTH, "--rate", "0"),
    ("webhook", "edit", "1", "--header", OWN_HEADER),
    ("webhook", "edit", "1", "--header", f"Host: {OWN_HEADER}"),
    ("webhook", "list", "1"),
    ("webhook", "list", "1", "--json"),
    ("webhook", "test", "1"),
    ("webhook", "rotate-secret", "1", "--secret", f"{SECRET}-1"),
    ("webhook", "rotate-secret", "1", "--secret", f"{SECRET}\n"),
    ("webhook", "rotate-secret", "1", SECRET),
    ("user", "create", "ana@example.com", "--password", SECRET),
    ("user", "create", f"{SECRET}", "--password-stdin"),
    ("keys", "rotate", SECRET),
    ("keys", "rotate"),
    ("privacy", "find", PHONE),
    ("privacy", "find", PHONE_SHOWN, "--json"),
    ("privacy", "find", f"{PHONE}0"),
    ("privacy", "expunge", PHONE),
    ("privacy", "expunge", PHONE, PHONE),
    ("privacy", "expunge", PHONE_SHOWN, "--yes"),
    ("status",),
    ("status", "--json"),
    ("company", "list", "--json"),
]


def test_no_failure_of_a_command_shows_or_stores_a_secret(
    app: Flask, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def getaddrinfo(*_args: object, **_named: object) -> list[dial.Answer]:
        raise OSError(f"no such name, says {SECRET}")

    monkeypatch.setattr(dial.shared_resolver(), "_getaddrinfo", getaddrinfo)
    company = make_company(app, "http://127.0.0.1:4009", f"{TOKEN}-0")
    with ExitStack() as stack:
        make_receivers(app, company, stack)
        runner = app.test_cli_runner()
        for words in COMMANDS:
            result = runner.invoke(args=list(words), input=f"{SECRET}\n{SECRET}\n")
            assert result.exception is None or isinstance(result.exception, SystemExit), words
            assert_prints_nothing(result.output)
    assert_no_secret_is_stored(app, sqlite_url)
    assert PHONE not in str(cells(app))


def test_no_failure_of_the_database_shows_its_password_or_a_secret(tmp_path: Path) -> None:
    urls: list[tuple[str, dict[str, Any]]] = [
        (f"postgresql://user:{SECRET}@127.0.0.1:4009/name", {}),
        (f"sqlite:////nonexistent/{SECRET}.sqlite", {}),
        (f"sqlite:///{tmp_path}/empty.sqlite", {"DATA_KEYS": f"{SECRET}{'x' * 40}"}),
    ]
    commands = [
        ("status",),
        ("company", "create", "E", "--token", TOKEN),
        ("keys", "rotate"),
        ("privacy", "expunge", PHONE, "--yes"),
    ]
    for url, settings in urls:
        with application(url, tmp_path, **settings) as app:
            for words in commands:
                result = app.test_cli_runner().invoke(args=list(words))
                assert result.exit_code != 0
                assert_prints_nothing(result.output)
