"""The page of the server's processes."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.engine.processes.playing import process
from tests.web.support.browser import Browser
from tests.web.support.sockets import execute, owner
from tests.web.support.streams import open_page


@pytest.fixture
def owned(app: Flask) -> Flask:
    """An installation whose process "owner" has the sockets."""
    owner(app)
    execute(app, "UPDATE leases SET holder = 'owner'")
    return app


def test_the_page_says_who_has_the_sockets_and_how_much_each_process_does(
    owned: Flask, ana: Browser
) -> None:
    process(owned, "owner", "owner")
    page = ana.get("/processos").text
    assert "<strong>relay-1</strong> (processo 4321) tem as conexões desde" in page
    assert "Nenhum outro espera" in page
    assert "Cuida de todas as empresas: 11 de 12 conexões abertas." in page
    for figure in ("1.234,5 eventos/s", "entrega 1.200 por segundo", "46 % de um núcleo", "212 MB"):
        assert figure in page
    assert "Dono das conexões" in page
    assert "versões diferentes" not in page

    process(owned, "two", "standby", host="relay-2", version="1.1", memory_bytes=None)
    process(owned, "three", "owner", host="relay-3", ago_ms=60_000, version="0.9")
    page = ana.get("/processos").text
    assert page.count("MB de memória") == 2
    assert "1 outro espera para assumir." in page
    assert "versões diferentes (1.0, 1.1)" in page
    assert page.index("relay-1") < page.index("relay-2") < page.index("relay-3")
    for words in ("Esperando", "Sem sinal", "Parou sem avisar"):
        assert words in page


def test_the_page_says_that_no_process_has_the_sockets_and_that_none_is_there(
    owned: Flask, ana: Browser
) -> None:
    assert "Nenhum processo deu sinal ainda" in ana.get("/processos").text
    process(owned, "old", "owner")
    process(owned, "new", "of a newer version", host="relay-2")
    page = ana.get("/processos").text
    assert "Nenhum processo tem as conexões." in page
    assert "inicie um servidor" in page
    assert "of a newer version" in page


def test_the_page_changes_by_itself_and_ends_for_who_is_no_longer_an_administrator(
    owned: Flask, ana: Browser
) -> None:
    process(owned, "owner", "owner")
    with open_page(ana, "/processos/ao-vivo") as stream:
        process(owned, "two", "standby", host="relay-2")
        html = ""
        # A minute that begins meanwhile changes the page too.
        while "relay-2" not in html:
            said = stream.until("part", "processos")[-1]
            assert said is not None
            html = said[1]["html"]
        execute(owned, "UPDATE users SET is_admin = :no", no=False)
        assert stream.until("over")[-1] == ("over", {})


def test_only_administrators_find_the_way_there(owned: Flask, ana: Browser, beto: Browser) -> None:
    process(owned, "owner", "owner")
    assert 'href="/processos"' in ana.get("/").text
    assert 'href="/processos"' not in beto.get("/").text
    beto.get("/processos", 403)
