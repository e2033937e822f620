"""The whole way of an alert: an address is confirmed, a receiver breaks, and is repaired."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Page, expect

from tests.alerts.channels.mail_process import MailProcess, parsed
from tests.browser.acting.receiver import Receiver, accepts
from tests.browser.acting.visitor import address, log_in
from tests.browser.conftest import OpenContext, connect, stored
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

ANA = "ana@exemplo.com.br"
EVENTS = 3
# The times of everything that a message tells of.
MOMENTS = {
    "alerts": ("since", "opened_at", "closed_at"),
    "outages": ("began_at", "ended_at"),
    "events": ("received_ms",),
    "deliveries": ("born_ms", "ended_ms"),
}
# The longest that anything here waits for, on a busy machine.
SOON = 60.0


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailProcess]:
    """A real mail server."""
    certificate = tmp_path / "mail.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    with MailProcess(certificate) as mail:
        yield mail


@pytest.fixture
def server(
    database_url: str, tmp_path: Path, simulator: SimulatorProcess, mail: MailProcess
) -> Iterator[ServerProcess]:
    """The server, which sends its e-mails through the mail server."""
    settings = {
        "SOCKET_URL": simulator.url,
        "SMTP_URL": f"smtp://127.0.0.1:{mail.plain}",
        "SMTP_FROM": "avisos@relay.example",
    }
    with ServerProcess(database_url, tmp_path, **settings) as server:
        yield server


def wait_for_alert(database_url: str, column: str) -> None:
    """Wait until the alert has begun, or is over, as its column says."""
    there = f"SELECT count(*) FROM alerts WHERE {column} IS NOT NULL"
    wait_until(lambda: stored(database_url, there) == 1, SOON, f"an alert is {column}")


def let_a_minute_pass(database_url: str) -> None:
    """Move everything that happened back by a minute: the server's clock cannot be moved.

    A message waits 20 s for alerts that are alike, and an account a minute for a relapse.
    """
    for table, columns in MOMENTS.items():
        moved = ", ".join(f"{each} = {each} - 60000" for each in columns)
        stored(database_url, f"UPDATE {table} SET {moved}")


def newest(mail: MailProcess, count: int) -> tuple[str, str]:
    """The subject and the text of the newest e-mail, once there are so many."""
    letter = parsed(mail.wait_for(count, SOON)[count - 1])
    assert letter["To"] == ANA
    return str(letter["Subject"]), letter.get_content()


def give_address(page: Page, server: ServerProcess, mail: MailProcess, reader: Page) -> None:
    """Type an address, and confirm it with the button behind the link of its e-mail."""
    page.goto(address(server, "/avisos"))
    page.get_by_role("textbox", name="Endereço").fill(ANA)
    page.get_by_role("button", name="Adicionar").click()
    expect(page.locator(".state")).to_have_text("Falta confirmar")
    subject, text = newest(mail, 1)
    assert subject == "Confirme que quer receber avisos aqui"
    link = re.search(r"/avisos/confirmar/\S+", text)
    assert link, text
    # The reader of the mail need not be logged in.
    reader.goto(address(server, link[0]))
    reader.get_by_role("button", name="Confirmar").click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("Confirmado")
    page.reload()
    expect(page.locator(".state")).to_have_text("Confirmado")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_way_from_an_address_to_the_message_that_it_is_over(
    page: Page,
    open_context: OpenContext,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    token: str,
    receiver: Receiver,
    mail: MailProcess,
) -> None:
    connect(database_url, simulator, token, receiver)
    log_in(page, server)
    give_address(page, server, mail, open_context().new_page())
    page.goto(address(server))
    expect(page).to_have_title("Painel · webhookproxy")

    receiver.answer = lambda _body: (410, b"canary-text-of-a-receiver")
    for _ in range(EVENTS):
        simulator.control("emit", token=token, event="agent-is-idle")
    wait_for_alert(database_url, "opened_at")
    let_a_minute_pass(database_url)
    subject, text = newest(mail, 2)
    assert subject == "Webhook pausado pelo 410: CRM (Minha Empresa)"
    assert "CRM (Minha Empresa): sua URL respondeu que não existe mais (status 410)" in text
    link = re.search(r"http://\S+/webhooks/webhook_1", text)
    assert link, text
    # The tab of the open page says it too.
    expect(page).to_have_title("(1) Painel · webhookproxy")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-problem"))

    receiver.answer = accepts
    # The link of the message leads to where it is mended.
    page.goto(link[0])
    page.locator("#retomar").click()
    page.get_by_role("button", name="Retomar").click()
    wait_for_alert(database_url, "closed_at")
    let_a_minute_pass(database_url)
    subject, text = newest(mail, 3)
    assert subject == "Resolvido: Webhook pausado pelo 410: CRM (Minha Empresa)"
    assert f"{EVENTS} eventos esperaram" in text
    assert f"{EVENTS} entregues, 0 perdidos" in text
    page.goto(address(server, "/empresas/company_1/avisos"))
    expect(page.locator(".told-list li")).to_have_text(
        [re.compile("começo: avisado a você"), re.compile("fim: avisado a você")]
    )
    # Nothing that the receiver said, and no message more than these three.
    assert len(mail.letters) == 3
    assert not [each for each in mail.letters if "canary" in each["content"]]
