"""The filters of a webhook: made by clicking a value, tried, reviewed, and only then saved."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.application import make_webhook, rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from tests.web.support.deliveries import event_row, insert
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.rules.filters import CONDITIONS_MAX
from webhookproxy.web.filters import sample as filter_sample
from webhookproxy.web.filters import trial as filter_trial

NAME = "call-was-connected"
STATUS = Condition("call.status", Operator.EQUAL, "7")
Rows = Sequence[tuple[str, str, str]]
SEVEN: Rows = [("call.status", "igual", "7")]


def address(webhook: int, name: str = NAME) -> str:
    return f"/webhooks/webhook_{webhook}/filtros/condicoes?evento={quote(name)}"


def payload_of(**call: Any) -> str:
    return json.dumps({"call": call, "tags": ["vip", "novo"], "source": "discador"})


def arrive(app: Flask, company: int, payloads: Sequence[str], first: int = 1, **given: Any) -> None:
    """Events of the same name, with these payloads in this order."""
    events = [
        event_row(number, company, **{"payload": payload, **given})
        for number, payload in enumerate(payloads, first)
    ]
    insert(app, events)


def typed(conditions: Rows) -> dict[str, list[str]]:
    """The fields of these rows, as a form sends them."""
    lists = zip(*conditions, strict=True) if conditions else ([], [], [])
    return dict(zip(("path", "operator", "value"), map(list, lists), strict=True))


def send(browser: Browser, webhook: int, conditions: Rows, **fields: Any) -> str:
    """Press a button of the form with these rows; the page that comes back."""
    found = browser.fields(address(webhook))
    kept = {name: found[name] for name in ("csrf_token", "base", "sample")}
    return browser.send(address(webhook), {**kept, **typed(conditions), **fields}, 200).text


def save(browser: Browser, page: str, webhook: int, conditions: Rows, status: int = 303) -> str:
    """Save what a page shows as tried."""
    found = form_fields(page)
    kept = {name: found[name] for name in ("csrf_token", "base", "sample", "reviewed")}
    return browser.send(address(webhook), {**kept, **typed(conditions), "save": ""}, status).text


def try_and_save(browser: Browser, webhook: int, conditions: Rows) -> None:
    save(browser, send(browser, webhook, conditions, **{"try": ""}), webhook, conditions)


def stored(app: Flask, webhook: int) -> Any:
    found = rows(app, "SELECT filters FROM webhooks WHERE id = :id", id=webhook)[0][0]
    return None if found in (None, "null") else json.loads(found)


def shown_rows(page: str) -> list[tuple[str, str, str]]:
    """The conditions that the form holds."""
    paths = re.findall(r'name="path" value="([^"]*)"', page)
    operators = re.findall(r'<option value="([^"]*)" selected>', page)
    values = re.findall(r'name="value" value="([^"]*)"', page)
    return [
        (html.unescape(path), operator, html.unescape(value))
        for path, operator, value in zip(paths, operators, values, strict=True)
    ]


def buttons(page: str) -> dict[str, str]:
    """What the values of the payload say when they are pressed, by their path."""
    found = re.findall(r'name="take" value="([^"]*)" title="([^"]*)"', page)
    return {html.unescape(path): html.unescape(take) for take, path in found}


def plain(page: str) -> str:
    """The words of the main part."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page[page.index("<main") :])).split())


def test_without_filters_the_webhook_says_that_all_is_sent(beto: Browser, place: Place) -> None:
    page = beto.get(f"/webhooks/webhook_{place.webhook}").text
    assert "Sem filtros: tudo o que este webhook pede é enviado." in page
    assert f'href="/webhooks/webhook_{place.webhook}/filtros"' in page


def test_with_filters_the_webhook_says_each_in_words(
    app: Flask, beto: Browser, place: Place
) -> None:
    agent = Condition("agent.name", Operator.CONTAINS, "<Ana>")
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:9999/x",
        events=("agent-is-idle", NAME),
        filters={NAME: (STATUS, agent), "call-was-created": (STATUS,)},
    )
    page = beto.get(f"/webhooks/webhook_{webhook}").text
    section = page[page.index('id="filtros"') :]
    said = "Só é enviado se call.status é igual a 7 (finalizada) e agent.name contém <Ana>."
    assert said in plain(page)
    assert section.count("O webhook não pede mais este evento.") == 1
    assert address(webhook).replace("&", "&amp;") in section
    assert f"/entregas?webhook=webhook_{webhook}&amp;estado=filtrada" in section


