"""Every event has an answer for each webhook of its company."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, text

from tests.support.application import make_company, make_webhook, store_of
from tests.web.support.deliveries import (
    attempt_row,
    delivery_row,
    event_row,
    insert,
    logged_in,
    now_ms,
    read,
)
from webhookproxy.reasons import (
    DELIVERY_LABELS,
    EVENT_WORDS,
    NO_DELIVERY_WORDS,
    DeliveryReason,
    DeliveryState,
    EventNote,
    NoDeliveryReason,
    Words,
    delivery_words,
)

MINUTE_MS = 60_000
NAME = "call-was-connected"
WAITING = (DeliveryState.QUEUED, DeliveryState.RETRYING)


@pytest.fixture
def company(app: Flask) -> int:
    return make_company(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return logged_in(app, admin=True)


def execute(app: Flask, statement: str, **values: object) -> None:
    def job(connection: Connection) -> None:
        connection.execute(text(statement), values)

    store_of(app).run(job)


def webhook_of(app: Flask, company: int, **fields: object) -> int:
    """A webhook that was there an hour before the events of these tests."""
    number = make_webhook(app, company, "http://127.0.0.1:4001/", **fields)
    long_ago = now_ms() - 60 * MINUTE_MS
    changed = "UPDATE webhooks SET created_at = :at, saved_at = :at WHERE id = :id"
    execute(app, changed, at=long_ago, id=number)
    return number


def arrive(app: Flask, company: int, number: int = 1, note: str | None = None) -> str:
    """An event without any delivery; its page."""
    insert(app, [event_row(number, company)])
    execute(app, "UPDATE events SET note = :note WHERE id = :id", note=note, id=number)
    return page_of(number)


def page_of(number: int) -> str:
    return f"/eventos/evt_{number:032x}"


def plain(markup: str) -> str:
    """The text that a piece of HTML shows."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", markup)).split())


def verdict(page: str) -> str:
    found = re.search(r'<p class="verdict[^>]*>(.*?)</p>', page, re.DOTALL)
    assert found
    return plain(found[1])


def colour(page: str) -> str:
    """The colour of the first line."""
    found = re.search(r'<p class="verdict is-([a-z]+)"', page)
    assert found
    return found[1]


def rows_of(page: str) -> list[str]:
    """What the page says of each webhook."""
    found = re.findall(r'<li class="row-item reason">(.*?)</li>', page, re.DOTALL)
    return [plain(each) for each in found]


def assert_says(said: str, words: Words) -> None:
    for part in (words.what, words.then, words.you):
        before, _, after = part.partition("{")
        assert before.strip() in said, part
        assert after.rpartition("}")[2].strip() in said, part
    assert "{" not in said


def test_every_state_with_every_reason_has_its_sentence(
    app: Flask, company: int, client: FlaskClient
) -> None:
    """An event for each state, with a webhook for each reason: pages take longer than rows."""
    webhooks = {reason: webhook_of(app, company, name=reason.value) for reason in DeliveryReason}
    pairs = [(state, reason) for state in DeliveryState for reason in DeliveryReason]
    now, states = now_ms(), list(DeliveryState)
    deliveries = [
        delivery_row(
            number, states.index(state) + 1, webhooks[reason], state=state, reason=reason,
            status=503, ended_ms=None if state in WAITING else now,
            due_ms=now + 7 * MINUTE_MS if state in WAITING else None,
        )
        for number, (state, reason) in enumerate(pairs, 1)
    ]  # fmt: skip
    insert(app, [event_row(number, company) for number in range(1, len(states) + 1)], deliveries)
    for number, state in enumerate(states, 1):
        found = dict(zip(webhooks, rows_of(read(client, page_of(number))), strict=True))
        for reason, said in found.items():
            begins = f"{DELIVERY_LABELS[state]} {reason.value} HTTP 503"
            assert said.startswith(begins), (state, reason, said)
            assert_says(said, delivery_words(state, reason))
            assert ("próxima tentativa:" in said) == (state in WAITING), (state, reason)
            assert "Ver a entrega" in said


@pytest.mark.parametrize("note", EventNote)
def test_every_note_has_its_sentence_also_where_no_webhook_has_a_row(
    app: Flask, company: int, client: FlaskClient, note: EventNote
) -> None:
    page = read(client, arrive(app, company, note=note))
    above = page[page.index('id="destinos"') : page.index('class="rows card reasons"')]
    assert_says(plain(above), EVENT_WORDS[note])
    [said] = rows_of(page)
    # With this note it had deliveries: one that no webhook asks for says that instead.
    had_deliveries = note is EventNote.MAY_BE_REPEAT
    reason = NoDeliveryReason.WEBHOOK_REMOVED if had_deliveries else NoDeliveryReason.NO_WEBHOOK
    assert_says(said, NO_DELIVERY_WORDS[reason])


