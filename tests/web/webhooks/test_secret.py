"""A new signing secret from the page, while the receiver still has the old one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import rows, store_of
from tests.web.conftest import Place
from tests.web.support.browser import Browser, form_fields
from webhookproxy.events.contract import whsec
from webhookproxy.extensions import db
from webhookproxy.models import Webhook
from webhookproxy.models.signing_secrets import ROTATION_HOURS
from webhookproxy.models.webhooks import find_webhook

OLD = "canary-secret"


@pytest.fixture
def page(place: Place) -> str:
    return f"/webhooks/webhook_{place.webhook}"


def stored(app: Flask, place: Place) -> tuple[str | None, str | None]:
    with app.app_context():
        webhook = db.session.get_one(Webhook, place.webhook)
        return webhook.secret, webhook.previous_secret


def rotate(person: Browser, page: str) -> str:
    fields = person.fields(f"{page}/trocar-segredo")
    answer = person.send(f"{page}/trocar-segredo", fields, 303)
    shown = person.get(answer.location).text
    found = re.search(r'id="segredo"[^>]*>([^<]+)<', shown)
    assert found, shown
    assert whsec(found[1]) in shown
    assert "O antigo e o novo assinam até" in shown
    return found[1]


def test_opening_the_confirmation_changes_nothing(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    assert f"{ROTATION_HOURS} horas" in beto.get(f"{page}/trocar-segredo").text
    assert stored(app, place) == (OLD, None)


def test_the_new_secret_is_shown_once_and_both_sign(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    made = rotate(beto, page)
    assert stored(app, place) == (made, OLD)
    for other in (page, f"{page}/trocar-segredo", f"{page}/editar"):
        text = beto.get(other).text
        assert made not in text
        assert OLD not in text
    assert "Troca de segredo em andamento" in beto.get(page).text
    entries = rows(app, "SELECT who, subject, detail FROM audit WHERE action = 'secret_rotated'")
    assert entries == [("beto@exemplo.com.br", f"webhook_{place.webhook}", "")]


def test_a_double_click_shows_the_secret_that_was_stored(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    fields = beto.fields(f"{page}/trocar-segredo")
    beto.send(f"{page}/trocar-segredo", fields, 303)
    made, _ = stored(app, place)
    second = beto.send(f"{page}/trocar-segredo", fields, 303)
    assert stored(app, place) == (made, OLD)
    assert str(made) in beto.get(second.location).text


def test_an_old_confirmation_does_not_lose_the_receivers_secret(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    fields = beto.fields(f"{page}/trocar-segredo")
    made = rotate(beto, page)
    again = beto.send(f"{page}/trocar-segredo", fields, 200).text
    assert "Nada mudou agora" in again
    assert "Já há uma troca em andamento" in again
    assert stored(app, place) == (made, OLD)
    beto.send(f"{page}/trocar-segredo", form_fields(again), 303)
    assert stored(app, place)[1] == made


def test_the_old_one_is_ended_by_a_button(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    made = rotate(beto, page)
    beto.post(f"{page}/encerrar-segredo-antigo")
    text = beto.get(page).text
    assert "agora só o novo assina" in text
    assert "Troca de segredo em andamento" not in text
    assert stored(app, place) == (made, None)
    beto.post(f"{page}/encerrar-segredo-antigo")
    assert "já não assinava" in beto.get(page).text


def test_after_its_time_the_page_speaks_of_it_no_more(
    app: Flask, beto: Browser, page: str, place: Place
) -> None:
    rotate(beto, page)

    def job(session: Session) -> None:
        webhook = find_webhook(session, place.webhook)
        assert webhook.previous_secret_until is not None
        webhook.previous_secret_until -= timedelta(hours=ROTATION_HOURS)

    store_of(app).session(job)
    assert "Troca de segredo em andamento" not in beto.get(page).text


def test_a_webhook_without_a_secret_is_told_to_set_one(carla: Browser, place: Place) -> None:
    address = f"/webhooks/webhook_{place.other_webhook}/trocar-segredo"
    assert "Defina um" in carla.get(address).text
    assert "não tem segredo para trocar" in carla.post(address, 200, version="1").text
    assert "Trocar o segredo" not in carla.get(f"/webhooks/webhook_{place.other_webhook}").text