def test_the_choice_offers_what_came_and_suggests_what_the_webhook_asks_for(
    app: Flask, beto: Browser, place: Place
) -> None:
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:9999/x",
        events=("agent-is-idle", NAME),
        filters={NAME: (STATUS,)},
    )
    page = beto.get(f"/webhooks/webhook_{webhook}/filtros").text
    assert re.findall(r'<option value="([^"]*)">', page) == ["agent-is-idle", NAME]
    assert "1 condição" in page
    assert "nenhum em 24 h" in page
    everything = beto.get(f"/webhooks/webhook_{place.webhook}/filtros").text
    assert len(re.findall(r'<option value="([^"]*)">', everything)) > 20
    assert "Nenhum evento em 24 horas." in everything


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "Escolha o evento"), ("*", "não é um nome de evento")],
)
def test_what_is_no_name_of_an_event_is_asked_for_again(
    beto: Browser, place: Place, name: str, words: str
) -> None:
    page = beto.get(address(place.webhook, name)).text
    assert words in page
    assert "Filtrar qual evento?" in page


def test_an_event_that_the_webhook_does_not_ask_for_is_said(
    app: Flask, beto: Browser, place: Place
) -> None:
    webhook = make_webhook(app, place.company, "http://127.0.0.1:9999/x", events=("outro",))
    assert "o filtro não muda nada" in beto.get(address(webhook)).text
    assert "o filtro não muda nada" not in beto.get(address(webhook, "outro")).text


def test_a_click_on_a_value_of_the_newest_event_makes_a_condition_that_it_meets(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=4), payload_of(status="7", note=None)])
    arrive(app, place.other_company, [payload_of(status="99")], first=9)
    page = beto.get(address(place.webhook)).text
    assert list(buttons(page)) == ["source", "call.status", "call.note", "tags[0]", "tags[1]"]
    page = send(beto, place.webhook, [], take=buttons(page)["call.status"])
    assert shown_rows(page) == SEVEN
    page = send(beto, place.webhook, SEVEN, take=buttons(page)["tags[0]"])
    page = send(beto, place.webhook, shown_rows(page), take=buttons(page)["call.note"])
    assert shown_rows(page) == [
        *SEVEN,
        ("tags[0]", "igual", "vip"),
        ("call.note", "igual", "null"),
    ]
    page = send(beto, place.webhook, shown_rows(page), **{"try": ""})
    assert "Teria enviado 1 de 2." in plain(page)
    assert stored(app, place.webhook) is None


def test_a_code_is_said_in_words_beside_its_value_and_in_its_condition(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=5)])
    page = html.unescape(beto.get(address(place.webhook)).text)
    assert '<span class="leaf-value">5</span> <span class="muted">não atendida</span>' in page
    page = send(beto, place.webhook, SEVEN, **{"try": "1"})
    assert '<span class="muted" id="codigo-1">finalizada</span>' in page


def test_a_condition_that_is_there_already_is_not_taken_twice(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=7)])
    take = buttons(beto.get(address(place.webhook)).text)["call.status"]
    assert shown_rows(send(beto, place.webhook, SEVEN, take=take)) == SEVEN
    # It takes the place of a row in which nothing was typed.
    blank: Rows = [("", "existe", " ")]
    assert shown_rows(send(beto, place.webhook, blank, take=take)) == SEVEN


def test_of_a_long_text_its_beginning_is_asked_for(app: Flask, beto: Browser, place: Place) -> None:
    arrive(app, place.company, [payload_of(text="Olá, " + "tudo bem? " * 30 + "\nFim")])
    page = beto.get(address(place.webhook)).text
    page = send(beto, place.webhook, [], take=buttons(page)["call.text"])
    (path, operator, value) = shown_rows(page)[0]
    assert (path, operator) == ("call.text", "contem")
    assert value.startswith("Olá, tudo bem?")
    assert len(value) <= filter_sample.PIECE
    assert "Teria enviado 1 de 1." in plain(
        send(beto, place.webhook, shown_rows(page), **{"try": ""})
    )


def test_a_credential_that_was_hidden_makes_no_condition(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(api_token="[oculto]", id=1)])
    page = beto.get(address(place.webhook)).text
    assert "[oculto]" in page
    assert "call.id" in buttons(page)
    assert "call.api_token" not in buttons(page)


def test_whoever_sees_the_payload_is_written_down_once(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=7)])
    for _ in range(2):
        beto.get(address(place.webhook))
    seen = "SELECT subject FROM audit WHERE action = 'payload_viewed'"
    assert [row[0] for row in rows(app, seen)] == [f"evt_{1:032x}"]


def test_the_payload_stays_the_same_while_newer_ones_come(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=7)])
    page = beto.get(address(place.webhook)).text
    kept = form_fields(page)["sample"]
    arrive(app, place.company, [payload_of(other=1)], first=2)
    arrive(app, place.other_company, [payload_of(secret=1)], first=3)
    assert "call.status" in buttons(send(beto, place.webhook, [], begin="", sample=kept))
    assert "call.other" in buttons(beto.get(address(place.webhook)).text)
    # Neither another company's event, nor none at all.
    for wrong in (f"evt_{3:032x}", "evt_none"):
        assert "call.other" in buttons(send(beto, place.webhook, [], begin="", sample=wrong))


