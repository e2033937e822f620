"""The diagnosis of a company: the guide's three troubles, and what to do about each."""

from __future__ import annotations

import html
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from flask import Flask

from tests.faults.receivers.test_tls import authority as authority
from tests.faults.receivers.test_tls import server_context
from tests.support.application import TOKEN, make_company, make_webhook, rest_on_loopback, rows
from tests.support.receiver import Plain, Receiver, hang
from tests.support.simulator_process import SimulatorProcess
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import connection, counted, execute, owner, usually
from webhookproxy.platform import pace
from webhookproxy.web.diagnosis import live as diagnosis_live
from webhookproxy.web.diagnosis import page as diagnosis

DAY_MS = 86_400_000


@pytest.fixture
def company(app: Flask, simulator: SimulatorProcess) -> int:
    """One that is not connected, at a 3C Plus that is there."""
    owner(app)
    return make_company(app, simulator.url, name="Televendas")


def address(company: int) -> str:
    return f"/empresas/company_{company}/diagnostico"


def read(text: str) -> str:
    """Return the text of a page."""
    main = text[text.index("<main") : text.index("</main>")]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main))).strip()


def verdict(text: str) -> str:
    found = re.search(r'<h2 class="verdict[^>]*>(.*?)</h2>', text, re.DOTALL)
    assert found, text
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", found[1]))).strip()


def steps(text: str, anchor: str) -> dict[str, tuple[str, str]]:
    """By their names, how the steps of a part came out, and what was found."""
    part = text[text.index(f'id="{anchor}"') :]
    part = part[: part.index("</section>")]
    return {
        html.unescape(name): (mark, html.unescape(re.sub(r"<[^>]+>", "", finding)).strip())
        for mark, name, finding in re.findall(
            r"</svg><span>([^<]+)</span></span>.*?<strong>([^<]+)</strong>.*?<p>(.*?)</p>",
            part,
            re.DOTALL,
        )
    }


def connect(app: Flask, company: int, **facts: Any) -> None:
    now = int(time.time() * 1000)
    given = {"since": now - 60_000, "last_event_at": now - 5_000, "events": 3, **facts}
    connection(app, company, "connected", "accepted", **given)


def test_before_anybody_is_asked_it_says_what_is_known(
    app: Flask, ana: Browser, company: int
) -> None:
    webhook = make_webhook(app, company, "http://127.0.0.1:9999/crm")
    page = ana.get(address(company)).text
    assert verdict(page) == "Esta empresa ainda não foi conectada."
    assert "Clique em “Conectar” para receber os eventos." in read(page)
    assert steps(page, "token")["Token"][0] == "Não verificado"
    assert steps(page, f"webhook_{webhook}")["URL"][0] == "Não verificado"
    connect(app, company)
    page = ana.get(address(company)).text
    assert verdict(page) == "Nada de errado no que já sabemos. Falta perguntar às URLs."


