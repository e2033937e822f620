"""A real mail server, run by mail_process.py in a process of its own: it prints what it gets.

It answers by the recipient's name: `bounces`, `later`, `heavy`. Three ports, as they are printed:
STARTTLS with a login, TLS from the first byte, and neither.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.alerts.channels.mail_process import PASSWORD, USER


class Handler:
    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address.startswith("bounces"):
            return f"550 5.1.1 canary-answer {address} unknown"
        if address.startswith("later"):
            return "451 4.7.1 canary-answer greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if envelope.rcpt_tos[0].startswith("heavy"):
            return "552 5.3.4 canary-answer too heavy"
        assert isinstance(envelope.content, bytes)
        letter = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "name": session.host_name,
            "logged_in": session.authenticated,
            "content": envelope.content.decode("ascii"),
        }
        print(json.dumps(letter), flush=True)  # noqa: T201
        return "250 queued"


def authenticator(*given: Any) -> AuthResult:
    login = given[-1]
    assert isinstance(login, LoginPassword)
    good = (login.login, login.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


async def main(certificate: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def starttls() -> SMTP:
        return SMTP(
            Handler(),
            tls_context=context,
            require_starttls=True,
            authenticator=authenticator,
            auth_required=True,
        )

    def plain() -> SMTP:
        return SMTP(Handler())

    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(starttls, "127.0.0.1", 0),
        await loop.create_server(plain, "127.0.0.1", 0, ssl=context),
        await loop.create_server(plain, "127.0.0.1", 0),
    ]
    print(json.dumps([each.sockets[0].getsockname()[1] for each in servers]), flush=True)  # noqa: T201
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1]))