def test_without_an_event_the_catalogues_sample_is_shown_and_said_to_be_one(
    app: Flask, beto: Browser, place: Place
) -> None:
    marker = "UPDATE events SET note = 'too_large' WHERE id = 1"
    arrive(app, place.company, ['{"length": 2000000}'])
    store_of(app).run(lambda connection: connection.execute(text(marker)))
    page = beto.get(address(place.webhook)).text
    assert "os valores abaixo são inventados" in page
    assert "call.status" in buttons(page)
    unknown = beto.get(address(place.webhook, "nunca-visto")).text
    assert buttons(unknown) == {}
    assert "o catálogo não o conhece" in unknown


def test_the_trial_counts_the_last_events_of_this_name_and_shows_some_of_either_kind(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=4 + 3 * (n < 12)) for n in range(20)])
    arrive(app, place.company, [payload_of(status=7)], first=50, name="outro")
    arrive(app, place.other_company, [payload_of(status=7)], first=60)
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    result = page[page.index('id="resultado"') : page.index('id="evento"')]
    assert "Teria enviado 12 de 20." in plain(page)
    assert "que guardamos desta empresa" in result
    sent, kept = result.split("Ficariam de fora")
    for part, first in ((sent, 12), (kept, 20)):
        found = re.findall(r'href="/eventos/(evt_\w+)"', part)
        assert found == [f"evt_{number:032x}" for number in range(first, first - 5, -1)]
    assert len(re.findall(r"call\.status era \w+, e não 7</span>", kept)) == 5


def test_the_trial_looks_at_no_more_than_the_last(
    app: Flask, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter_trial, "LAST", 10)
    monkeypatch.setattr(filter_trial, "ROUND", 3)
    arrive(app, place.company, [payload_of(status=7 if n < 4 else 4) for n in range(12)])
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    assert "Teria enviado 2 de 10." in plain(page)
    monkeypatch.setattr(filter_trial, "CHARACTERS_MAX", 5 * len(payload_of(status=4)))
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    assert "Teria enviado 0 de 5." in plain(page)
    assert "que foi possível ler de uma vez" in page


def test_what_is_tried_is_saved_with_a_second_click(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=7)])
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    assert stored(app, place.webhook) is None
    save(beto, page, place.webhook, SEVEN)
    assert stored(app, place.webhook) == {
        NAME: [{"path": "call.status", "operator": "igual", "value": "7"}]
    }
    page = beto.get(f"/webhooks/webhook_{place.webhook}").text
    assert f"O filtro de {NAME} foi salvo." in page
    detail = "SELECT detail FROM audit WHERE action = 'webhook_changed'"
    assert [row[0] for row in rows(app, detail)] == ["filters"]
    assert shown_rows(beto.get(address(place.webhook)).text) == SEVEN
    secrets = rows(app, "SELECT secret FROM webhooks WHERE id = :id", id=place.webhook)
    assert secrets[0][0] is not None


def test_without_a_trial_nothing_is_saved_and_the_trial_is_shown_first(
    app: Flask, beto: Browser, place: Place
) -> None:
    arrive(app, place.company, [payload_of(status=7)])
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    other: Rows = [("call.status", "igual", "8")]
    for changed in (
        save(beto, page, place.webhook, other, 200),
        send(beto, place.webhook, other, save=""),
    ):
        assert "Você mudou as condições depois de testar." in changed
        assert "Teria enviado 0 de 1." in plain(changed)
        assert "Nada passaria" in changed
        assert stored(app, place.webhook) is None
    save(beto, changed, place.webhook, other)
    assert stored(app, place.webhook)[NAME][0]["value"] == "8"


def test_where_nothing_came_yet_a_filter_can_be_saved_all_the_same(
    app: Flask, beto: Browser, place: Place
) -> None:
    page = send(beto, place.webhook, SEVEN, **{"try": ""})
    assert "Não há com o que testar." in page
    save(beto, page, place.webhook, SEVEN)
    assert list(stored(app, place.webhook)) == [NAME]


def test_without_its_last_condition_a_filter_is_gone_and_the_others_stay(
    app: Flask, beto: Browser, place: Place
) -> None:
    webhook = make_webhook(
        app,
        place.company,
        "http://127.0.0.1:9999/x",
        filters={NAME: (STATUS,), "call-was-created": (STATUS,)},
    )
    arrive(app, place.company, [payload_of(status=4)])
    page = send(beto, webhook, SEVEN, remove="0")
    assert shown_rows(page) == []
    assert "Sem condições: todos são enviados" in page
    page = send(beto, webhook, [], **{"try": ""})
    assert "Teria enviado 1 de 1." in plain(page)
    save(beto, page, webhook, [])
    assert list(stored(app, webhook)) == ["call-was-created"]
    assert f"O filtro de {NAME} foi removido." in beto.get("/").text


