"""A user at every page: the right use, and every mistake that contains a secret."""

from __future__ import annotations

import re
import socket
from contextlib import closing, suppress
from typing import Any

from flask import Flask

from tests.api.walk import operations
from tests.canaries.marks import (
    AUTH,
    OWN_HEADER,
    PHONE,
    PHONE_SHOWN,
    SECRET,
    TOKEN,
    URL_KEY,
    shows_the_phone,
)
from tests.canaries.stage import (
    ANA,
    BETO,
    LENA,
    METRICS_TOKEN,
    MISTAKEN,
    PASSWORD,
    TYPED,
    WRONG,
    Stage,
    code_of,
    filled,
)
from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.addresses import is_of_api
from tests.web.support.browser import form_fields
from tests.web.support.served import Heard, Served

WEBHOOK, OTHER = "/webhooks/webhook_1", "/webhooks/webhook_2"
IDS: dict[str, Any] = {
    "company_id": 2,
    "webhook_id": 2,
    "user_id": 2,
    "resend_id": 1,
    "guest_id": 1,
    "address_id": 1,
    "token_id": 1,
    "key": "bitrix24",
    # No link's: the real one is opened apart.
    "token": "AAAAAAAAAAAAAAAAAAAAAA",
}
# What needs the cookie of a guest, or a link.
FOR_GUESTS = (
    "guests.show",
    "guests.month",
    "guests.watch",
    "forgotten.choose",
    "alert_confirming.show",
    "recordings.hear",
)
# What needs a token of its own.
FOR_PROGRAMS = ("metrics.show",)
# Endpoints that end something come last, and parts before the whole.
LAST = (
    "deliveries.give_up",
    "privacy.expunge",
    "webhooks.delete",
    "users.delete",
    "company_editing.delete",
    "login.leave",
)


def delivery_ids(app: Flask) -> list[int]:
    """Return the numbers of all deliveries, in their order."""
    return [row.id for row in rows(app, "SELECT id FROM deliveries ORDER BY id")]


def addresses(app: Flask, method: str, given: dict[str, Any] = IDS) -> dict[str, str]:
    """Return the pages by endpoint, in an order in which all can be asked; with these ids."""
    event = rows(app, "SELECT public_id FROM events ORDER BY id LIMIT 1")
    # At the end none may be left.
    ids = {
        **given,
        "public_id": event[0][0] if event else "evt_1",
        "delivery_id": next(iter(delivery_ids(app)), 1),
    }
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        found = {
            rule.endpoint: urls.build(rule.endpoint, {name: ids[name] for name in rule.arguments})
            for rule in app.url_map.iter_rules()
            if method in (rule.methods or ()) and rule.endpoint != "static" and not is_of_api(rule)
        }
    return dict(
        sorted(
            found.items(), key=lambda each: ("", *LAST).index(each[0] if each[0] in LAST else "")
        )
    )


def first_visit(stage: Stage) -> None:
    """Return the first administrator, after every mistake at the login."""
    visitor = stage.browser()
    fields = {"email": ANA, "password": PASSWORD, "repeated": PASSWORD}
    visitor.post("/primeiro-acesso", 200, **fields, code=MISTAKEN)
    right = {**fields, "code": code_of(stage.app)}
    visitor.post("/primeiro-acesso", 200, **{**right, "repeated": WRONG})
    visitor.post("/primeiro-acesso", 200, **{**right, "email": MISTAKEN})
    visitor.post("/primeiro-acesso", 303, **right)


def mistakes_at_the_door(stage: Stage) -> None:
    visitor = stage.browser()
    for email in (ANA, MISTAKEN, f"{MISTAKEN}@", PHONE, PHONE_SHOWN):
        visitor.post("/entrar", 200, email=email, password=WRONG)
    visitor.get(f"/entrar?password={MISTAKEN}")


