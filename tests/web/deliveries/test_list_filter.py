"""The choices above the list of deliveries."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.application import make_company, make_webhook
from tests.web.support.browser import Browser
from webhookproxy.web.deliveries import list_filter
from webhookproxy.web.events import list_filter as events_filter
from webhookproxy.web.events import pages as events_pages


@pytest.mark.usefixtures("place")
def test_the_filter_says_that_its_choices_are_cut_and_keeps_the_chosen_one(
    app: Flask, ana: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_filter, "CHOICES_MAX", 2)
    last = make_company(app, token="canary-token-of-the-company-0003", name="Última Empresa")
    more = make_webhook(app, last, "http://127.0.0.1:9999/mais", name="Último")
    page = ana.get("/entregas").text
    assert "de 3 empresas aqui: para outra, abra a página dela" in page
    assert "de 3 webhooks aqui: escolha antes a empresa" in page
    for module in (events_filter, events_pages):
        monkeypatch.setattr(module, "CHOICES_MAX", 2)
    events = ana.get(f"/eventos?empresa=company_{last}").text
    assert f'<option value="company_{last}" selected>' in events
    assert "de 3 empresas aqui" in events
    page = ana.get(f"/entregas?webhook=webhook_{more}").text
    assert f'<option value="webhook_{more}" selected>Último</option>' in page
    assert f'<option value="company_{last}" selected>' in page