def test_what_is_wrong_stands_beside_its_row_and_nothing_is_saved(
    app: Flask, beto: Browser, place: Place
) -> None:
    wrong: Rows = [
        ("call.status", "igual", "7"),
        ("call..x", "igual", "1"),
        ("", "igual", ""),
        ("agent.name", "contem", " "),
    ]
    page = send(beto, place.webhook, wrong, **{"try": ""})
    assert shown_rows(page) == [wrong[0], wrong[1], wrong[3]]
    assert 'id="erro-1"' not in page
    beside = re.findall(r'id="erro-(\d)">.*?</svg> ([^<]+)</p>', page)
    assert [number for number, _ in beside] == ["2", "3"]
    assert "não é um campo" in beside[0][1]
    assert "Informe um valor" in beside[1][1]
    assert 'id="resultado"' not in page
    assert "Nada foi salvo." in page
    assert "Nada foi salvo." in send(beto, place.webhook, wrong, save="")
    assert stored(app, place.webhook) is None


def test_there_is_room_for_so_many_conditions(beto: Browser, place: Place) -> None:
    full: Rows = [(f"a{number}", "existe", "") for number in range(CONDITIONS_MAX)]
    page = send(beto, place.webhook, full[:-1], begin="")
    assert len(shown_rows(page)) == CONDITIONS_MAX
    page = send(beto, place.webhook, full, begin="")
    assert len(shown_rows(page)) == CONDITIONS_MAX
    assert f"até {CONDITIONS_MAX} condições" in page


def test_an_empty_row_is_not_added_twice(beto: Browser, place: Place) -> None:
    page = send(beto, place.webhook, [], begin="")
    assert shown_rows(send(beto, place.webhook, shown_rows(page), begin="")) == [("", "igual", "")]


def test_somebody_elses_save_is_said_and_the_next_one_goes_over_it(
    app: Flask, beto: Browser, ana: Browser, place: Place
) -> None:
    mine = send(beto, place.webhook, SEVEN, **{"try": ""})
    try_and_save(ana, place.webhook, [("agent.id", "existe", "")])
    page = save(beto, mine, place.webhook, SEVEN, 200)
    assert "Outra pessoa salvou este filtro" in page
    assert "Agora ele pede: agent.id existe." in page
    assert [each["path"] for each in stored(app, place.webhook)[NAME]] == ["agent.id"]
    save(beto, page, place.webhook, SEVEN)
    assert [each["path"] for each in stored(app, place.webhook)[NAME]] == ["call.status"]


def test_a_double_click_and_another_events_filter_are_no_conflict(
    app: Flask, beto: Browser, place: Place
) -> None:
    page = send(beto, place.webhook, SEVEN, **{"try": ""})

    def job(session: Session) -> None:
        session.execute(text("UPDATE webhooks SET name = 'Mudou'"))

    store_of(app).session(job)
    for _ in range(2):
        save(beto, page, place.webhook, SEVEN)
    changes = "SELECT COUNT(*) FROM audit WHERE action = 'webhook_changed'"
    assert rows(app, changes)[0][0] == 1
    assert rows(app, "SELECT name FROM webhooks WHERE id = :id", id=place.webhook)[0][0] == "Mudou"


@pytest.mark.parametrize(
    "fields",
    [
        {"path": ["a"], "operator": [], "value": ["1"]},
        {"path": ["a"], "operator": ["entre"], "value": ["1"]},
        {name: ["existe"] * 41 for name in ("path", "operator", "value")},
        {"take": "nada"},
        {"take": '["a", "igual"]'},
        {"take": '[1, "igual", "2"]'},
        {"take": '["a", "entre", "2"]'},
    ],
)
def test_what_no_form_of_ours_sends_is_not_understood(
    beto: Browser, place: Place, fields: dict[str, Any]
) -> None:
    beto.send(address(place.webhook), {"csrf_token": beto.token(), **fields}, 400)


def test_what_was_put_together_outlives_the_session(
    app: Flask, beto: Browser, place: Place
) -> None:
    fields = {"path": "call.status", "operator": "igual", "value": "7", "csrf_token": beto.token()}
    store_of(app).run(lambda connection: connection.execute(text("DELETE FROM sign_ins")))
    beto.send(address(place.webhook), {**fields, "save": ""}, 303)
    answer = beto.post("/entrar", email="beto@exemplo.com.br", password="uma senha bem comprida")
    page = beto.get(answer.location or "").text
    assert shown_rows(page) == SEVEN
    assert "Sua sessão tinha expirado." in page
