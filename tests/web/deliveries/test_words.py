"""Every delivery says what happened, since when, what comes next and when, and what one can do."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask, g, render_template
from flask.testing import FlaskClient
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, store_of
from tests.web.support.deliveries import (
    deliver,
    delivery_row,
    event_row,
    insert,
    logged_in,
    now_ms,
    read,
)
from webhookproxy.models.types import to_ms
from webhookproxy.models.webhooks import find_webhook, switch_webhook
from webhookproxy.reasons import DELIVERY_LABELS, DeliveryReason, DeliveryState, delivery_words
from webhookproxy.rules.webhooks import WebhookState
from webhookproxy.web.deliveries.facts import situation
from webhookproxy.web.deliveries.words import attempt_words
from webhookproxy.web.shared import formats as filters
from webhookproxy.web.shared.access import Account
from webhookproxy.web.webhooks.words import shown_webhook

WAITING = (DeliveryState.QUEUED, DeliveryState.RETRYING)
MINUTE_MS = 60_000


@pytest.fixture
def webhook(app: Flask) -> int:
    return make_webhook(app, make_company(app, timezone="America/Manaus"), "http://127.0.0.1:4001/")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return logged_in(app, admin=True)


def clock(moment_ms: int) -> str:
    """A time as the pages of a company in Manaus write it."""
    return filters.clock(moment_ms, "America/Manaus")


def at(moment_ms: int) -> str:
    """The same, of something that is to happen."""
    date, _, hour = clock(moment_ms).rpartition(" ")
    return f"em {date} às {hour}" if date else f"às {hour}"


def shown(client: FlaskClient, number: int) -> tuple[str, str]:
    """The line with since when, and the words, of the page of a delivery."""
    page = read(client, f"/entregas/delivery_{number}")
    return said_in(page[page.index('id="situacao"') : page.index('class="split"')])


def drawn(number: int) -> str:
    """The part of that page that says it, within a request of an administrator."""
    g.account = Account(1, "ana@exemplo.com.br", is_admin=True, key="")
    return render_template("deliveries/_state.html", **situation(number, None))


def said_in(card: str) -> tuple[str, str]:
    line = re.search(r'<p class="muted">(.*?)</p>', card)
    words = re.search(r'<p class="say">(.*?)</p>', card, re.DOTALL)
    assert line
    assert words
    return plain(line[1]), plain(words[1])


def plain(markup: str) -> str:
    """The text that a piece of HTML shows."""
    return html.unescape(re.sub("<[^>]+>", "", markup))


def execute(app: Flask, statement: str, **values: object) -> None:
    def job(connection: Connection) -> None:
        connection.execute(text(statement), values)

    store_of(app).run(job)


def test_every_state_with_every_reason_has_all_four_parts(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    pairs = [(state, reason) for state in DeliveryState for reason in DeliveryReason]
    now = now_ms()
    came = now - 9 * MINUTE_MS
    deliveries = [
        delivery_row(
            number, number, webhook, state=state, reason=reason, status=503, born_ms=came,
            first_attempt_ms=came, ended_ms=None if state in WAITING else now - 5 * MINUTE_MS,
            due_ms=now + 7 * MINUTE_MS if state in WAITING else None,
        )
        for number, (state, reason) in enumerate(pairs, 1)
    ]  # fmt: skip
    events = [event_row(number, 1, received_ms=came) for number in range(1, len(pairs) + 1)]
    insert(app, events, deliveries)
    with app.test_request_context():
        cards = [drawn(number) for number in range(1, len(pairs) + 1)]
    for number in range(1, len(pairs), len(DeliveryReason)):
        assert shown(client, number) == said_in(cards[number - 1])
    for (state, reason), card in zip(pairs, cards, strict=True):
        line, said = said_in(card)
        since = now - (9 if state in WAITING else 5) * MINUTE_MS
        assert line.startswith(f"desde {clock(since)} (há "), (state, reason)
        assert "{" not in said
        words = delivery_words(state, reason)
        for part in (words.what, words.then, words.you):
            before, _, after = part.partition("{")
            assert before in said, (state, reason, part)
            assert after.rpartition("}")[2] in said
        if state in WAITING:
            assert f"próxima tentativa: {clock(now + 7 * MINUTE_MS)}" in line
        if "{when}" in words.then and state in WAITING:
            assert at(now + 7 * MINUTE_MS) in said, (state, reason)
    assert DELIVERY_LABELS.keys() == {state for state, _ in pairs}


def test_one_that_waits_for_a_paused_webhook_says_so_and_leads_to_it(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    deliver(app, 1, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    deliver(app, 1, webhook, 2, state="retrying", reason="failed_status", status=503, ended_ms=None,
            due_ms=now_ms() + 1000 * MINUTE_MS)  # fmt: skip

    def pause(session: Session) -> None:
        switch_webhook(session, find_webhook(session, webhook), WebhookState.PAUSED)

    store_of(app).session(pause)
    line, said = shown(client, 1)
    assert said.startswith("O webhook está pausado desde ")
    assert "próxima" not in line
    line, said = shown(client, 2)
    assert said.startswith("Sua URL respondeu com erro: status 503. O webhook está pausado")
    assert "próxima" not in line
    page = read(client, "/entregas/delivery_2")
    assert "Reativar o webhook" in page
    assert "Tentar agora" not in page
    assert "O webhook está pausado" in read(client, "/entregas")


def test_one_that_waits_for_a_failing_url_says_when_that_is_tested(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    now = now_ms()
    deliver(app, 1, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    deliver(app, 1, webhook, 2, state="retrying", reason="connection_refused", ended_ms=None,
            status=None, due_ms=now + 1000 * MINUTE_MS)  # fmt: skip
    execute(
        app,
        "UPDATE webhook_health SET circuit_opened_at = :opened, next_probe_at = :probe",
        opened=now - 20 * MINUTE_MS,
        probe=now + 3 * MINUTE_MS,
    )
    for number, what in ((1, "Sua URL vem falhando desde"), (2, "URL não acessível: o servidor")):
        line, said = shown(client, number)
        assert said.startswith(what)
        assert f"vem falhando desde {clock(now - 20 * MINUTE_MS)}" in said
        assert f"testamos a URL de novo {at(now + 3 * MINUTE_MS)}" in said
        assert f"próxima tentativa: {clock(now + 3 * MINUTE_MS)}" in line


def test_what_ended_says_nothing_of_a_webhook_that_is_paused_since(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    deliver(app, 1, webhook, 1)
    execute(app, "UPDATE webhooks SET state = 'paused', paused_at = :now", now=now_ms())
    assert shown(client, 1)[1].startswith("Sua URL recebeu o evento e respondeu com status 200.")


def test_one_that_was_sent_again_waits_since_then(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    now = now_ms()
    paused_ms = 30 * MINUTE_MS
    execute(app, "UPDATE webhooks SET paused_ms = :paused", paused=paused_ms)
    born = now - 2 * MINUTE_MS - paused_ms
    deliver(app, 1, webhook, 1, state="queued", reason="resent", ended_ms=None, born_ms=born)
    assert shown(client, 1)[0].startswith(f"desde {clock(now - 2 * MINUTE_MS)} (há 2 min)")


def test_the_times_are_those_of_the_company(app: Flask, webhook: int, client: FlaskClient) -> None:
    noon = to_ms(datetime.now(UTC).replace(hour=16, minute=7, second=0) - timedelta(days=3))
    deliver(app, 1, webhook, 1, ended_ms=noon)
    assert " 12:07 (há " in shown(client, 1)[0]


def test_a_moment_that_is_past_is_not_promised(
    app: Flask, webhook: int, client: FlaskClient
) -> None:
    past = to_ms(datetime.now(UTC) - timedelta(minutes=1))
    deliver(app, 1, webhook, 1, state="retrying", reason="failed_status", ended_ms=None,
            due_ms=past)  # fmt: skip
    line, said = shown(client, 1)
    assert "tentamos de novo em instantes" in said
    assert "próxima" not in line


def test_an_attempt_that_was_redirected_says_where_to() -> None:
    said = attempt_words("redirected", 301, "https://final.example/hook")
    assert said.startswith("A URL redireciona para https://final.example/hook (status 301)")
    assert "outro endereço" in attempt_words("redirected", 301, None)
    assert "canary" not in attempt_words("failed_status", 500, "canary")


@pytest.mark.parametrize(
    ("stored", "label", "what"),
    [
        (None, "Pausado", "O webhook está pausado"),
        ("gone", "Pausado: a URL não existe mais", "Sua URL responde que não existe mais"),
        ("make_off", "Pausado: cenário do Make desligado", "O cenário do Make está desligado"),
    ],
)
def test_a_pause_says_who_asked_for_it(
    app: Flask, webhook: int, stored: str | None, label: str, what: str
) -> None:
    def pause(session: Session) -> tuple[str, str]:
        found = find_webhook(session, webhook)
        switch_webhook(session, found, WebhookState.PAUSED, stored)
        shown = shown_webhook(found)
        assert shown.words is not None
        return shown.label, shown.words.what

    told = store_of(app).session(pause)
    assert told[0] == label
    assert told[1].startswith(what)
