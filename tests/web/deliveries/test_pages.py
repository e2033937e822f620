"""Entregas and Entrega: what they show, to whom, and what can be done there."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests.support.application import TOKEN, make_company, make_webhook, rows, store_of
from tests.web.support.deliveries import (
    attempt_row,
    deliver,
    delivery_row,
    event_row,
    insert,
    logged_in,
    now_ms,
    press,
    read,
)
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.models import Delivery
from webhookproxy.models.webhooks import delete_webhook, find_webhook, switch_webhook
from webhookproxy.rules.webhooks import WebhookState

URL = "http://127.0.0.1:4001/hook/a-secret-of-many-characters"
AUTHORIZATION = "canary-authorization"
SECRET = "canary-signing-secret"


@pytest.fixture
def company(app: Flask) -> int:
    return make_company(app, name="Clínica Aurora")


@pytest.fixture
def webhook(app: Flask, company: int) -> int:
    return make_webhook(app, company, URL, name="CRM", authorization=AUTHORIZATION, secret=SECRET)


@pytest.fixture
def client(app: Flask, company: int) -> FlaskClient:
    """An operator of the company."""
    return logged_in(app, company)


def listed(page: str) -> list[int]:
    """The deliveries in a list, in its order."""
    return [int(each) for each in re.findall(r"Abrir a entrega delivery_(\d+)", page)]


def state(app: Flask, number: int) -> tuple[str, str]:
    [row] = rows(app, "SELECT state, reason FROM deliveries WHERE id = :id", id=number)
    return row[0], row[1]


def test_the_list_is_filtered_by_state(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    ended = ("refused", "expired", "cancelled", "simulated", "filtered")
    kinds = ("delivered", "queued", "retrying", *ended)
    for number, kind in enumerate(kinds, 1):
        deliver(app, company, webhook, number, state=kind)
    found = {
        word: listed(read(client, f"/entregas?estado={word}"))
        for word in ("todas", "entregue", "aguardando", "falhou", "recusada", "expirada")
    }
    assert found == {
        "todas": [8, 7, 6, 5, 4, 3, 2, 1],
        "entregue": [1],
        "aguardando": [3, 2],
        "falhou": [5, 4],
        "recusada": [4],
        "expirada": [5],
    }
    assert listed(read(client, "/entregas?estado=cancelada")) == [6]
    assert listed(read(client, "/entregas?estado=simulada")) == [7]
    assert listed(read(client, "/entregas?estado=filtrada")) == [8]


def test_a_filtered_delivery_says_the_condition_on_its_page_and_its_events(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="filtered", reason="filtered_out")
    condition = "call.status é igual a 7 (finalizada)"
    store_of(app).session(lambda session: setattr(session.get(Delivery, 1), "condition", condition))
    said = f"O filtro deste webhook pede “{condition}”, e o evento não atende."
    for address in ("/entregas/delivery_1", f"/eventos/evt_{1:032x}"):
        page = read(client, address)
        assert said in page, address
        assert "/reenviar" not in page, address
        assert f"/webhooks/webhook_{webhook}/filtros/condicoes?evento=" in page, address


def test_what_was_filtered_is_offered_where_the_webhook_has_filters(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    condition = Condition("call.status", Operator.EQUAL, "7")
    filtering = make_webhook(app, company, "http://127.0.0.1:4002/", filters={"x": (condition,)})
    assert ">Filtradas</a>" in read(client, f"/entregas?webhook=webhook_{filtering}")
    for address in ("/entregas", f"/entregas?webhook=webhook_{webhook}"):
        assert ">Filtradas</a>" not in read(client, address)


def test_the_list_is_filtered_by_company_webhook_event_and_period(
    app: Flask, company: int, webhook: int
) -> None:
    other = make_company(app, name="Outra", token=TOKEN[::-1])
    second = make_webhook(app, company, "http://127.0.0.1:4002/")
    third = make_webhook(app, other, "http://127.0.0.1:4003/")
    hour = 3_600_000
    for number, (to, age) in enumerate(((webhook, 200), (second, 30), (third, 5), (webhook, 0)), 1):
        deliver(app, company, to, number, received_ms=now_ms() - age * hour, name=f"event-{number}")
    client = logged_in(app, admin=True)
    for query, expected in (
        ("", [4, 3, 2, 1]),
        (f"empresa=company_{company}", [4, 2, 1]),
        (f"webhook=webhook_{third}", [3]),
        (f"webhook=webhook_{third}&empresa=company_{company}", [4, 2, 1]),
        ("evento=event-2", [2]),
        # Words of the name, in any order.
        ("evento=EVENT&periodo=24h", [4, 3]),
        ("evento=2+ven", [2]),
        # A name of the catalogue means itself alone.
        ("evento=call-was-abandoned", []),
        ("periodo=7d", [4, 3, 2]),
        ("periodo=24h", [4, 3]),
        (f"periodo=h{(now_ms() - 5 * hour) // hour}", [3]),
        ("periodo=1h", [4]),
        ("periodo=hoje&evento=event-4", [4]),
        (f"webhook=webhook_{webhook}&periodo=7d&evento=event-4&estado=entregue", [4]),
    ):
        assert listed(read(client, f"/entregas?{query}")) == expected, query


def test_a_list_has_fifty_and_leads_to_older_and_newer_ones_with_the_same_filter(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    numbers = range(1, 121)
    insert(
        app,
        [event_row(n, company) for n in numbers],
        [delivery_row(n, n, webhook) for n in numbers],
    )
    page = read(client, "/entregas?estado=entregue")
    assert listed(page) == list(range(120, 70, -1))
    assert "Mais recentes" not in page
    page = read(client, follow(page, "Mais antigas"))
    assert listed(page) == list(range(70, 20, -1))
    last = read(client, follow(page, "Mais antigas"))
    assert listed(last) == list(range(20, 0, -1))
    assert "Mais antigas" not in last
    assert "estado=entregue" in follow(last, "Mais recentes")
    assert listed(read(client, follow(last, "Mais recentes"))) == list(range(70, 20, -1))


def follow(page: str, words: str) -> str:
    """Where a link with these words leads."""
    found = re.search(rf'href="(\?[^"]+)">{words}', page)
    assert found is not None
    return "/entregas" + found[1].replace("&amp;", "&")


def test_a_row_says_why_and_when_it_goes_on(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(
        app, company, webhook, 1, state="retrying", reason="failed_status", status=503, attempts=4,
        ended_ms=None, due_ms=now_ms() + 150_000,
    )  # fmt: skip
    text = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", read(client, "/entregas")))
    for part in (
        "Aguardando nova tentativa",
        "call-was-connected",
        "CRM",
        "Sua URL respondeu com erro: status 503.",
        "HTTP 503",
        "4 tentativas",
        "próxima em 2 min",
        "há 1 min",
    ):
        assert part in text, part


def test_every_empty_list_says_what_to_do_next(app: Flask, company: int) -> None:
    client = logged_in(app, admin=True)
    assert "Nenhum webhook ainda" in read(client, "/entregas")
    make_webhook(app, company, URL)
    assert "Nenhuma entrega ainda" in read(client, "/entregas")
    assert "Nenhuma entrega assim" in read(client, "/entregas?estado=falhou")


@pytest.mark.parametrize(
    "query",
    [
        "estado=nada",
        "periodo=sempre",
        "empresa=company_99",
        "webhook=webhook_99",
        "empresa=webhook_1",
        "webhook=abc",
        "antes=1",
        "antes=delivery_x",
        "antes=delivery_" + "9" * 40,
    ],
)
@pytest.mark.usefixtures("webhook")
def test_a_list_of_what_there_is_not_is_not_found(client: FlaskClient, query: str) -> None:
    assert client.get(f"/entregas?{query}").status_code == 404


PATHS = (
    ("get", "/entregas/delivery_1"),
    ("get", "/entregas/delivery_1/ao-vivo"),
    ("get", "/entregas/delivery_1/corpo"),
    ("get", "/entregas/delivery_1/cancelar"),
    ("post", "/entregas/delivery_1/cancelar"),
    ("post", "/entregas/delivery_1/tentar"),
    ("post", "/entregas/delivery_1/reenviar"),
)


def test_an_operator_of_another_company_finds_nothing_of_this_one(
    app: Flask, company: int, webhook: int
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    deliver(app, company, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    stranger = logged_in(app, make_company(app, name="Outra", token=TOKEN[::-1]))
    for method, path in PATHS:
        assert stranger.open(path, method=method.upper()).status_code == 404, path
    for query in (f"empresa=company_{company}", f"webhook=webhook_{webhook}"):
        assert stranger.get(f"/entregas?{query}").status_code == 404
    assert listed(read(stranger, "/entregas")) == []
    assert state(app, 1) == ("queued", "waiting_turn")


def test_what_is_unknown_or_of_a_deleted_webhook_is_not_found(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    deliver(app, company, webhook, 1)
    assert client.get("/entregas/delivery_2").status_code == 404
    assert client.get("/entregas/delivery_1?tentativa=7").status_code == 404
    assert client.get("/entregas/delivery_1?tentativa=x").status_code == 404
    store_of(app).session(lambda session: delete_webhook(session, find_webhook(session, webhook)))
    for method, path in PATHS:
        assert client.open(path, method=method.upper()).status_code == 404, path
    assert listed(read(client, "/entregas")) == []


def test_every_act_wants_the_token_of_its_form(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    for method, path in PATHS:
        if method == "post":
            assert client.post(path).status_code == 400
            assert client.get(path).status_code in (200, 405)
    assert state(app, 1) == ("queued", "waiting_turn")


def test_one_shows_exactly_what_was_sent_and_no_secret(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    payload = '{"n":1.50,"s":"<b>a\\u00e7"}'
    deliver(app, company, webhook, 1, payload=payload)
    insert(app, attempts=[attempt_row(1, 1, status=200, reason="accepted", answer="<i>ok</i>")])
    page = read(client, "/entregas/delivery_1")
    body = client.get("/entregas/delivery_1/corpo").get_data(as_text=True)
    assert f'"payload":{payload},' in body
    assert json.loads(body)["meta"]["webhook_id"] == f"webhook_{webhook}"
    escaped = body.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped.replace('"', "&#34;") in page
    for part in ("evt_" + "1".zfill(32), "X-Signature-SHA256", "Bearer …", "&lt;i&gt;ok&lt;/i&gt;"):
        assert part in page, part
    for secret in (AUTHORIZATION, SECRET, TOKEN, "a detail for the log"):
        assert secret not in page
    assert "/hook/a-se…" in page
    assert "curl --globoff --request POST" in page
    assert "$AUTHORIZATION" in page


def test_every_attempt_is_there_and_old_answers_are_asked_for(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="refused", reason="exhausted", attempts=8, status=500)
    insert(app, attempts=[attempt_row(1, n, probe=n == 3) for n in range(1, 9)])
    page = read(client, "/entregas/delivery_1")
    assert re.findall(r"<strong>Tentativa (\d)", page) == list("87654321")
    assert page.count("teste da URL") == 1
    assert "answer 8" in page
    assert "answer 2" not in page
    assert "x-request-id: asked-8" in page
    assert "asked-2" not in page
    assert "<dt>X-Webhook-Attempt</dt><dd>8</dd>" in page
    assert "tentativa=2#tentativa-2" in page
    asked = read(client, "/entregas/delivery_1?tentativa=2")
    assert "answer 2" in asked
    assert "x-request-id: asked-2" in asked
    assert "<dt>X-Webhook-Attempt</dt><dd>2</dd>" in asked
    assert "O que enviamos na tentativa 2" in asked


def test_a_long_body_is_downloaded(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    payload = '{"s":"' + "x" * 100_000 + '"}'
    deliver(app, company, webhook, 1, payload=payload)
    page = read(client, "/entregas/delivery_1")
    assert len(page) < 20_000
    assert "Baixar o corpo" in page
    answer = client.get("/entregas/delivery_1/corpo")
    assert payload in answer.get_data(as_text=True)
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_one_leads_to_the_other_deliveries_of_its_event(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    second = make_webhook(app, company, "http://127.0.0.1:4002/", name="Planilha")
    rows_ = [delivery_row(1, 1, webhook), delivery_row(2, 1, second, state="refused")]
    insert(app, [event_row(1, company)], rows_)
    page = read(client, "/entregas/delivery_1")
    assert re.search(r'href="/entregas/delivery_2">Planilha', page)


def test_only_one_that_waits_is_live(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1)
    deliver(app, company, webhook, 2, state="queued", reason="waiting_turn", ended_ms=None)
    assert "data-live" not in read(client, "/entregas/delivery_1")
    assert 'data-live="/entregas/delivery_2/ao-vivo"' in read(client, "/entregas/delivery_2")


def test_the_stream_sends_the_parts_that_the_page_has(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    page = read(client, "/entregas/delivery_1")
    answer = client.get("/entregas/delivery_1/ao-vivo")
    lines = answer.iter_encoded()
    parts = [json.loads(next(lines).decode().partition("data: ")[2]) for _ in range(3)]
    answer.close()
    assert [part["id"] for part in parts] == ["aviso", "situacao", "tentativas"]
    assert all(f'id="{part["id"]}"' in page for part in parts)
    assert "O evento está na fila deste webhook" in parts[1]["html"]


def test_resending_queues_it_again_and_says_that_the_id_stays(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="refused", reason="exhausted")
    page = press(client, "/entregas/delivery_1", "/entregas/delivery_1/reenviar")
    assert "Reenvio na fila: sua URL recebe o mesmo event_id" in page
    assert state(app, 1) == ("queued", "resent")
    page = press(client, "/entregas/delivery_1", "/entregas/delivery_1/reenviar")
    assert "Esta entrega já estava na fila: nada mudou." in page


def test_trying_now_drops_the_wait_and_keeps_the_order(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    for number in (1, 2):
        deliver(
            app, company, webhook, number, state="retrying", reason="failed_status", ended_ms=None,
            due_ms=now_ms() + 900_000,
        )  # fmt: skip
    page = press(client, "/entregas/delivery_2", "/entregas/delivery_2/tentar")
    assert "tentamos agora a entrega anterior (delivery_1)" in page
    page = press(client, "/entregas/delivery_1", "/entregas/delivery_1/tentar")
    assert "Pedimos a tentativa" in page
    assert rows(app, "SELECT due_ms FROM deliveries ORDER BY id")[0][0] is None


def test_trying_what_ended_or_is_paused_says_why_nothing_happened(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1)
    page = press(client, "/entregas/delivery_1", "/entregas/delivery_1/tentar")
    assert "já tinha terminado" in page
    deliver(app, company, webhook, 2, state="queued", reason="waiting_turn", ended_ms=None)

    def pause(session: Session) -> None:
        switch_webhook(session, find_webhook(session, webhook), WebhookState.PAUSED)

    store_of(app).session(pause)
    page = press(client, "/entregas/delivery_2", "/entregas/delivery_2/tentar")
    assert "alert-warning" in page
    assert "O webhook está pausado: reative-o" in page


def test_cancelling_asks_first_and_then_ends_it(
    app: Flask, company: int, webhook: int, client: FlaskClient
) -> None:
    deliver(app, company, webhook, 1, state="queued", reason="waiting_turn", ended_ms=None)
    asked = "/entregas/delivery_1/cancelar"
    assert "Cancelar esta entrega?" in read(client, asked)
    assert state(app, 1) == ("queued", "waiting_turn")
    assert "A entrega foi cancelada" in press(client, asked, asked)
    assert state(app, 1) == ("cancelled", "discarded")
    assert "nada foi cancelado" in press(client, asked, asked)
