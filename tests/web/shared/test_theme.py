"""The colours: a cookie, which the server writes into the page."""

from __future__ import annotations

import pytest

from tests.web.support.browser import Browser


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chosen_theme_is_in_the_page_itself(beto: Browser, theme: str) -> None:
    assert "data-theme" not in beto.get("/").text
    typed = {"csrf_token": beto.token(), "tema": theme}
    before = {"Referer": "http://localhost/eventos?periodo=hoje"}
    answer = beto.client.post("/tema", data=typed, headers=before)
    assert answer.location == "/eventos?periodo=hoje"
    assert f'data-bs-theme="{theme}"' in beto.get("/").text
    beto.post("/tema", tema="")
    assert "data-theme" not in beto.get("/").text


def test_only_a_theme_is_kept_and_only_an_own_page_follows(beto: Browser) -> None:
    answer = beto.post("/tema", tema='dark" onload="x', volta="//evil.example/")
    assert answer.location == "/"
    assert "data-theme" not in beto.get("/").text
    for outside in ("http://evil.example/x", "http://localhost//evil.example"):
        given = {"csrf_token": beto.token(), "tema": "dark"}
        answer = beto.client.post("/tema", data=given, headers={"Referer": outside})
        assert answer.location == "/"
    beto.post("/tema", tema="")
    beto.client.set_cookie("theme", '"><script>')
    assert "<script>" not in beto.get("/").text


def test_a_reader_chooses_too(lena: Browser) -> None:
    lena.post("/tema", tema="dark")
    assert 'data-theme="dark"' in lena.get("/").text
