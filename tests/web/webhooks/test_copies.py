"""The form of a webhook that opens with something filled in: a copy, or one more event."""

from __future__ import annotations

from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from tests.web.support.sockets import execute


def test_an_event_that_no_one_asked_for_opens_the_form_ticked(beto: Browser, place: Place) -> None:
    edit = f"/webhooks/webhook_{place.webhook}/editar"
    beto.send(edit, {**beto.fields(edit), "which": "escolhidos", "events": ["agent-is-idle"]}, 303)
    page = beto.get(f"{edit}?evento=call-was-connected").text
    assert "Marcamos <code>call-was-connected</code>" in page
    fields = form_fields(page)
    assert sorted(fields["events"]) == ["agent-is-idle", "call-was-connected"]
    # What the catalogue does not have goes to the other field; what is asked for is not told.
    assert form_fields(beto.get(f"{edit}?evento=new-name").text)["more_events"] == "new-name"
    assert "Marcamos" not in beto.get(f"{edit}?evento=agent-is-idle").text


def test_a_copy_has_the_settings_and_the_filters_and_no_secret(
    app: Flask, ana: Browser, place: Place
) -> None:
    filters = '{"agent-is-idle": [{"path": "a", "operator": "existe", "value": ""}]}'
    execute(app, "UPDATE webhooks SET filters = :f, timeout = 7", f=filters)
    new = f"/empresas/company_{place.company}/webhooks/novo?de=webhook_{place.webhook}"
    page = ana.get(new).text
    assert "Os segredos não são copiados" in page
    assert "canary" not in page
    fields = form_fields(page)
    assert fields["timeout"] == "7"
    assert fields["name"].endswith(" (cópia)")
    ana.send(new, fields, 303)
    query = "SELECT timeout, secret, filters FROM webhooks ORDER BY id DESC LIMIT 1"
    ((timeout, secret, copied),) = rows(app, query)
    assert (timeout, secret) == (7, None)
    assert "existe" in str(copied)


def test_a_copy_is_of_a_webhook_of_the_same_company(ana: Browser, place: Place) -> None:
    new = f"/empresas/company_{place.company}/webhooks/novo"
    ana.get(f"{new}?de=webhook_{place.other_webhook}", 404)
    ana.get(f"{new}?de=webhook_99", 404)