def walk(stage: Stage, ana: Served) -> None:
    """Ask for every page, as every user."""
    beto, visitor = stage.logged_in(BETO), stage.browser()
    for endpoint, address in addresses(stage.app, "GET").items():
        is_open = ana.client.get(address).status_code < 400
        assert is_open or endpoint in ("login.show", *FOR_GUESTS, *FOR_PROGRAMS), endpoint
        beto.client.get(address)
        visitor.client.get(address)


def programs(stage: Stage) -> None:
    """Ask for the metrics, with the token and with others."""
    visitor = stage.browser()
    for token, status in ((METRICS_TOKEN, 200), (f"{METRICS_TOKEN}x", 401), (TOKEN, 401)):
        answer = visitor.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


def reader(stage: Stage, ana: Served) -> None:
    """Ask for every page as a reader of the first company: the phone is on none of them."""
    fields = filled(ana.fields("/usuarios/novo"))
    made = {"email": LENA, "role": "leitor", "companies": ["1"], "password": PASSWORD}
    ana.send("/usuarios/novo", {**fields, **made}, 303)
    # This login's answers are looked at below; what another one did first was only logging in.
    stage.logged_in(LENA)
    heard: list[Heard] = []
    lena = Served(stage.app, stage.server.port, heard)
    lena.post("/entrar", 303, email=LENA, password=PASSWORD)
    # Company 1 has the event with the phone.
    first = {**IDS, "company_id": 1, "webhook_id": 1}
    for address in addresses(stage.app, "GET", first).values():
        lena.client.get(address)
    shown = {each.endpoint for each in heard if each.status == 200}
    assert {"events.show", "events.index", "deliveries.show", "webhooks.show"} <= shown
    assert [each.path for each in heard if shows_the_phone(each.text)] == []


def every_form(stage: Stage, ana: Served) -> None:
    """Send every form with a wrong token, with invalid fields, and unchanged."""
    pages = addresses(stage.app, "GET")
    for endpoint, address in addresses(stage.app, "POST").items():
        page = ana.client.get(pages[endpoint]).text if endpoint in pages else ""
        fields = filled(form_fields(page)) if "<form" in page and "<main" in page else {}
        ana.send(address, {**TYPED, **fields, "csrf_token": WRONG}, 400)
        if endpoint not in LAST:
            wrong = {name: TYPED.get(name, f"{MISTAKEN} \x07") for name in fields}
            ana.post(address, None, **{**wrong, "csrf_token": ana.token()})
        ana.post(address, None, **{**fields, "csrf_token": ana.token()})


def creations(ana: Served) -> None:
    fields = filled(ana.fields("/empresas/nova"))
    given = {"name": "Nova", "host": "outro", "other_host": "http://127.0.0.1:4010"}
    ana.send("/empresas/nova", {**fields, **given}, 303)
    address = "/empresas/company_2/webhooks/novo"
    url = f"http://127.0.0.1:4009/?key={URL_KEY}"
    fields = {**filled(ana.fields(address)), "name": "Novo", "which": "todos", "url": url}
    fields["header_name-0"] = "X-Api-Key"
    ana.send(address, {**fields, "authorization": f"Token {AUTH}"}, 303)
    recipe = "/empresas/company_2/receitas/pipedrive"
    answers = {**ana.fields(recipe), "token": OWN_HEADER}
    ana.send(recipe, {**answers, "name": ""}, 200)
    ana.send(recipe, answers, 303)


