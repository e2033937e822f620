from __future__ import annotations

import re

from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from webhookproxy.models.accounts.api_tokens import PREFIX

TOKENS = "/conta/tokens"


def test_a_token_is_shown_once_and_revoked(
    app: Flask, beto: Browser, visitor: Browser, place: Place
) -> None:
    fields = {"name": "faturamento", "days": "30", "scopes": "operate", "companies": place.company}
    page = beto.post(TOKENS, 200, **fields).text
    text = page.split(f'tabindex="0">{PREFIX}')[1].split("<")[0]
    listed = beto.get(TOKENS).text
    assert text not in listed
    assert re.search(r'<a href="/conta"[^>]* aria-current="page">', listed)
    assert "faturamento" in listed
    assert "Ler, Operar" in listed
    assert rows(app, "SELECT scopes, company_ids FROM api_tokens") == [
        ("read operate", f"[{place.company}]")
    ]
    assert visitor.client.get(f"{TOKENS}/token_1/revogar").location == "/entrar"
    beto.get(f"{TOKENS}/token_1/revogar")
    beto.post(f"{TOKENS}/token_1/revogar", 303)
    assert "Revogado" in beto.get(TOKENS).text


def test_a_token_is_no_more_than_its_maker(
    app: Flask, beto: Browser, carla: Browser, lena: Browser, place: Place
) -> None:
    fields = {"name": "x", "days": "30"}
    refused = beto.post(TOKENS, 200, **fields, scopes="administer").text
    assert "Um token não pode mais do que você" in refused
    # Only a company of another operator was ticked: that must not mean all of one's own.
    none = beto.post(TOKENS, 200, **fields, companies=place.other_company).text
    assert "Escolha ao menos uma empresa" in none
    assert rows(app, "SELECT 1 FROM api_tokens") == []
    lena.post(TOKENS, 200, **fields)
    carla.get(f"{TOKENS}/token_1/revogar", 404)
    carla.post(f"{TOKENS}/token_1/revogar", 404)
