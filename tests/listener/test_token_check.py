"""A second, short-lived socket says whether 3C Plus accepts a token, and ends whatever happens."""

from __future__ import annotations

import gevent
import pytest
from sqlalchemy.orm import Session

from tests.listener.listening import Listening
from tests.support.application import rows, store_of
from tests.support.receiver import Receiver, endless, hang, raw
from tests.support.simulator_process import SimulatorProcess
from tests.support.socket_server import CONNECT, OPEN, text_frame, websocket
from tests.web.support.sockets import execute
from webhookproxy.listener import client
from webhookproxy.listener.client import Address
from webhookproxy.listener.token_check import TokenSwitch, check_token
from webhookproxy.models.accounts.next_tokens import lay_ready
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import find_company
from webhookproxy.network.dial import Resolver
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import ConnectionReason

PRIVATE = Policy(allow_private=True, allow_http=True)
TOKEN = "canary-token-of-a-check-0001"


def check(url: str, policy: Policy = PRIVATE, seconds: float = 20.0) -> ConnectionReason:
    return check_token(Address(url, TOKEN, ""), policy, Resolver(), seconds)


def test_an_accepted_token_is_told_and_its_socket_closes(simulator: SimulatorProcess) -> None:
    assert check(simulator.url) is ConnectionReason.ACCEPTED
    simulator.wait_for_sockets(TOKEN, 0)


def test_a_refused_token_is_told(simulator: SimulatorProcess) -> None:
    simulator.control("refuse", token=TOKEN)
    assert check(simulator.url) is ConnectionReason.REFUSED
    simulator.control("refuse", token=TOKEN, refused=False)


def test_what_arrives_on_that_socket_is_thrown_away() -> None:
    frames = (OPEN, CONNECT, '42["call-was-connected",{}]', "42{", '42["x",{}]')
    with Receiver(websocket(*frames)) as server:
        assert check(server.url()) is ConnectionReason.ACCEPTED


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (Receiver(greeting=hang()), ConnectionReason.HANDSHAKE_TIMEOUT),
        # Upgraded, but never accepted; and with something new all the time.
        (Receiver(websocket(OPEN)), ConnectionReason.HANDSHAKE_TIMEOUT),
        (
            Receiver(websocket(OPEN, then=lambda head: endless(text_frame(b"2"), head, 0.01))),
            ConnectionReason.HANDSHAKE_TIMEOUT,
        ),
        (Receiver(greeting=raw(b"")), ConnectionReason.HANDSHAKE_FAILED),
        (Receiver((404, {}, b"")), ConnectionReason.HANDSHAKE_FAILED),
    ],
    ids=["hangs", "never accepts", "talks on", "closes", "is no socket server"],
)
def test_a_server_that_does_not_do_its_part_is_waited_for_no_longer_than_said(
    server: Receiver, reason: ConnectionReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a connection waits for by itself is too long here.
    monkeypatch.setattr(client, "HANDSHAKE_SECONDS", 600.0)
    seconds = 0.5 if reason is ConnectionReason.HANDSHAKE_TIMEOUT else 60.0
    with server, gevent.Timeout(120):
        assert check(server.url(), seconds=seconds) is reason


def test_what_cannot_be_reached_is_told_apart() -> None:
    with Receiver() as closed:
        url = closed.url()
    assert check(url) is ConnectionReason.CONNECTION_FAILED
    assert check("http://nowhere.invalid:4009") is ConnectionReason.NAME_NOT_RESOLVED


def test_an_address_inside_is_not_dialled(connects: list[object]) -> None:
    strict = Policy(allow_private=False, allow_http=False)
    assert check("https://localhost.example:4009", strict) is not ConnectionReason.ACCEPTED
    assert check("https://127.0.0.1:4009", strict) is not ConnectionReason.ACCEPTED
    assert connects == []


def switch_of(half: Listening) -> TokenSwitch:
    policy = half.app.extensions["policy"]
    return TokenSwitch(half.relay.store, half.relay.reading, policy, lambda: half.relay.fence)


def lay(half: Listening, company: int, token: str) -> None:
    """Lay the next token of a company ready."""

    def job(session: Session) -> None:
        found = find_company(session, company)
        lay_ready(session, found, token, None, half.app.extensions["policy"], CLI)

    store_of(half.app).session(job)


def test_a_token_that_is_ready_follows_one_that_is_refused(half: Listening) -> None:
    # The simulator refuses tokens of fewer than eight characters.
    company, job = half.company("short"), switch_of(half)
    lay(half, company, "next-token-of-it-0001")
    half.wait_for_state(company, "token_refused")
    # Nothing is switched to that was not accepted in a trial.
    assert not job.step()
    execute(half.app, "UPDATE next_tokens SET answer = 'accepted'")
    assert job.step()
    half.notice()
    half.wait_for_state(company, "connected")
    assert rows(half.app, "SELECT id FROM next_tokens") == []
    who = rows(half.app, "SELECT who, detail FROM audit WHERE action = 'next_token_changed'")
    assert [tuple(each) for each in who] == [("cli", "laid ready"), ("server", "switched to")]
    assert not job.step()


def test_a_token_that_cannot_be_had_is_said_once_and_holds_up_no_other(
    half: Listening, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, job = half.company("short"), half.company("brief"), switch_of(half)
    for company in (first, second):
        lay(half, company, f"next-token-{company:04}")
    for company in (first, second):
        half.wait_for_state(company, "token_refused")
    execute(half.app, "UPDATE next_tokens SET answer = 'accepted'")
    unreadable = "UPDATE next_tokens SET token = 'no key opens it' WHERE company_id = :id"
    execute(half.app, unreadable, id=first)
    job.step()
    job.step()
    assert [row.company_id for row in rows(half.app, "SELECT company_id FROM next_tokens")] == [
        first
    ]
    told = [record.getMessage() for record in caplog.records if "cannot have" in record.msg]
    assert told == [f"company_{first} cannot have the token that is ready (KeyringError)"]