def edits(ana: Served) -> None:
    """Edit a webhook and a company, with mistakes and without."""
    address = f"{WEBHOOK}/editar"
    old = filled(ana.fields(address))
    inside = "http://127.0.0.2:4009/x"
    for changed in (
        # Another host without every secret typed again; then an invalid URL.
        {"url": inside, "secret": ""},
        {"url": inside, "authorization": ""},
        {"url": f"https://me:{MISTAKEN}@127.0.0.1/"},
        {"url": f"ftp://127.0.0.1/{URL_KEY}?key={URL_KEY}"},
        {"authorization": f"{AUTH}\n{AUTH}"},
        {"url": inside, "header_value-0": ""},
        {"header_value-0": f"{OWN_HEADER}\n{OWN_HEADER}"},
        {"header_name-1": "Host", "header_value-1": OWN_HEADER},
        {"timeout": MISTAKEN, "rate_limit": PHONE, "more_events": f"{MISTAKEN} {PHONE_SHOWN}"},
        {"generate_secret": "y"},
    ):
        ana.send(address, {**old, **changed}, 200)
    ana.send(address, {**old, "name": "Mudou"}, 303)
    conflict = ana.send(address, {**old, "name": "Mudou de novo"}, 200)
    assert "Outra pessoa salvou este webhook" in conflict.text
    ana.send(address, {**form_fields(conflict.text), "secret": SECRET}, 303)
    company = "/empresas/company_2/editar"
    old = filled(ana.fields(company))
    for host in (f"https://me:{MISTAKEN}@127.0.0.1", f"https://127.0.0.1/?token={MISTAKEN}"):
        ana.send(company, {**old, "host": "outro", "other_host": host}, 200)
    ana.send(company, {**old, "host": "outro", "other_host": inside, "token": ""}, 200)
    ana.send(company, {**old, "token": f"{TOKEN} {TOKEN}"}, 200)
    ana.send(company, {**old, "name": "Mudou"}, 303)
    assert "Outra pessoa salvou" in ana.send(company, {**old, "name": "De novo"}, 200).text


def made_secrets(stage: Stage, ana: Served) -> None:
    """Let the program make secrets: each is in one answer, and in no other."""
    address = f"{OTHER}/editar"
    fields = {**ana.fields(address), "generate_secret": "y"}
    pages = [ana.send(address, fields, 303).location]
    stage.secret_from(ana.get(pages[0]).text)
    address = f"{OTHER}/trocar-segredo"
    fields = ana.fields(address)
    pages.append(ana.send(address, fields, 303).location)
    stage.secret_from(ana.get(pages[1]).text)
    ana.send(address, fields, 200)
    for page in (*pages, OTHER, address):
        ana.get(page)
    ana.post(f"{OTHER}/encerrar-segredo-antigo")
    fields = ana.fields("/usuarios/novo")
    made = {**fields, "email": "eva@exemplo.com.br", "generate_password": "y"}
    stage.secret_from(ana.send("/usuarios/novo", made, 200).text)


def guests(stage: Stage, ana: Served) -> None:
    """Make a guest's link, use it, and look at it again; make one for a forgotten password.

    Open a link to a recording.
    """
    address = "/empresas/company_1/convidados"
    page = ana.send(address, {**ana.fields(address), "name": "gerente"}, 200).text
    found = re.search(r"/convidado/([\w-]{22})<", page)
    assert found, page
    stage.made.append(found[1])
    guest = stage.browser()
    guest.get(f"/convidado/{found[1]}")
    guest.send(f"/convidado/{found[1]}", {"csrf_token": guest.token()}, 303)
    for path in ("/convidado", "/convidado/mes"):
        guest.get(path)
    ana.get(address)
    page = ana.post("/usuarios/user_2/link-de-senha", 200).text
    found = re.search(r"/senha/([\w-]{22})<", page)
    assert found, page
    stage.made.append(found[1])
    stage.browser().get(f"/senha/{found[1]}")
    stage.made.append(stage.recording)
    stage.browser().get(f"/gravacao/{stage.recording}")
    # The setting names no REST for the simulator.
    stage.browser().get(f"/gravacao/{stage.recording}/audio", 502)