def test_all_is_well(app: Flask, ana: Browser, company: int, receiver: Receiver) -> None:
    webhook = make_webhook(app, company, receiver.url("/crm"), events=("agent-is-idle",))
    connect(app, company)
    counted(app, company, {int(time.time()) // 3600: 7})
    execute(app, "UPDATE hourly_events SET name = 'agent-is-idle'")
    page = ana.post(address(company), 200, teste="sim").text
    assert verdict(page) == ("Tudo certo: o token vale, as URLs respondem e os eventos chegam.")
    assert steps(page, "token")["Token"][1].startswith("A 3C Plus aceitou o token: conectada desde")
    found = steps(page, f"webhook_{webhook}")
    assert [mark for mark, _ in found.values()] == ["Certo"] * 3 + ["Bom saber", "Certo"]
    assert found["POST de teste"][1].startswith("Aceito: HTTP 200, em ")
    (sent,) = receiver.requests
    assert sent.headers["X-Webhook-Event"] == "agent-is-idle"


def test_without_a_wish_the_token_is_tried_on_a_socket_of_its_own(
    ana: Browser, company: int, simulator: SimulatorProcess
) -> None:
    page = ana.post(address(company), 200).text
    assert steps(page, "token")["Token"] == (
        "Certo",
        "A 3C Plus aceitou o token agora, em um socket de teste que já fechamos.",
    )
    simulator.wait_for_sockets(TOKEN, 0)
    assert verdict(page) == "Esta empresa ainda não foi conectada."


def test_a_refused_token_explains_everything_else(
    ana: Browser, company: int, simulator: SimulatorProcess
) -> None:
    simulator.control("refuse", token=TOKEN)
    page = ana.post(address(company), 200).text
    simulator.control("refuse", token=TOKEN, refused=False)
    assert verdict(page) == "Token inválido: a 3C Plus recusou o token desta empresa agora."
    assert "confirme se a empresa está ativa na 3C Plus" in read(page)
    assert TOKEN not in page


@pytest.mark.parametrize(
    ("state", "reason", "wished"),
    [
        ("connected", "accepted", True),
        ("connecting", "wished", True),
        ("reconnecting", "dropped", True),
        ("token_refused", "refused", True),
        # The wish is gone, the socket is not yet.
        ("connected", "accepted", False),
        # The wish is there, and the owner has not followed yet.
        ("disconnected", "not_wished", True),
    ],
)
def test_no_second_socket_is_opened_beside_a_first_one(
    state: str,
    reason: str,
    wished: bool,
    app: Flask,
    ana: Browser,
    company: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(diagnosis_live, "check_token", lambda *given: asked.append(given))
    connection(app, company, state, reason, wished=wished)
    ana.post(address(company), 200)
    assert asked == []


def test_a_token_that_is_refused_all_the_time_is_told_with_its_words(
    app: Flask, ana: Browser, company: int
) -> None:
    connection(app, company, "token_refused", "refused")
    page = ana.get(address(company)).text
    assert verdict(page).startswith("Token inválido: a 3C Plus recusa o token desta empresa desde")
    connection(app, company, "reconnecting", "handshake_timeout")
    page = ana.get(address(company)).text
    assert steps(page, "token")["Token"][0] == "Não verificado"
    assert verdict(page) == "O servidor da 3C Plus demorou demais para aceitar a conexão."


def test_each_step_to_a_url_has_its_finding_up_to_the_one_that_fails(
    app: Flask, ana: Browser, company: int
) -> None:
    with Receiver() as closed:
        url = closed.url()
    connect(app, company)
    webhook = make_webhook(app, company, url, name="CRM")
    page = ana.post(address(company), 200, teste="sim").text
    assert verdict(page) == "CRM: URL não acessível: o servidor recusou a conexão."
    found = steps(page, f"webhook_{webhook}")
    assert [mark for mark, _ in found.values()] == [
        *("Certo", "Certo", "Problema", "Não verificado")
    ]
    assert found["Nome do domínio"][1] == "127.0.0.1 foi encontrado."
    assert found["O resto"][1] == "Não chegamos a: Certificado (TLS), POST de teste."
    assert "Confira também a porta." in found["Conexão"][1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, {}, b"x"), "Sua URL respondeu com erro: status 500. Levou"),
        (
            (302, {"Location": "https://outro.example/hook"}, b""),
            "A URL redireciona para https://outro.example/hook (status 302)",
        ),
        ((404, {}, b""), "status 404"),
    ],
)
def test_an_answer_that_is_no_success_is_said_with_what_to_do(
    answer: Plain, said: str, app: Flask, ana: Browser, company: int, receiver: Receiver
) -> None:
    receiver.answer = answer
    connect(app, company)
    webhook = make_webhook(app, company, receiver.url())
    page = ana.post(address(company), 200, teste="sim").text
    mark, finding = steps(page, f"webhook_{webhook}")["POST de teste"]
    assert mark == "Problema"
    assert said in finding
    assert verdict(page).startswith("Webhook: ")


def test_a_certificate_says_until_when_and_a_bad_one_why(
    authority: trustme.CA, app: Flask, ana: Browser, company: int
) -> None:
    connect(app, company)
    now = datetime.now(UTC)
    for ends, mark, said in (
        (now + timedelta(days=90), "Certo", "O certificado é válido até"),
        (now + timedelta(days=5), "Atenção", "O certificado só vale até"),
        (now - timedelta(days=5), "Problema", "O certificado HTTPS do servidor está vencido."),
    ):
        with Receiver(tls=server_context(authority, "127.0.0.1", expires=ends)) as receiver:
            webhook = make_webhook(app, company, receiver.url())
            page = ana.post(address(company), 200, teste="sim").text
        found = steps(page, f"webhook_{webhook}")["Certificado (TLS)"]
        assert found[0] == mark
        assert found[1].startswith(said)
        execute(app, "UPDATE webhooks SET deleted_at = 1")


@pytest.mark.parametrize(
    ("changes", "form", "said"),
    [
        ({}, {}, "Você pediu para não enviar."),
        ({"state": "simulated"}, {"teste": "sim"}, "O webhook está em modo simulado"),
        ({"state": "paused", "paused_at": 1}, {"teste": "sim"}, "pausado por uma pessoa"),
    ],
)
def test_nothing_is_sent_where_nothing_may_be(
    changes: dict[str, Any],
    form: dict[str, str],
    said: str,
    app: Flask,
    ana: Browser,
    company: int,
    receiver: Receiver,
) -> None:
    webhook = make_webhook(app, company, receiver.url())
    for name, value in changes.items():
        execute(app, f"UPDATE webhooks SET {name} = :value", value=value)
    page = ana.post(address(company), 200, **form).text
    mark, finding = steps(page, f"webhook_{webhook}")["POST de teste"]
    assert mark == "Não verificado"
    assert said in finding
    assert receiver.requests == []
    assert receiver.connections == 1


