"""The panel of a connection: a word, a drawing and a colour for each state, and never a lie."""

from __future__ import annotations

import re
import time

import pytest
from flask import Flask

from tests.support.application import rows
from tests.web.conftest import Place
from tests.web.support.browser import Browser
from tests.web.support.sockets import DEAD_MS, connection, execute, owner
from webhookproxy.models.companies import OWNER_DIED
from webhookproxy.reasons import ConnectionReason, ConnectionState
from webhookproxy.web.connection import gaps

HOUR_MS = 3_600_000


def now_ms() -> int:
    return int(time.time() * 1000)


def panel_of(browser: Browser, place: Place) -> str:
    page = browser.get(f"/empresas/company_{place.company}").text
    return page[page.index('id="conexao"') : page.index('id="titulo-webhooks"')]


def badge_of(panel: str) -> tuple[str, str, bool]:
    """The word, the colour, and whether it turns."""
    found = re.search(
        r'class="state is-(\w+)( spins)?">.*?</svg><span>([^<]+)</span>', panel, re.DOTALL
    )
    assert found, panel
    return found[3], found[1], found[2] is not None


@pytest.mark.parametrize(
    ("wished", "state", "reason", "shown", "button"),
    [
        (True, "connected", "accepted", ("Conectada", "green", False), "Desconectar"),
        (False, "disconnected", "not_wished", ("Desconectada", "grey", False), "Conectar"),
        (True, "connecting", "wished", ("Conectando…", "blue", True), "Desconectar"),
        # The wish is newer than what the owner wrote.
        (True, "disconnected", "not_wished", ("Conectando…", "blue", True), "Desconectar"),
        (False, "connected", "accepted", ("Desconectando…", "grey", True), "Conectar"),
        (False, "disconnecting", "unwished", ("Desconectando…", "grey", True), "Conectar"),
        (True, "reconnecting", "dropped", ("Reconectando", "amber", False), "Desconectar"),
        (True, "token_refused", "kicked", ("Token recusado", "red", False), "Desconectar"),
    ],
)
def test_every_state_has_its_word_its_look_and_its_button(
    wished: bool,
    state: str,
    reason: str,
    shown: tuple[str, str, bool],
    button: str,
    app: Flask,
    beto: Browser,
    place: Place,
) -> None:
    owner(app)
    heard = now_ms() + 1000
    connection(app, place.company, state, reason, wished=wished, events=1, last_event_at=heard)
    panel = panel_of(beto, place)
    assert badge_of(panel) == shown
    assert re.search(rf"<button[^>]*>.*</svg> {button}</button>", panel)
    assert "desde " in panel


