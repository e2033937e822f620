"""What a user is told of, in all companies and in one."""

from __future__ import annotations

from flask import Flask

from tests.support.application import rows
from tests.web.alerts.audited import audited
from tests.web.conftest import Place
from tests.web.support.browser import Browser


def test_what_is_watched_is_chosen_for_all_companies_and_for_one(
    app: Flask, ana: Browser, beto: Browser, place: Place
) -> None:
    everywhere, one = "/avisos/acompanhar", f"/avisos/acompanhar/company_{place.company}"
    assert "Disco quase cheio" in ana.get(everywhere).text
    page = beto.get(everywhere).text
    assert "Disco quase cheio" not in page
    assert "Em branco: 5 min." in page
    fields = beto.fields(everywhere)
    wrong = {**fields, "silence_minutes": "1,5", "gap_minutes": "99999"}
    assert "2 pontos" in beto.send(everywhere, wrong, 200).text
    chosen = {**fields, "silence_choice": "off", "connection_lost_minutes": "15"}
    beto.send(everywhere, chosen, 303)
    page = beto.get(one).text
    assert "Em branco: 15 min." in page
    assert "Como em todas (não avisar)" in page
    beto.send(one, {**beto.fields(one), "silence_choice": "on"}, 303)
    stored = rows(
        app, "SELECT company_id, condition, is_on, minutes FROM alert_watches ORDER BY id"
    )
    assert [tuple(each) for each in stored] == [
        (None, "connection_lost", 1, 15),
        (None, "silence", 0, None),
        (place.company, "silence", 1, None),
    ]
    # Saved again without a change nothing is written; as usual, the row goes.
    beto.send(one, {**beto.fields(one), "silence_choice": "usual"}, 303)
    assert len(rows(app, "SELECT 1 FROM alert_watches")) == 2
    beto.get(f"/avisos/acompanhar/company_{place.other_company}", 404)
    assert audited(app) == [
        ("alerts_changed", "connection_lost silence"),
        ("alerts_changed", "silence"),
        ("alerts_changed", "silence"),
    ]
    assert "Conexão perdida, Conectada, mas sem eventos" in ana.get("/auditoria").text
