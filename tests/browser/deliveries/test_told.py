"""A person gives an address, reads there that a receiver is gone, and that it is back."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import Page, expect

from tests.alerts.channels.mail_process import MailProcess, parsed
from tests.browser.acting.receiver import Receiver, accepts
from tests.browser.acting.visitor import EMAIL, address, log_in
from tests.browser.conftest import flask, register
from tests.support.application import wait_until
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess

EVENT = "call-was-created"
WAITED = 6


def is_gone(_body: bytes) -> tuple[int, bytes]:
    return 410, b"fora do ar, ligue para (11) 91234-5678"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailProcess]:
    certificate = tmp_path / "mail.pem"
    issued = trustme.CA().issue_cert("mail.example")
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    with MailProcess(certificate) as mail:
        yield mail


@pytest.fixture
def server(
    database_url: str, tmp_path: Path, simulator: SimulatorProcess, mail: MailProcess
) -> Iterator[ServerProcess]:
    settings = {
        "SOCKET_URL": simulator.url,
        "SMTP_URL": f"smtp://127.0.0.1:{mail.plain}",
        "SMTP_FROM": "avisos@relay.example",
    }
    with ServerProcess(database_url, tmp_path, **settings) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_person_is_told_that_a_receiver_is_gone_and_that_it_is_back(
    page: Page,
    database_url: str,
    server: ServerProcess,
    simulator: SimulatorProcess,
    receiver: Receiver,
    mail: MailProcess,
    token: str,
) -> None:
    register(database_url, simulator, token)
    flask(database_url, "webhook", "create", "company_1", "CRM", receiver.url)
    flask(database_url, "company", "connect", "company_1")
    simulator.wait_for_sockets(token)
    emit(simulator, token, "antes")
    wait_until(lambda: receiver.bodies, 15, "the first event arrived")
    log_in(page, server)
    confirm_address(page, server, mail)

    receiver.answer = is_gone
    for number in range(WAITED):
        emit(simulator, token, f"call-{number}")
    let_pass(database_url, "alerts", "since", "opened_at")
    subject, text = letter(mail, 2)
    assert subject == "Webhook pausado pelo 410: CRM (Minha Empresa)"
    assert "CRM (Minha Empresa): sua URL respondeu que não existe mais (status 410)" in text
    link = re.search(r"http://\S+", text)
    assert link
    page.goto(link[0])
    expect(page.locator("h1")).to_contain_text("CRM")

    receiver.answer = accepts
    page.locator("#retomar").click()
    page.get_by_role("button", name="Retomar").click()
    let_pass(database_url, "alerts", "closed_at")
    subject, text = letter(mail, 3)
    assert subject == "Resolvido: Webhook pausado pelo 410: CRM (Minha Empresa)"
    assert f"{WAITED} eventos esperaram" in text
    # Nothing that the receiver said, and no message more than these three.
    told = "".join(each["content"] for each in mail.letters)
    assert "91234" not in told
    assert "ligue" not in told
    assert len(mail.letters) == 3


def confirm_address(page: Page, server: ServerProcess, mail: MailProcess) -> None:
    """Type an address, and press the button behind the link that is sent to it."""
    page.goto(address(server, "/avisos"))
    page.get_by_label("Canal").select_option("email")
    page.get_by_role("textbox", name="Endereço").fill(EMAIL)
    page.get_by_role("button", name="Adicionar").click()
    expect(page.get_by_text("Nenhum endereço está confirmado")).to_be_visible()
    _, text = letter(mail, 1)
    link = re.search(r"http://\S+", text)
    assert link
    page.goto(link[0])
    page.get_by_role("button", name="Confirmar").click()
    expect(page.locator("h1")).to_contain_text("Confirmado")


def emit(simulator: SimulatorProcess, token: str, call: str) -> None:
    """Emit an event with an ordering key of its own."""
    payload = {"call": {"telephony_id": call}}
    simulator.control("emit", token=token, event=EVENT, args=[payload])


def letter(mail: MailProcess, number: int) -> tuple[str, str]:
    """Return the subject and the text of the e-mail with this number, as soon as it came."""
    got = parsed(mail.wait_for(number, 60)[number - 1])
    return got["Subject"], got.get_content().replace("\r\n", "\n")


def let_pass(database_url: str, table: str, *columns: str) -> None:
    """Have ten minutes pass since these moments, once they are written down."""
    changes = ", ".join(f"{each} = {each} - 600000" for each in columns)
    known = " AND ".join(f"{each} IS NOT NULL" for each in columns)
    statement = f"UPDATE {table} SET {changes} WHERE {known}"

    def is_changed() -> bool:
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=10)) as database, database:
            return database.execute(statement).rowcount > 0

    wait_until(is_changed, 60, f"{table} with {known}")