def without_delivery(app: Flask, company: int) -> Iterator[tuple[NoDeliveryReason, str]]:
    """For each reason why a webhook has no row, the page of an event that it is true of."""
    before = now_ms() - 60_000
    yield NoDeliveryReason.NO_WEBHOOK, arrive(app, company, 1, "unwanted")
    yield NoDeliveryReason.WEBHOOK_REMOVED, arrive(app, company, 2)
    webhook = webhook_of(app, company, events=("agent-is-idle",))
    yield NoDeliveryReason.NOT_ASKED, arrive(app, company, 3, "unwanted")
    execute(app, "UPDATE webhooks SET events = NULL WHERE id = :id", id=webhook)
    recovered = arrive(app, company, 9, "unwanted")
    execute(app, "UPDATE events SET recovered = TRUE WHERE id = 9")
    execute(app, "UPDATE webhooks SET takes_recovered = FALSE")
    yield NoDeliveryReason.NOT_RECOVERED, recovered
    yield NoDeliveryReason.MISSING, arrive(app, company, 4, "unwanted")
    yield NoDeliveryReason.NOT_SENDABLE, arrive(app, company, 5, "too_large")
    yield NoDeliveryReason.NOT_SENDABLE, arrive(app, company, 6, "unreadable")
    execute(app, "UPDATE webhooks SET saved_at = :at", at=before + 30_000)
    yield NoDeliveryReason.ASKED_LATER, arrive(app, company, 7, "unwanted")
    execute(app, "UPDATE webhooks SET created_at = :at", at=before + 30_000)
    yield NoDeliveryReason.CREATED_LATER, arrive(app, company, 8, "unwanted")


def test_every_reason_for_there_being_no_row_has_its_sentence(
    app: Flask, company: int, client: FlaskClient
) -> None:
    seen = set()
    for reason, path in without_delivery(app, company):
        page = read(client, path)
        [said] = rows_of(page)
        assert_says(said, NO_DELIVERY_WORDS[reason])
        assert verdict(page)
        expected = {NoDeliveryReason.MISSING: "red", NoDeliveryReason.NOT_SENDABLE: "amber"}
        assert colour(page) == expected.get(reason, "grey"), reason
        seen.add(reason)
    assert seen == set(NoDeliveryReason)


def test_each_webhook_has_its_own_answer_what_needs_somebody_first(
    app: Flask, company: int, client: FlaskClient
) -> None:
    names = ("Não pede", "Entregue", "Recusada", "Espera")
    events = {"Não pede": ("agent-is-idle",)}
    ids = {name: webhook_of(app, company, name=name, events=events.get(name)) for name in names}
    insert(
        app,
        [event_row(1, company)],
        [
            delivery_row(1, 1, ids["Entregue"]),
            delivery_row(2, 1, ids["Recusada"], state="refused", reason="refused_status",
                         status=422),
            delivery_row(3, 1, ids["Espera"], state="queued", reason="waiting_turn", status=None,
                         ended_ms=None, attempts=0),
        ],
        [attempt_row(2, 1, answer="old"), attempt_row(2, 2, answer="agente " + "x" * 500)],
    )  # fmt: skip
    page = read(client, page_of(1))
    said = rows_of(page)
    shown = [next(name for name in names if name in row) for row in said]
    assert shown == ["Recusada", "Espera", "Entregue", "Não pede"]
    assert verdict(page) == "Não chegou a 1 dos 3 webhooks que o pediram; 1 ainda espera."
    # The last answer, and only its beginning.
    assert "agente " + "x" * 393 in said[0]
    assert "x" * 394 not in page
    assert "old" not in said[0]
    assert "Mudar os eventos" in said[3]