def tokens(stage: Stage, ana: Served) -> None:
    """Make a token for programs; ask for all that a program may read, with it and without."""
    fields = {**ana.fields("/conta/tokens"), "name": "script", "scopes": "administer"}
    token = stage.secret_from(ana.send("/conta/tokens", fields, 200).text)
    program = stage.browser().client
    known = rows(stage.app, "SELECT public_id FROM events ORDER BY id LIMIT 1")[0][0]
    found = [
        f"/api/v1{path}"
        for _, method, path in operations(stage.app, Place(1, 1, 2, 2), known)
        if method == "GET"
    ]
    for address in found:
        program.get(address)
        program.get(address, headers={"Authorization": f"Bearer {WRONG}"})
        answer = program.get(address, headers={"Authorization": f"Bearer {token}"})
        # No resend has been asked for yet, and a token without `payloads` gets no payload.
        assert answer.status_code in (200, 403, 404, 429), address


def users(ana: Served) -> None:
    fields = filled(ana.fields("/usuarios/novo"))
    for email in ("", MISTAKEN, f"{MISTAKEN}@{MISTAKEN} ", ANA):
        ana.send("/usuarios/novo", {**fields, "email": email}, 200)
    ana.send("/usuarios/novo", {**fields, "email": BETO, "password": WRONG[:9]}, 200)
    ana.send("/usuarios/novo", {**fields, "email": BETO, "password": PASSWORD}, 303)
    own = filled(ana.fields("/conta"))
    ana.send("/conta", {**own, "current": WRONG}, 200)
    ana.send("/conta", {**own, "repeated": WRONG}, 200)


def running(stage: Stage, ana: Served) -> None:
    """Test, switch, and act on deliveries."""
    for webhook in (WEBHOOK, OTHER):
        for event in ("", "call-was-connected", MISTAKEN, PHONE, f"{MISTAKEN} {PHONE_SHOWN}"):
            ana.post(f"{webhook}/testar", 200, evento=event)
    for act in ("pausar", "simular", "retomar"):
        ana.post(f"{WEBHOOK}/{act}")
    for delivery_id in delivery_ids(stage.app)[:2]:
        delivery = f"/entregas/delivery_{delivery_id}"
        for act in ("tentar", "reenviar", "tentar"):
            ana.post(f"{delivery}/{act}")
        for page in ("", "?tentativa=1", "/corpo", "/ao-vivo"):
            ana.get(f"{delivery}{page}")
    for word in (MISTAKEN, PHONE, PHONE_SHOWN):
        ana.get("/empresas", query_string={"busca": word})
        ana.get("/entregas", query_string={"evento": word})
        ana.get("/auditoria", query_string={"pessoa": word})
        ana.get("/entregas", 404, query_string={"estado": word})
    for number in (MISTAKEN, PHONE, PHONE_SHOWN, f"{PHONE}0"):
        ana.post("/privacidade", 200, number=number)
        ana.post("/privacidade/apagar", 200, number=number)
    ana.get("/auditoria")


def filters(ana: Served) -> None:
    """Filter an event with a phone in it: with invalid conditions, as a trial, and saved."""
    address = f"{WEBHOOK}/filtros/condicoes?evento=call-was-created"
    kept = ana.fields(address)
    for value in (MISTAKEN, PHONE, PHONE_SHOWN, f"{MISTAKEN} \x07"):
        for path in ("phone", f"{MISTAKEN}..{value}"):
            row = {"path": path, "operator": "igual", "value": value}
            ana.send(address, {**kept, **row, "try": ""}, 200)
            ana.send(address, {**kept, **row, "save": ""}, 200)
    ana.get(f"{WEBHOOK}/filtros/condicoes", query_string={"evento": f"{MISTAKEN} {PHONE}"})
    row = {"path": "phone", "operator": "existe", "value": ""}
    tried = form_fields(ana.send(address, {**kept, **row, "try": ""}, 200).text)
    ana.send(address, {**kept, **row, "reviewed": tried["reviewed"], "save": ""}, 303)
    for page in (WEBHOOK, f"{WEBHOOK}/filtros", address):
        ana.get(page)