def test_a_webhook_that_its_receiver_had_paused_is_tried(
    app: Flask, ana: Browser, company: int, receiver: Receiver
) -> None:
    make_webhook(app, company, receiver.url())
    execute(app, "UPDATE webhooks SET state = 'paused', paused_at = 1, paused_reason = 'gone'")
    ana.post(address(company), 200, teste="sim")
    assert len(receiver.requests) == 1


def test_receivers_that_hang_are_waited_for_side_by_side_and_not_for_ever(
    app: Flask, ana: Browser, company: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis_live, "DEADLINE_SECONDS", 2.0)
    with Receiver(lambda _: hang()) as receiver:
        made = [make_webhook(app, company, receiver.url(), timeout=60.0) for _ in range(5)]
        began = time.monotonic()
        page = ana.post(address(company), 200, teste="sim").text
        assert time.monotonic() - began < 30
        assert len(receiver.requests) == 5
    for webhook in made:
        mark, finding = steps(page, f"webhook_{webhook}")["POST de teste"]
        assert mark == "Problema"
        assert finding.startswith("Não terminou em 30 s.")


def test_silence_is_a_finding(app: Flask, ana: Browser, company: int) -> None:
    make_webhook(app, company, "http://127.0.0.1:9999/")
    usually(app, company, 2400)
    heard = int(time.time() * 1000) - 12 * 60_000
    connect(app, company, since=heard - 1, last_event_at=heard)
    page = ana.get(address(company)).text
    assert verdict(page).startswith("Conectada, mas nenhum evento há 12 min (normal a esta hora:")
    assert steps(page, "eventos")["Conexão"][0] == "Certo"


def test_a_connection_that_has_never_brought_an_event_is_odd_after_an_hour(
    app: Flask, ana: Browser, company: int
) -> None:
    make_webhook(app, company, "http://127.0.0.1:9999/")
    since = int(time.time() * 1000)
    for ago, mark in ((10, "Bom saber"), (61, "Atenção")):
        connect(app, company, since=since - ago * 60_000, last_event_at=None)
        found, said = steps(ana.get(address(company)).text, "eventos")["Silêncio"]
        assert found == mark
        assert re.match(r"A conexão abriu há .+ e nenhum evento chegou ainda\.", said), said