@pytest.mark.parametrize(
    ("states", "shown", "line"),
    [
        (("delivered",), "green", "Chegou ao webhook que o pediu."),
        (("delivered", "delivered", "filtered"), "green", "Chegou aos 2 webhooks que o pediram."),
        (("refused",), "red", "Não chegou ao webhook que o pediu."),
        (("expired", "cancelled"), "red", "Não chegou aos 2 webhooks que o pediram."),
        (("queued", "delivered"), "amber", "Ainda não chegou a 1 dos 2 webhooks que o pediram."),
        (("simulated",), "blue", "Nada foi enviado: o webhook está em modo simulado."),
        (("filtered",), "grey", "Não foi enviado: os filtros do webhook o deixaram de fora."),
    ],
)
def test_the_first_line_says_whether_it_arrived(
    app: Flask, company: int, client: FlaskClient, states: tuple[str, ...], shown: str, line: str
) -> None:
    hooks = [webhook_of(app, company, name=f"Webhook {number}") for number in range(len(states))]
    rows = [
        delivery_row(number, 1, webhook, state=state, reason="accepted")
        for number, (webhook, state) in enumerate(zip(hooks, states, strict=True), 1)
    ]
    insert(app, [event_row(1, company)], rows)
    page = read(client, page_of(1))
    assert (colour(page), verdict(page)) == (shown, line)


def test_one_that_was_filtered_says_by_which_condition(
    app: Flask, company: int, client: FlaskClient
) -> None:
    webhook = webhook_of(app, company)
    row = delivery_row(1, 1, webhook, state="filtered", reason="filtered_out", status=None)
    insert(app, [event_row(1, company)], [row])
    execute(app, "UPDATE deliveries SET condition = :words", words="call.status igual a 7")
    page = read(client, page_of(1))
    [said] = rows_of(page)
    assert "O filtro deste webhook pede “call.status igual a 7”, e o evento não atende." in said
    assert "Ver o filtro" in said
    assert "Reenviar" not in page


def test_a_paused_webhook_and_a_failing_url_say_so_of_what_waits(
    app: Flask, company: int, client: FlaskClient
) -> None:
    webhook = webhook_of(app, company)
    given = {"state": "queued", "reason": "waiting_turn", "status": None, "ended_ms": None}
    insert(app, [event_row(1, company)], [delivery_row(1, 1, webhook, attempts=0, **given)])
    failing = "UPDATE webhook_health SET circuit_opened_at = :at, next_probe_at = :next"
    execute(app, failing, at=now_ms(), next=now_ms() + MINUTE_MS)
    page = read(client, page_of(1))
    assert "Sua URL vem falhando desde" in rows_of(page)[0]
    assert "Tentar agora" in page
    execute(app, "UPDATE webhooks SET state = 'paused', paused_at = :at", at=now_ms())
    page = read(client, page_of(1))
    assert "O webhook está pausado desde" in rows_of(page)[0]
    assert "Reativar o webhook" in page
    assert "Tentar agora" not in page


def test_a_webhook_that_was_deleted_is_named_but_leads_nowhere(
    app: Flask, company: int, client: FlaskClient
) -> None:
    webhook = webhook_of(app, company, name="Antigo")
    # Of this one nothing is left to tell.
    webhook_of(app, company, name="Esquecido")
    row = delivery_row(1, 1, webhook, state="queued", reason="waiting_turn", ended_ms=None)
    insert(app, [event_row(1, company)], [row])
    execute(app, "UPDATE webhooks SET deleted_at = :at", at=now_ms())
    page = read(client, page_of(1))
    [said] = rows_of(page)
    assert "Antigo (excluído)" in said
    assert "O webhook foi excluído antes do envio." in said
    assert "delivery_1" not in page


def test_it_is_sent_again_from_there_and_one_comes_back(
    app: Flask, company: int, client: FlaskClient
) -> None:
    webhook = webhook_of(app, company)
    row = delivery_row(1, 1, webhook, state="refused", reason="refused_status", status=422)
    insert(app, [event_row(1, company)], [row])
    found = re.search(r'name="csrf_token" value="([^"]+)"', read(client, page_of(1)))
    assert found
    answer = client.post(
        "/entregas/delivery_1/reenviar", data={"csrf_token": found[1], "volta": "evento"}
    )
    assert (answer.status_code, answer.location) == (303, page_of(1))
    page = read(client, page_of(1))
    assert "Reenvio na fila" in page
    assert verdict(page) == "Ainda não chegou ao webhook que o pediu."
    assert f'data-live="{page_of(1)}/ao-vivo"' in page


def test_what_was_expunged_is_not_offered_to_be_sent_again(
    app: Flask, company: int, client: FlaskClient
) -> None:
    webhook = webhook_of(app, company)
    insert(app, [event_row(1, company)], [delivery_row(1, 1, webhook)])
    execute(app, "UPDATE events SET note = 'masked'")
    page = read(client, page_of(1))
    assert "Reenviar" not in page
    assert EVENT_WORDS[EventNote.MASKED].what in page