def expired(stage: Stage) -> None:
    """End the session behind an open form: the typed text waits, without the secrets."""
    for address in (f"{WEBHOOK}/editar", "/empresas/nova", "/usuarios/novo", "/conta"):
        person = stage.logged_in(ANA)
        fields = {**filled(person.fields(address)), "name": "Rascunho"}
        person.client.delete_cookie("session")
        person.send(address, fields, 303)
        person.get("/entrar")
        person.post("/entrar", 303, email=ANA, password=PASSWORD)
        assert "Recuperamos o que você digitou" in person.get(address).text


# Requests that a web server cannot or will not read.
RUBBISH = (
    f"{TOKEN}\r\n\r\n",
    f"POST /entrar?token={TOKEN} HTTP/9.9\r\n\r\n",
    f"{SECRET} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization {AUTH}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: localhost\r\n{TOKEN} : x\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {SECRET}\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {SECRET}\r\n\r\n",
    f"POST /entrar HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
    f"GET /{TOKEN * 400} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTH * 1000}\r\n\r\n",
)


def errors(stage: Stage, ana: Served) -> None:
    """Ask for missing pages, with secrets in the address."""
    ana.get(f"/{TOKEN}", 404)
    ana.get(f"/empresas/{TOKEN}?token={TOKEN}", 404)
    ana.get(f"/entrar?x={SECRET}%00", 400)
    ana.get("/empresas/company_1/conectar", 405, query_string={"token": TOKEN})
    for address in ("/entrar", "/empresas/nova", "/conta", f"{WEBHOOK}/editar"):
        ana.send(address, {**TYPED, "name": "x" * 1_100_000}, 413)
        ana.send(address, {**TYPED}, 400)
    other_host = {"Host": f"{TOKEN}.example.com", "Authorization": AUTH}
    assert ana.client.get("/entrar", headers=other_host).status_code == 400
    for each in RUBBISH:
        with closing(socket.create_connection(("127.0.0.1", stage.server.port), 5)) as sock:
            sock.sendall(each.encode())
            # The server may end the connection without reading all.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65_536):
                    pass


# Faults below the pages, and their repair.
BREAK = {
    "a missing table": (
        "ALTER TABLE audit RENAME TO lost",
        "ALTER TABLE lost RENAME TO audit",
    ),
    "a missing column": (
        "ALTER TABLE companies RENAME COLUMN timezone TO lost",
        "ALTER TABLE companies RENAME COLUMN lost TO timezone",
    ),
    "a state that there is not": (
        "UPDATE webhooks SET state = 'x' || state",
        "UPDATE webhooks SET state = substr(state, 2)",
    ),
    "a token that no key opens": (
        "UPDATE companies SET token = token || 'x'",
        "UPDATE companies SET token = substr(token, 1, length(token) - 1)",
    ),
    "a secret that no key opens": ("UPDATE webhooks SET secret = 'f1:x'", "SELECT 1"),
}


def broken(stage: Stage, ana: Served) -> set[int]:
    """Send the forms again on a database that fails below them; return their answers."""
    forms = (f"{WEBHOOK}/editar", "/empresas/company_1/editar", "/empresas/nova", "/usuarios/novo")
    fields = {address: filled(ana.fields(address)) for address in forms}
    token, answers = ana.token(), set()
    delivery = f"/entregas/delivery_{next(iter(delivery_ids(stage.app)), 1)}"
    for broken, mended in BREAK.values():
        change(stage.app, broken)
        for address, typed in fields.items():
            answers.add(ana.client.get(address).status_code)
            answers.add(ana.client.post(address, data=typed).status_code)
        for address in (f"{WEBHOOK}/testar", f"{OTHER}/trocar-segredo", "/entrar", "/conta"):
            typed = {**TYPED, "csrf_token": token, "email": ANA, "version": "1"}
            answers.add(ana.client.post(address, data=typed).status_code)
        for address in (WEBHOOK, delivery, "/", "/auditoria", "/empresas/company_1"):
            answers.add(ana.client.get(address).status_code)
        change(stage.app, mended)
    return answers


def change(app: Flask, statement: str) -> None:
    store_of(app).run(lambda connection: connection.exec_driver_sql(statement) and None)