@pytest.mark.parametrize("reason", list(ConnectionReason))
@pytest.mark.parametrize("state", [ConnectionState.RECONNECTING, ConnectionState.CONNECTED])
def test_every_reason_is_said_and_nothing_is_left_to_fill_in(
    state: str, reason: str, app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    soon = now_ms() + 30_000
    connection(app, place.company, state, reason, next_attempt_at=soon)
    said = re.search(r'<p class="say"><strong>(.+?)</strong>(.+?)</p>', panel_of(beto, place), re.S)
    assert said
    assert "{" not in said[0]
    assert said[1].endswith(".")


def test_what_3c_plus_said_when_it_refused_is_shown_and_escaped(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    state, reason = ConnectionState.RECONNECTING, ConnectionReason.SERVER_REFUSED
    connection(app, place.company, state, reason, answer="Internal <b>error</b>")
    assert "A 3C Plus respondeu: “Internal &lt;b&gt;error&lt;/b&gt;”." in panel_of(beto, place)
    connection(app, place.company, state, ConnectionReason.DROPPED, answer="Internal error")
    assert "respondeu" not in panel_of(beto, place)


@pytest.mark.parametrize("age_ms", [DEAD_MS, 3 * HOUR_MS])
def test_nothing_is_green_on_an_old_heartbeat(
    age_ms: int, app: Flask, beto: Browser, place: Place
) -> None:
    owner(app, age_ms)
    connection(app, place.company, "connected", "accepted")
    # On the company's own page a webhook that is switched on is green; its connection is not.
    for address in ("/", "/empresas"):
        assert "is-green" not in beto.get(address).text, address
    assert badge_of(panel_of(beto, place)) == ("Conectando…", "blue", True)


def test_what_an_earlier_owner_wrote_is_not_green(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    connection(app, place.company, "connected", "accepted", fence=6)
    assert badge_of(panel_of(beto, place))[1] != "green"


def test_a_connection_without_an_event_yet_says_so(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    connection(app, place.company, "connected", "accepted")
    assert badge_of(panel_of(beto, place))[0] == "Conectada, nenhum evento ainda"


def test_packets_that_could_not_be_read_are_told(app: Flask, beto: Browser, place: Place) -> None:
    owner(app)
    connection(app, place.company, "connected", "accepted", malformed=2)
    assert "2 pacotes que a 3C Plus enviou não puderam ser lidos" in panel_of(beto, place)


def test_the_buttons_wish_and_a_second_press_changes_nothing(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    address = f"/empresas/company_{place.company}"
    for _ in range(2):
        assert beto.post(f"{address}/conectar").location == address
    assert badge_of(panel_of(beto, place))[0] == "Conectando…"
    query = "SELECT should_connect FROM companies WHERE id = :id"
    assert rows(app, query, id=place.company) == [(1,)]
    beto.post(f"{address}/desconectar")
    assert rows(app, query, id=place.company) == [(0,)]
    wishes = "SELECT action FROM audit WHERE action LIKE '%connect' ORDER BY id"
    assert rows(app, wishes) == [("connect",), ("disconnect",)]


def test_a_company_that_was_never_connected_says_so(beto: Browser, place: Place) -> None:
    panel = panel_of(beto, place)
    assert badge_of(panel) == ("Ainda não conectada", "grey", False)
    assert "Esta empresa ainda não foi conectada." in panel
    assert "desde" not in panel
    page = beto.get(f"/empresas/company_{place.company}").text
    assert "as lacunas contam a partir da primeira conexão" in page
    assert "Nenhuma lacuna" not in page


@pytest.mark.parametrize(
    ("note", "over", "said"),
    [
        (None, True, "Nosso serviço foi reiniciado."),
        (None, False, "Nosso serviço está reiniciando."),
        (OWNER_DIED, True, "Nosso serviço parou de repente e voltou."),
        (OWNER_DIED, False, "Nosso serviço parou de repente."),
    ],
)
def test_a_gap_that_is_over_is_not_said_to_go_on_and_a_crash_is_no_restart(
    app: Flask, beto: Browser, place: Place, note: str | None, over: bool, said: str
) -> None:
    put_gap(app, place, ConnectionReason.OWNER_GONE, note, over=over)
    page = beto.get(f"/empresas/company_{place.company}").text
    assert said in page[page.index("titulo-lacunas") :]


def test_a_list_of_gaps_that_is_cut_says_so(
    app: Flask, beto: Browser, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "GAPS_MAX", 1)
    for _ in range(2):
        put_gap(app, place, ConnectionReason.DROPPED, None, over=True)
    page = beto.get(f"/empresas/company_{place.company}").text
    assert "Mostramos as 1 mais recentes: houve outras antes" in page


def put_gap(app: Flask, place: Place, reason: str, note: str | None, *, over: bool) -> None:
    execute(
        app,
        "INSERT INTO gaps (company_id, started_at, ended_at, reason, note)"
        " VALUES (:company, :began, :ended, :reason, :note)",
        company=place.company,
        began=now_ms() - HOUR_MS,
        ended=now_ms() if over else None,
        reason=reason,
        note=note,
    )


def test_gaps_of_a_day_are_listed_and_drawn(app: Flask, beto: Browser, place: Place) -> None:
    from tests.web.support.sockets import execute

    now = now_ms()
    for began, ended in (
        (now - 2 * HOUR_MS, now - HOUR_MS),
        (now - 60 * HOUR_MS, now - 50 * HOUR_MS),
    ):
        execute(
            app,
            "INSERT INTO gaps (company_id, started_at, ended_at, reason)"
            " VALUES (:company, :began, :ended, 'dropped')",
            company=place.company,
            began=began,
            ended=ended,
        )
    page = beto.get(f"/empresas/company_{place.company}").text
    assert "1 lacuna nas últimas 24 horas" in page
    assert "(1 h sem socket)" in page
    assert "ela não reenvia" in page


def test_a_gap_whose_events_the_server_sent_again_says_so_and_tells_of_no_loss(
    app: Flask, beto: Browser, place: Place
) -> None:
    put_gap(app, place, ConnectionReason.DROPPED, None, over=True)
    execute(app, "UPDATE gaps SET recovered = TRUE")
    for path, loss in (("", "ela não reenvia"), ("/mes", None), ("/diagnostico", "não reenvia")):
        page = beto.get(f"/empresas/company_{place.company}{path}").text
        assert "caiu. Recuperada pelo servidor: a 3C Plus reenviou os eventos." in page
        assert loss is None or loss not in page
    put_gap(app, place, ConnectionReason.DROPPED, None, over=True)
    page = beto.get(f"/empresas/company_{place.company}").text
    assert "durante as outras lacunas não chega: ela não reenvia" in page
    assert "2 lacunas nas últimas 24 horas, 1 recuperada pelo servidor" in page
    assert page.count('class="timeline-gap"') == 1
    assert page.count('class="timeline-gap is-recovered"') == 1


def test_a_company_with_one_socket_only_is_told_what_that_costs(
    app: Flask, beto: Browser, place: Place
) -> None:
    owner(app)
    said = "A 3C Plus aceita uma conexão por token"
    connection(app, place.company, "connected", "accepted")
    assert said not in panel_of(beto, place)
    connection(app, place.company, "connected", "accepted", one_socket_at=now_ms() - HOUR_MS)
    assert said in panel_of(beto, place)