def test_events_that_nobody_asks_for_and_webhooks_that_ask_in_vain_are_named(
    app: Flask, ana: Browser, company: int
) -> None:
    connect(app, company)
    make_webhook(app, company, "http://127.0.0.1:9999/", name="CRM", events=("call-ended",))
    counted(app, company, {int(time.time()) // 3600: 7})
    page = read(ana.get(address(company)).text)
    assert "CRM: Só pede eventos que não chegaram em 24 horas: call-ended." in page
    assert "Nenhum webhook pede 1 tipo de evento das últimas 24 horas: x." in page
    make_webhook(app, company, "http://127.0.0.1:9999/")
    assert "Nenhum webhook pede" not in read(ana.get(address(company)).text)


def test_a_company_without_a_webhook_is_told_to_make_one(
    app: Flask, ana: Browser, company: int
) -> None:
    connect(app, company)
    page = ana.get(address(company)).text
    assert verdict(page).startswith("Esta empresa não tem webhook")


def test_what_holds_a_webhook_its_filters_and_the_last_gap_are_told(
    app: Flask, ana: Browser, company: int
) -> None:
    connect(app, company)
    webhook = make_webhook(app, company, "http://127.0.0.1:9999/", name="CRM")
    execute(app, "UPDATE webhooks SET filters = :filters", filters='{"call-ended": [{}]}')
    execute(
        app,
        "INSERT INTO hourly_deliveries (webhook_id, hour, outcome, bucket, count)"
        " VALUES (:webhook, :hour, 'filtered', 0, 5)",
        webhook=webhook,
        hour=int(time.time()) // 3600,
    )
    execute(app, "UPDATE webhook_health SET circuit_opened_at = :now", now=time.time() * 1000)
    execute(
        app,
        "INSERT INTO gaps (company_id, started_at, ended_at, reason)"
        " VALUES (:company, :began, :ended, 'dropped')",
        company=company,
        began=int(time.time() * 1000) - 2 * DAY_MS,
        ended=int(time.time() * 1000) - 2 * DAY_MS + 60_000,
    )
    page = ana.get(address(company)).text
    assert verdict(page).startswith("CRM: Sua URL vem falhando, desde ")
    found = steps(page, "eventos")
    assert found["Filtros"][1].startswith(
        "Só envia call-ended quando as condições valem. Em 24 horas, 5 eventos não cumpriram"
    )
    leads = re.search(r'href="(/entregas[^"]*estado=filtrada)"', page)
    assert leads
    ana.get(html.unescape(leads[1]))
    assert found["Última lacuna"][1].endswith("ela não reenvia.")
    assert f"/webhooks/webhook_{webhook}" in page


def test_it_is_noted_and_throttled(
    app: Flask, beto: Browser, place: Place, receiver: Receiver
) -> None:
    execute(app, "UPDATE webhooks SET url = :url", url=receiver.url())
    execute(app, "UPDATE companies SET socket_url = 'http://127.0.0.1:9'")
    for _ in range(6):
        beto.post(address(place.company), 200, teste="sim")
    assert len(receiver.requests) == 6
    beto.post(address(place.company), 429, teste="sim")
    assert len(receiver.requests) == 6
    noted = "SELECT action, COUNT(*) FROM audit WHERE action IN ('diagnosed', 'webhook_tested')"
    assert rows(app, f"{noted} GROUP BY action ORDER BY action") == [
        ("diagnosed", 6),
        ("webhook_tested", 6),
    ]


def test_only_so_many_webhooks_are_tried_at_once(
    app: Flask, ana: Browser, company: int, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "WEBHOOKS_MAX", 2)
    made = [make_webhook(app, company, receiver.url()) for _ in range(3)]
    page = ana.post(address(company), 200, teste="sim").text
    assert len(receiver.requests) == 2
    assert f'id="webhook_{made[2]}"' not in page
    assert "Mostramos as URLs dos 2 primeiros webhooks" in read(page)


def test_every_page_of_the_company_leads_there(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    connection(app, place.company, "token_refused", "refused")
    webhook = f"/webhooks/webhook_{place.webhook}"
    for page in ("/", f"/empresas/company_{place.company}", webhook):
        assert f'href="{address(place.company)}' in beto.get(page).text, page


def test_the_headline_says_how_many_problems_there_are(
    app: Flask, ana: Browser, company: int
) -> None:
    for number in range(3):
        make_webhook(app, company, f"http://127.0.0.1:9998/{number}")
    connect(app, company)
    page = ana.post(address(company), 200, teste="sim").text
    assert verdict(page).startswith("3 problemas, a começar por: ")


@pytest.mark.parametrize(
    ("role", "mark", "says"),
    [
        ("gestor", "Certo", "O token é de Integração, gestor, da organização Empresa simulada"),
        ("supervisor", "Bom saber", "Só virão os eventos das equipes dele."),
        ("agent", "Atenção", "Só virão os eventos deste agente."),
    ],
)
def test_it_says_whose_the_token_is(
    app: Flask, ana: Browser, simulator: SimulatorProcess, role: str, mark: str, says: str
) -> None:
    owner(app)
    rest_on_loopback(app)
    token = f"diagnosis-{role}-0001"
    company = make_company(app, simulator.url, token)
    simulator.control("rest", token=token, role=role)
    found = steps(ana.post(address(company), 200).text, "token")
    assert found["Dono do token"][0] == mark
    assert says in found["Dono do token"][1]


def test_it_says_whose_each_token_is(
    app: Flask, ana: Browser, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SECONDS", 0.0)
    owner(app)
    rest_on_loopback(app)
    first, second = "diagnosis-first-0001", "diagnosis-second-0001"
    company = make_company(app, simulator.url, first, rest_token=second)
    simulator.control("rest", token=first, role="agent")
    simulator.control("rest", token=second, role="gestor")
    found = steps(ana.post(address(company), 200).text, "token")
    assert "Só virão os eventos deste agente." in found["Dono do token"][1]
    assert found["Dono do segundo token, só para o REST"][0] == "Certo"
    simulator.control("rest", token=second, role="supervisor")
    found = steps(ana.post(address(company), 200).text, "token")
    assert (
        "Com ele não vêm as ligações de todos." in found["Dono do segundo token, só para o REST"][1]
    )
    simulator.control("refuse", token=second)
    found = steps(ana.post(address(company), 200).text, "token")
    assert found["Dono do segundo token, só para o REST"][0] == "Atenção"
    # An address of its own was typed for the second token: the first one does not go there.
    with Receiver((200, {}, b'{"role":"gestor"}')) as elsewhere:
        execute(app, f"UPDATE companies SET rest_url = '{elsewhere.url('')}'")
        found = steps(ana.post(address(company), 200).text, "token")
        assert [each.headers["Authorization"] for each in elsewhere.requests] == [
            f"Bearer {second}"
        ]
    assert "Só virão os eventos deste agente." in found["Dono do token"][1]
