"""Missing calls are counted first, and recovered when an operator of the company confirms it."""

from __future__ import annotations

from flask import Flask

from tests.support.application import rest_on_loopback, rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import arrived, execute


def test_calls_are_counted_and_then_recovered(
    app: Flask, beto: Browser, carla: Browser, lena: Browser, place: Place
) -> None:
    company = f"/empresas/company_{place.company}"
    address = f"{company}/recuperar"
    # Also on a day without a gap.
    assert f'<a href="{address}">Recuperar ligações' in beto.get(company).text
    assert address not in lena.get(company).text
    page = beto.get(address).text
    assert "Não sabemos em que endereço" in page
    execute(app, "UPDATE companies SET recover_calls = :yes", yes=True)
    assert "isso é feito sozinho" not in beto.get(address).text
    assert '<a href="/empresas" aria-current="page">' in page
    assert "Varredura" not in page
    execute(app, "UPDATE companies SET sweep_calls = :yes", yes=True)
    assert "Última: a primeira começa em até um minuto" in beto.get(address).text
    rest_on_loopback(app)
    beto.post(address, 303, desde="dia")
    assert "Esta empresa ainda não tem eventos" in beto.get(address).text
    arrived(app, place.company, 48, 1)
    beto.post(address, 400, desde="sempre")
    beto.post(address, 303, desde="dia")
    page = beto.get(address).text
    assert "Contando as ligações que faltam aqui…" in page
    assert "Recuperar 3 ligações" not in page
    # A second request waits for the first.
    beto.post(address, 303, desde="hora")
    assert "Já há uma recuperação desta empresa em andamento" in beto.get(address).text
    execute(app, "UPDATE recoveries SET state = 'counted', missing = 3, listed = 9")
    assert "Recuperar 3 ligações" in beto.get(address).text
    for other in (carla, lena):
        other.post(f"{address}/confirmar", 404 if other is carla else 403, pedido="1")
    for asked in ("2", str(10**30), ""):
        beto.post(f"{address}/confirmar", 404, pedido=asked)
    beto.post(f"{address}/confirmar", 303, pedido="1")
    (found,) = rows(app, "SELECT state, asked_by FROM recoveries")
    assert tuple(found) == ("running", "beto@exemplo.com.br")
    (noted,) = rows(app, "SELECT who, detail FROM audit WHERE action = 'calls_recovered'")
    assert tuple(noted) == ("beto@exemplo.com.br", "3")
