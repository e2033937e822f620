"""webhookproxy-listen, as on a developer's machine, which has requests and nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gevent.server import StreamServer
from sqlalchemy.orm import Session

from tests.api.test_stream import arrive
from tests.support.application import application, make_company, store_of, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess
from webhookproxy.events.contract import signature, standard_signature
from webhookproxy.listen import signed_headers
from webhookproxy.models.accounts.api_tokens import Scope, make_api_token
from webhookproxy.models.accounts.people import create_user

SECRET = "a secret for the local program"
PROGRAM = """
import sys
for name in ("sqlalchemy", "gevent", "psycopg", "flask", "cryptography", "pydantic"):
    sys.modules[name] = None
from webhookproxy.listen import main
sys.exit(main())
"""


class Drops:
    """A way to a server that ends every connection after a number of bytes."""

    def __init__(self, port: int, after: int) -> None:
        self._port, self._after = port, after
        self.count = 0
        self._server = StreamServer(("127.0.0.1", 0), self._forward)

    def __enter__(self) -> str:
        self._server.start()
        return f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def __exit__(self, *_error: object) -> None:
        self._server.stop(timeout=0)

    def _forward(self, near: socket.socket, _address: object) -> None:
        with near, socket.create_connection(("127.0.0.1", self._port)) as far:
            # A request without a body comes in one piece.
            far.sendall(near.recv(65_536))
            left = self._after
            while left and (data := far.recv(left)):
                near.sendall(data)
                left -= len(data)
            self.count += not left


@contextmanager
def listening(folder: Path, server: str, token: str, to: str) -> Iterator[Path]:
    """Run the program; yield the file that takes what it prints."""
    printed = folder / "printed.txt"
    words = (*("--server", server), *("--company", "company_1"), *("--to", to))
    with printed.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words, *("--state", str(folder / "place"))],
            env={**os.environ, "WEBHOOKPROXY_TOKEN": token, "WEBHOOKPROXY_SECRET": SECRET},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield printed
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_over_drops_and_a_restart_nothing_is_lost_and_nothing_doubled(
    sqlite_url: str, tmp_path: Path
) -> None:
    def token_of(session: Session) -> str:
        user = create_user(session, "dev@exemplo.com.br", "x", admin=True)
        return make_api_token(session, user, "listen", (Scope.PAYLOADS,), 1)[1]

    place = tmp_path / "place"

    def is_at(event_id: str) -> bool:
        """Return whether the program has written down that it is done with an event."""
        return place.read_text().strip() == event_id

    with Receiver() as receiver, application(sqlite_url, tmp_path) as app:
        company = make_company(app)
        token = store_of(app).session(token_of)
        with ServerProcess(sqlite_url, tmp_path) as server, Drops(server.port, 5_000) as way:
            with listening(tmp_path, way, token, receiver.url()):
                wait_until(place.exists, what="the program has its place")
                sent = [each for n in range(1, 21) for each in arrive(app, company, n)]
                wait_until(lambda: is_at(sent[19]), what="the first twenty")
            # Nothing listens now.
            sent += arrive(app, company, *range(21, 41))
            with listening(tmp_path, way, token, receiver.url()) as printed:
                wait_until(lambda: is_at(sent[39]), what="the other twenty")
    assert [each.headers["webhook-id"] for each in receiver.requests] == sent
    assert printed.read_text().count("Next try in") >= 2
    assert printed.read_text().count(": 200 in ") == 40
    assert token not in printed.read_text()
    for each in receiver.requests:
        assert each.headers["X-Signature-SHA256"] == signature(SECRET, each.body)
        assert json.loads(each.body)["meta"]["event_id"] == each.headers["webhook-id"]


@pytest.mark.parametrize("secret", [SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AA=="])
def test_its_signatures_are_those_of_a_delivery(secret: str) -> None:
    found = {"event": "ação", "event_id": "evt_1", "content_type": "application/json"}
    headers = signed_headers({**found, "headers": {}}, b"{}", secret, 1_700_000_000)
    standard = standard_signature([secret], "evt_1", 1_700_000_000, b"{}")
    assert headers["webhook-signature"] == standard
    assert headers["X-Signature-SHA256"] == signature(secret, b"{}")
    assert headers["X-Webhook-Event"] == "a%C3%A7%C3%A3o"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "There is no token"),
        (("--token-file", "/nonexistent/token"), "/nonexistent/token cannot be read"),
        (("--token-file", __file__, "--server", "localhost:5000"), "--server needs http://"),
    ],
)
def test_a_mistake_is_a_sentence(
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from webhookproxy import listen

    given = ("--server", "https://127.0.0.1:1", "--company", "company_1", "--to", "http://[::1]/")
    monkeypatch.delenv("WEBHOOKPROXY_TOKEN", raising=False)
    monkeypatch.setattr(sys, "argv", ["webhookproxy-listen", *given, *words])
    assert listen.main() == 2
    assert said in capsys.readouterr().err
