"""The page of a webhook's format: seen on the last events before it is saved."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from tests.web.support.deliveries import event_row, insert

NAME = "call-was-connected"
CALL = {"call": {"phone": "5541900000001", "status": "5"}, "tags": ["vip"]}
LISTS = {"qualification": {"qualifications": [{"id": n, "name": "x" * 50} for n in range(40)]}}


def address(webhook: int) -> str:
    return f"/webhooks/webhook_{webhook}/formato"


def send(browser: Browser, webhook: int, **fields: Any) -> str:
    """Press a button of the page as it is stored, with these fields changed."""
    page = browser.get(address(webhook)).text
    return again(browser, webhook, page, **fields)


def again(browser: Browser, webhook: int, page: str, **fields: Any) -> str:
    """Press a button of a page; `answer` is the status that comes back."""
    status = fields.pop("answer", 200)
    kept = {k: v for k, v in form_fields(page).items() if k not in ("try", "save", "show")}
    return browser.send(address(webhook), {**kept, **fields}, status).text


def arrive(app: Flask, company: int, *payloads: Any) -> None:
    events = [
        event_row(number, company, name=NAME, payload=json.dumps(payload))
        for number, payload in enumerate(payloads, 1)
    ]
    insert(app, events)


def stored(app: Flask, webhook: int) -> Any:
    found = rows(app, "SELECT body_format FROM webhooks WHERE id = :id", id=webhook)[0][0]
    return None if found in (None, "null") else json.loads(found)


def alert(page: str) -> str:
    found = re.search(r"<strong>Nada foi salvo(.*?)</div></div>", page, re.DOTALL)
    return re.sub(r"<.*?>", " ", found[1]) if found else ""


def row(number: int, name: str, content: str, **more: str) -> dict[str, Any]:
    fields = {"name": name, "kind": "valor", "content": content, "missing": "deixar_fora"} | more
    return {"row": str(number), **{f"{key}-{number}": each for key, each in fields.items()}}


def test_a_body_is_put_together_by_clicking_previewed_and_saved(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL, {"call": {}}, LISTS | CALL)
    page = send(ana, place.webhook, kind="montado", show="")
    assert re.search(r'<a href="/empresas" aria-current="page">', page)
    button = json.dumps(["call.phone", "igual", "5541900000001"])
    page = again(ana, place.webhook, page, take=button)
    assert 'name="name-0" value="phone"' in page
    assert ">call.phone</textarea>" in page
    page = again(
        ana, place.webhook, page, **{"name-0": "fields[PHONE]", "step-0": "e164", "try": ""}
    )
    assert "&#34;PHONE&#34;: &#34;+5541900000001&#34;" in page
    assert "3 eventos, e todos cabem" in page
    assert "% a menos" in page
    assert stored(app, place.webhook) is None
    again(ana, place.webhook, page, answer=303, save="")
    assert stored(app, place.webhook)["rows"][0]["paths"] == ["call.phone"]
    assert 'value="fields[PHONE]"' in ana.get(address(place.webhook)).text


def test_an_event_that_does_not_fit_is_shown_with_its_reason(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL, {"agent": {"id": 7}})
    page = send(ana, place.webhook, kind="resumo", **{"try": ""})
    assert "<strong>1</strong> de 2 não cabem neste formato" in page
    assert "Este evento não é de uma ligação" in page
    field = row(0, "x", "call.phone", missing="nao_enviar")
    page = send(ana, place.webhook, kind="montado", **field, **{"try": ""})
    assert "O campo x ficou sem valor" in page


def test_one_click_leaves_out_the_list_of_qualifications(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL | LISTS)
    page = send(ana, place.webhook, kind="nativo", lists="")
    page = again(ana, place.webhook, page, **{"try": ""})
    assert re.search(r"<strong>9\d % a menos", page)
    again(ana, place.webhook, page, answer=303, save="")
    assert stored(app, place.webhook)["less"]["kept"] == "sem"


def test_nothing_is_saved_that_was_not_seen_and_nothing_over_anothers_format(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL)
    page = send(ana, place.webhook, kind="payload", save="")
    assert "Você mudou o formato depois de ver" in alert(page)
    sent = again(ana, place.webhook, page, kind="nativo", save="")
    assert "Você mudou o formato depois de ver" in alert(sent)
    again(ana, place.webhook, page, answer=303, save="")
    late = again(ana, place.webhook, sent, save="")
    assert "Outra pessoa salvou o formato" in alert(late)
    again(ana, place.webhook, late, answer=303, save="")
    assert stored(app, place.webhook)["kind"] == "nativo"


def test_what_is_wrong_is_said_and_kept(ana: Browser, place: Place) -> None:
    page = send(ana, place.webhook, kind="montado", **row(0, "a..b", "call..x"), **{"try": ""})
    assert "a..b não é um nome de campo" in alert(page)
    assert "call..x" in page
    assert "pelo menos um campo" in alert(send(ana, place.webhook, kind="montado", **{"try": ""}))
    send(ana, place.webhook, answer=400, kind="xml")


def test_who_looks_at_the_last_events_is_written_down(
    app: Flask, ana: Browser, place: Place
) -> None:
    arrive(app, place.company, CALL, CALL)
    send(ana, place.webhook, kind="nativo", **{"try": ""})
    seen = rows(app, "SELECT subject FROM audit WHERE action = 'payload_viewed'")
    assert {each[0] for each in seen} == {f"evt_{number:032x}" for number in (1, 2)}
