"""A company's page says what was seen of its second socket, and when that is a result."""

from __future__ import annotations

import re

from flask import Flask

from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import connection, execute, owner

# The state, how long ago it began in hours, its counts (paired, unpaired, replayed, displacement);
# and what the page says: a colour, and sentences.
ROWS = (
    ("observing", 3, (0, 0, 0, 0), "blue", ("Segunda conexão: observando",)),
    (
        *("observing", 3, (24_310, 0, 0, 0), "blue"),
        ("24.310 eventos, todos em par, na mesma ordem.", "O resultado vale depois de um dia"),
    ),
    (
        *("observing", 25, (24_310, 0, 0, 0), "green"),
        ("Segunda conexão: igual à primeira", "24.310 eventos, todos em par, na mesma ordem."),
    ),
    (
        *("observing", 25, (24_310, 0, 5, 12), "amber"),
        (
            "Segunda conexão: difere da primeira",
            "24.310 eventos, todos em par; a ordem difere: até 12 lugares.",
            "Mais 5 eventos só para quem acaba de entrar.",
        ),
    ),
    (
        *("observing", 25, (998, 2, 0, 0), "amber"),
        ("2 de 1.000 eventos vieram por uma só, e deviam vir pelas duas.",),
    ),
    (
        *("texts_differ", 1, (0, 8_000, 0, 0), "amber"),
        ("8.000 de 8.000 eventos vieram por uma só: os textos diferem.", "observação encerrada"),
    ),
    ("one_socket", 1, (0, 0, 0, 0), "amber", ("A 3C Plus aceita uma conexão por token",)),
)


def second_of(browser: Browser, place: Place) -> str:
    page = browser.get(f"/empresas/company_{place.company}").text
    found = re.search(r'<div class="card-body second-socket.*?</div>', page, re.DOTALL)
    return found[0] if found else ""


def test_the_page_says_what_was_seen_of_a_second_socket(
    app: Flask, place: Place, ana: Browser
) -> None:
    owner(app)
    connection(app, place.company, state="connected", reason="accepted")
    assert second_of(ana, place) == ""
    execute(app, "UPDATE companies SET observe_second = TRUE, should_connect = TRUE")
    assert "Segunda conexão: esperando" in second_of(ana, place)
    for state, hours, counts, colour, sentences in ROWS:
        execute(app, "DELETE FROM second_sockets")
        execute(
            app,
            "INSERT INTO second_sockets SELECT id, began, began, :state, 1, :paired, :unpaired,"
            " :replayed, :displacement FROM (SELECT id, created_at - :ago AS began FROM companies)"
            " AS c",
            state=state,
            ago=hours * 3_600_000,
            **dict(zip(("paired", "unpaired", "replayed", "displacement"), counts, strict=True)),
        )
        shown = second_of(ana, place)
        assert f"second-socket is-{colour}" in shown, (state, counts)
        for sentence in sentences:
            assert sentence in shown, (state, counts)
    # Its owner died: what it wrote last is not how it is.
    execute(app, "UPDATE second_sockets SET state = 'observing'")
    connection(app, place.company, state="reconnecting", reason="dropped")
    assert "Segunda conexão: esperando" in second_of(ana, place)
