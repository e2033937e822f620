from __future__ import annotations

import pytest

from webhookproxy.config.mail import MailServer, sender, server


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, False)),
        ("smtps://mail.example.com/", MailServer("mail.example.com", 465, True)),
        (
            "smtp://ana%40example.com:a%3Ab@mail.example.com:2525",
            MailServer("mail.example.com", 2525, False, "ana@example.com", "a:b"),
        ),
        ("smtp://127.0.0.1:25", MailServer("127.0.0.1", 25, False)),
        ("smtp://[::1]:25", MailServer("::1", 25, False)),
    ],
)
def test_the_address_of_a_mail_server_is_read(text: str, expected: MailServer) -> None:
    found = server(text)
    assert found == expected
    assert "a:b" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "mail.example.com:25",
        "http://mail.example.com",
        "smtp://:25",
        "smtp://user@mail.example.com",
        "smtp://mail.example.com/path",
        "smtp://mail.example.com?x=1",
        "smtp://mail.example.com:0",
        "smtp://mail.example.com:465",
        "smtp://mail.example.com:99999",
        "smtp://mail .example.com",
        "smtp://user:p%0Dx@mail.example.com",
        "smtp://user:canário@mail.example.com",
    ],
)
def test_another_text_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        server(text)
    assert text not in str(caught.value)


def test_which_server_needs_no_encryption() -> None:
    near = ("127.0.0.1", "127.0.0.2", "::1", "localhost")
    assert all(MailServer(host, 25, False).is_on_this_machine for host in near)
    far = ("10.0.0.1", "mail", "localhost.example", "127.0.0.1.example")
    assert not any(MailServer(host, 25, False).is_on_this_machine for host in far)


def test_the_sender_is_one_address() -> None:
    assert sender("avisos@example.com") == "avisos@example.com"
    for text in ("avisos", "Avisos <avisos@example.com>", "a@b.example\r\nBcc: c@d.example"):
        with pytest.raises(ValueError, match=r"^must "):
            sender(text)
