"""E-mails, to a real server and to servers that misbehave."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.alerts.channels.mail_process import PASSWORD, USER, MailProcess, parsed
from tests.support.names import answers, let_names_resolve
from tests.support.receiver import Behaviour, Receiver, endless, hang, raw
from webhookproxy.alerts.channels import mail
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.config.mail import MailServer
from webhookproxy.network import dial
from webhookproxy.reasons import AlertError

FROM, ANA = "avisos@empresa.example", "ana@exemplo.com.br"
TOLD = Message(
    id="alert_1.opened",
    kind="alert.opened",
    subject="Padaria São João: o webhook CRM recusa os eventos",
    lines=("O webhook CRM recusa os eventos desde 16:18.", ".Um ponto no começo da linha."),
    link="https://relay.example/empresas/1",
    data={},
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(
    authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MailProcess]:
    certificate = tmp_path_factory.mktemp("mail") / "mail.pem"
    authority.issue_cert("mail.example").private_key_and_cert_chain_pem.write_to_path(certificate)
    with MailProcess(certificate) as server:
        yield server


@pytest.fixture(autouse=True)
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the authority, and have each name lead to this machine."""
    authority.cert_pem.write_to_path(tmp_path / "roots.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    monkeypatch.setattr(dial, "tls_context", dial.tls_context.__wrapped__)
    let_names_resolve(monkeypatch, lambda _host, port, **_named: answers("127.0.0.1", port=port))


def with_starttls(server: MailProcess, host: str = "mail.example") -> MailServer:
    return MailServer(host, server.starttls, has_tls=False, user=USER, password=PASSWORD)


def refusal(server: MailServer | None, to: str = ANA, told: Message = TOLD) -> tuple[str, bool]:
    """Return why an e-mail was not sent, and whether that is final."""
    with pytest.raises(NotSent) as caught:
        mail.send_mail(server, FROM, to, told)
    # Nothing that the server said, and no password.
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    return caught.value.reason, caught.value.is_final


def test_an_email_arrives_whole_over_starttls_with_a_login(server: MailProcess) -> None:
    before = len(server.letters)
    mail.send_mail(with_starttls(server), FROM, ANA, TOLD)
    letter = server.wait_for(before + 1)[-1]
    assert (letter["from"], letter["to"], letter["logged_in"]) == (FROM, [ANA], True)
    assert letter["name"] == "empresa.example"
    got = parsed(letter)
    assert got["Subject"] == TOLD.subject
    assert got["Message-ID"] == "<alert_1-opened@empresa.example>"
    assert got["From"] == f"webhookproxy <{FROM}>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got.get_content().replace("\r\n", "\n") == (
        "O webhook CRM recusa os eventos desde 16:18.\n.Um ponto no começo da linha.\n\n"
        "https://relay.example/empresas/1\n"
    )


def test_it_arrives_over_tls_and_on_this_machine_without(server: MailProcess) -> None:
    before = len(server.letters)
    for way in (
        MailServer("mail.example", server.tls, has_tls=True),
        MailServer("localhost", server.plain, has_tls=False),
        MailServer("127.0.0.1", server.plain, has_tls=False),
    ):
        mail.send_mail(way, FROM, ANA, TOLD)
    assert len(server.wait_for(before + 3)) == before + 3


@pytest.mark.parametrize(
    ("to", "reason", "is_final"),
    [
        ("bounces@exemplo.com.br", AlertError.BOUNCED, True),
        ("later@exemplo.com.br", AlertError.MAIL_DELAYED, False),
        ("heavy@exemplo.com.br", AlertError.MAIL_REFUSED, True),
        ("ana@exemplo.com.br\r\nRCPT TO:<x@y.example>", AlertError.BAD_TARGET, True),
        ("ana@exemplo.com.br>\nBcc: x@y.example", AlertError.BAD_TARGET, True),
    ],
)
def test_a_refused_address_is_told_apart(
    server: MailProcess, to: str, reason: AlertError, is_final: bool
) -> None:
    before = len(server.letters)
    assert refusal(with_starttls(server), to) == (reason, is_final)
    assert len(server.letters) == before


