"""A morning with many problems: the panel names each kind once, with the worst of each."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting.visitor import EMAIL, PASSWORD, log_in
from tests.browser.conftest import OpenContext, flask
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

COMPANIES = 60
REFUSED = 25
GOOD, BAD = "good-token-of-a-company", "bad-token-of-a-company"
# Reason, status, and how many webhooks: twenty of them.
FAILING = (
    ("tls_untrusted", None, 6, "Certificado não reconhecido"),
    ("failed_status", 500, 4, "Erro 500"),
    ("name_not_resolved", None, 3, "Domínio não encontrado"),
    ("refused_status", 404, 3, "Recusa com status 404"),
    ("answer_timeout", None, 2, "Sem resposta a tempo"),
)
SIZES = [(1280, 800), (390, 844)]

_COMPANY = (
    "INSERT INTO companies (name, threec_id, token, token_fingerprint, socket_url, agent_id,"
    " timezone, hide_credentials, should_connect, created_at, version)"
    " SELECT ?, '', token, ?, socket_url, agent_id, timezone, hide_credentials, 1, created_at, 1"
    " FROM companies WHERE id = ?"
)
_CONNECTION = (
    "INSERT INTO connections (company_id, state, reason, since, fence, events, malformed)"
    " SELECT ?, state, reason, since, fence, events, malformed FROM connections"
    " WHERE company_id = 1"
)
_WEBHOOK = (
    "INSERT INTO webhooks (company_id, name, url, state, parallelism, timeout, max_age, paused_ms,"
    " paused_at, paused_reason, created_at, saved_at, version)"
    " SELECT ?, ?, url, ?, parallelism, timeout, max_age, 0, ?, ?, created_at, saved_at, 1"
    " FROM webhooks WHERE id = 1"
)
_HEALTH = (
    "INSERT INTO webhook_health (webhook_id, created, delivered, refused, expired, cancelled,"
    " simulated, circuit_opened_at, next_probe_at, failed_probes, last_error, last_error_status,"
    " last_error_at, failing_since, failures, failures_since, refusing_since, refusing_last_at,"
    " first_attempts, first_refused)"
    " VALUES (?, ?, 0, 0, 0, 0, 0, ?, ?, 0, ?, ?, ?, ?, 9, ?, ?, ?, 15, 5)"
)


def morning(database_url: str) -> None:
    """Store companies and webhooks, of which 45 are in trouble."""
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as database:
        for number in range(3, COMPANIES + 1):
            like = 2 if number <= REFUSED + 1 else 1
            name = f"Central de Atendimento {number:02d} de Guarapuava"
            database.execute(_COMPANY, (name, f"fingerprint-{number}", like))
            database.execute(_CONNECTION, (number,))
        company = COMPANIES
        for reason, status, count, _ in FAILING:
            for place in range(count):
                fails(database, company, reason, status, waiting=100 - place)
                company -= 1
        refuses(database, company)
        is_gone(database, company - 1)
        database.execute("UPDATE companies SET should_connect = 1")
        database.commit()


def fails(
    database: sqlite3.Connection, company: int, reason: str, status: int | None, waiting: int
) -> None:
    """A webhook whose receiver has failed for an hour, and is probed again in another."""
    now = round(time.time() * 1000)
    began, later = now - 3_600_000, now + 3_600_000
    webhook = database.execute(_WEBHOOK, (company, f"CRM {company}", "active", None, None))
    given = (waiting, began, later, reason, status, now, began, began, None, None)
    database.execute(_HEALTH, (webhook.lastrowid, *given))


def refuses(database: sqlite3.Connection, company: int) -> None:
    """A webhook whose receiver refuses a third of the events."""
    now = round(time.time() * 1000)
    webhook = database.execute(_WEBHOOK, (company, f"CRM {company}", "active", None, None))
    given = (0, None, None, "refused_status", 422, now, None, None, now - 3_600_000, now)
    database.execute(_HEALTH, (webhook.lastrowid, *given))


def is_gone(database: sqlite3.Connection, company: int) -> None:
    """A webhook that its receiver's 410 paused."""
    now = round(time.time() * 1000)
    webhook = database.execute(_WEBHOOK, (company, f"CRM {company}", "paused", now, "gone"))
    given = (3, None, None, "gone", 410, now, None, None, None, None)
    database.execute(_HEALTH, (webhook.lastrowid, *given))


def expect_on_the_first_screen(page: Page, text: str) -> None:
    """Wait until this text is seen, once, without scrolling; the part may be drawn again."""
    found = page.locator("#problemas").get_by_text(text, exact=True)
    expect(found).to_have_count(1)
    expect(found).to_be_in_viewport(ratio=1)


def look(page: Page, name: str) -> None:
    if folder := os.environ.get("LOOK"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.slow
def test_of_45_problems_in_60_companies_each_kind_is_named_once_with_its_worst(
    open_context: OpenContext,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
) -> None:
    flask(database_url, "user", "create", EMAIL, "--admin", "--password-stdin", typed=PASSWORD)
    for name, token in (("Alfa", GOOD), ("Beta", BAD)):
        made = ("company", "create", name, "--token", "-", "--socket-url", simulator.url)
        flask(database_url, *made, typed=token)
    flask(database_url, "webhook", "create", "company_1", "Principal", "http://127.0.0.1:9999/")
    assert server.terminate() == 0
    simulator.control("refuse", token=BAD)
    morning(database_url)
    with server:
        for size in SIZES:
            for scheme in ("light", "dark"):
                window = {"width": size[0], "height": size[1]}
                context = open_context(viewport=window, color_scheme=scheme)
                page = context.new_page()
                log_in(page, server)
                expect(page.locator("#problemas h2")).to_contain_text("45 pontos")
                expect(page).to_have_title("(45) Painel · webhookproxy")
                look(page, f"painel-{size[0]}-{scheme}")
                titles = [
                    f"Token recusado em {REFUSED} empresas",
                    "Parte recusada: 422 em 1 webhook",
                ]
                titles += [f"{name} em {count} webhooks" for *_, count, name in FAILING]
                titles.append("URL não existe mais (410) em 1 webhook")
                # The last is the one with the most waiting.
                for title in (*titles, f"CRM {COMPANIES}"):
                    expect_on_the_first_screen(page, title)
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= size[0]
                page.get_by_text(titles[2], exact=True).click()
                expect(page.locator(".row-trouble")).to_have_count(6)
                expect(page.locator(".row-trouble strong").first).to_contain_text(
                    "O certificado HTTPS do servidor não é de uma autoridade reconhecida, desde"
                )
                expect(page.get_by_role("button", name="Testar agora")).to_have_count(6)
                look(page, f"empresas-{size[0]}-{scheme}")
                context.close()
    simulator.control("refuse", token=BAD, refused=False)
