"""Seven ways to fail: the first sentence of each webhook is its own cause."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme
from playwright.sync_api import Page, expect

from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import flask, register, stored
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess, free_port
from tests.support.simulator_process import SimulatorProcess

EVENTS = 8
# How many webhooks the server has noted failures of.
NOTED = (
    "SELECT count(*) FROM webhook_health"
    " WHERE circuit_opened_at IS NOT NULL OR refusing_since IS NOT NULL OR failures >= 3"
)
# Failures that are about single events count as failing after a minute without a success.
A_MINUTE_AGO = "UPDATE webhook_health SET failures_since = failures_since - 60000"
CAUSES = {
    "certificado": "O certificado HTTPS do servidor não é de uma autoridade reconhecida, desde",
    "nome": "URL não acessível: o nome do domínio não resolve (não foi encontrado), desde",
    "porta": "URL não acessível: o servidor recusa a conexão, desde",
    "redireciona": "A URL redireciona para https://final.example/hook (status 302), desde",
    "recusa": "Sua URL recusa os eventos com status 404, desde",
    "erro": "Sua URL responde com erro: status 500, desde",
    "demora": "Sua URL demora demais para responder, desde",
}


class _Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/demora":
            time.sleep(3)
        status = {"/redireciona": 302, "/recusa": 404, "/erro": 500}.get(self.path, 200)
        body = b'{"error":"banco de dados fora do ar"}\nmais'
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "https://final.example/hook")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # A client whose time was over has closed the connection.
        with suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer on a port; with a certificate if there is a context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def urls() -> Iterator[dict[str, str]]:
    """The URL of each way to fail."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with listening() as port, listening(context) as secure:
        base = f"http://127.0.0.1:{port}"
        yield {
            "certificado": f"https://127.0.0.1:{secure}/",
            "nome": "http://nao-existe.invalid/",
            "porta": f"http://127.0.0.1:{free_port()}/",
            **{path: f"{base}/{path}" for path in ("redireciona", "recusa", "erro", "demora")},
        }


def look(page: Page, name: str) -> None:
    if folder := os.environ.get("LOOK"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_first_sentence_of_seven_failures_is_the_cause_of_each(
    page: Page,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    token: str,
    urls: dict[str, str],
) -> None:
    register(database_url, simulator, token)
    for name, url in urls.items():
        made = ("webhook", "create", "company_1", name, url, "--timeout", "1")
        flask(database_url, *made)
    flask(database_url, "company", "connect", "company_1")
    simulator.wait_for_sockets(token)
    for number in range(EVENTS):
        args = [{"call": {"telephony_id": f"tel-{number}"}}]
        simulator.control("emit", token=token, event="call-was-connected", args=args)
    wait_until(lambda: stored(database_url, NOTED) == len(CAUSES), 60, "every webhook has failed")
    # The server keeps the times of failures in memory: the next one reads those that are moved.
    assert server.terminate() == 0
    stored(database_url, A_MINUTE_AGO)
    with server:
        read_the_causes(page, server)
        told = flask(database_url, "status")
    assert "failing since" in told
    assert "The receiver's certificate is not from a trusted authority." in told


def read_the_causes(page: Page, server: ServerProcess) -> None:
    """Read them on the pages of the company, its diagnosis, the Painel and a webhook."""
    log_in(page, server)
    page.goto(address(server, "/empresas/company_1"))
    rows = page.locator("#webhooks .row-item")
    for name, cause in CAUSES.items():
        row = rows.filter(has=page.get_by_role("link", name=name, exact=True))
        said = row.locator(".say strong").first
        expect(said).to_contain_text(cause)
    look(page, "sete-empresa")
    expect(page.get_by_role("button", name="Testar agora")).to_have_count(len(CAUSES))
    answer = rows.filter(has_text="status 500, desde").locator(".last-answer")
    expect(answer).to_contain_text('HTTP 500 {"error":"banco de dados fora do ar"}')
    page.goto(address(server, "/empresas/company_1/diagnostico"))
    for cause in CAUSES.values():
        expect(page.locator("main")).to_contain_text(cause)
    look(page, "sete-diagnostico")
    page.goto(address(server))
    for title in ("Certificado não reconhecido", "Domínio não encontrado", "Conexão recusada"):
        expect(page.locator("#problemas")).to_contain_text(f"{title} em 1 webhook")
    page.goto(address(server, "/webhooks/webhook_6"))
    expect(page.locator("#situacao .say strong")).to_contain_text(CAUSES["erro"])
    look(page, "sete-webhook")
    page.goto(address(server, "/entregas/tentativas?webhook=webhook_6"))
    expect(page.locator("main")).to_contain_text("banco de dados fora do ar")
    look(page, "sete-tentativas")
    page.goto(address(server, "/webhooks/webhook_6"))
    page.get_by_role("button", name="Testar agora").click()
    expect(page.locator("main")).to_contain_text("Testamos agora com um evento que espera")