def test_a_name_cannot_become_a_header(server: MailProcess) -> None:
    bad = "Padaria\r\nBcc: todos@exemplo.com.br\r\n\r\nOutro texto\ud800"
    told = replace(TOLD, id="1\r\nX-Id: 2", subject=bad, lines=(f"{bad}\x00",), link=None)
    before = len(server.letters)
    mail.send_mail(with_starttls(server), FROM, ANA, told)
    letter = server.wait_for(before + 1)[-1]
    got = parsed(letter)
    assert letter["to"] == [ANA]
    ours = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"}
    assert set(got) - {"MIME-Version", "Content-Type", "Content-Transfer-Encoding"} == ours
    assert " ".join(got["Subject"].split()) == "Padaria Bcc: todos@exemplo.com.br Outro texto"


def test_what_is_wrong_with_the_server_of_the_settings_is_told_apart(server: MailProcess) -> None:
    good = with_starttls(server)
    assert refusal(None) == (AlertError.NO_CHANNEL, True)
    assert refusal(replace(good, password="wrong")) == (AlertError.LOGIN_REFUSED, True)
    assert refusal(replace(good, user="", password="")) == (AlertError.SENDER_REFUSED, True)
    # Its certificate is for mail.example.
    assert refusal(with_starttls(server, "other.example")) == (AlertError.BAD_CERTIFICATE, False)
    secure = MailServer("other.example", server.tls, has_tls=True)
    assert refusal(secure) == (AlertError.BAD_CERTIFICATE, False)
    # The port of STARTTLS, taken for that of TLS.
    plain = MailServer("mail.example", server.starttls, has_tls=True)
    assert refusal(plain) == (AlertError.NOT_UNDERSTOOD, False)
    # Beyond this machine there is no way without encryption, and no login in the clear.
    bare = replace(good, port=server.plain)
    assert refusal(bare) == (AlertError.NO_ENCRYPTION, True)
    metadata = MailServer("169.254.169.254", 25, has_tls=False)
    assert refusal(metadata) == (AlertError.ADDRESS_NOT_ALLOWED, True)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = MailServer("127.0.0.1", closed.getsockname()[1], has_tls=False)
        assert refusal(refused) == (AlertError.NOT_REACHED, False)


GREETING = b"220 mail.example\r\n"


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (hang(), AlertError.TOO_SLOW),
        (hang(GREETING), AlertError.TOO_SLOW),
        (hang(GREETING + b"250-mail.example\r\n"), AlertError.TOO_SLOW),
        (endless(b"2", every=0.02), AlertError.TOO_SLOW),
        (endless(b"250-more\r\n", GREETING, every=0.02), AlertError.TOO_SLOW),
        (endless(b"250-more\r\n" * 100, GREETING), AlertError.NOT_UNDERSTOOD),
        (endless(b"x" * 1000), AlertError.NOT_UNDERSTOOD),
        (raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), AlertError.NOT_UNDERSTOOD),
        (raw(b"\x00\xff\xfe\r\n" * 9), AlertError.NOT_UNDERSTOOD),
        (raw(b""), AlertError.CONNECTION_LOST),
        (raw(b"220-mail"), AlertError.CONNECTION_LOST),
        (raw(b"554 canary-answer go away\r\n"), AlertError.REFUSED),
        (raw(b"421 canary-answer busy\r\n"), AlertError.MAIL_DELAYED),
    ],
)
def test_a_server_that_misbehaves_ends_in_a_reason(
    greeting: Behaviour, reason: AlertError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "SECONDS", 0.1 if reason is AlertError.TOO_SLOW else 60.0)
    with Receiver(greeting=greeting) as strange:
        started = time.monotonic()
        found, _ = refusal(MailServer("127.0.0.1", strange.port, has_tls=False))
        assert time.monotonic() - started < 30
    assert found == reason


def test_a_server_that_hangs_after_taking_the_email_has_it() -> None:
    replies = [b"220 mail\r\n", b"250 mail\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"]
    quits: list[bytes] = []

    def greeting(sock: socket.socket) -> None:
        lines = sock.makefile("rb")
        for reply in replies:
            sock.sendall(reply)
            line = lines.readline()
        while line != b".\r\n":
            line = lines.readline()
        sock.sendall(b"250 queued\r\n")
        quits.extend(lines)

    with Receiver(greeting=greeting) as server:
        mail.send_mail(MailServer("127.0.0.1", server.port, has_tls=False), FROM, ANA, TOLD)
        until = time.monotonic() + 60
        while not quits and time.monotonic() < until:
            time.sleep(0.01)
    assert quits == [b"quit\r\n"]
