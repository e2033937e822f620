"""A base that is not of 3C Plus never sees a token, whichever way it comes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.declared.test_applying import acme, apply_file
from tests.support.application import make_company, store_of
from tests.support.receiver import Receiver
from webhookproxy.events.recovery.periods import Period
from webhookproxy.models.companies import edit_company, find_company
from webhookproxy.network.addresses import Policy
from webhookproxy.network.dial import Resolver
from webhookproxy.network.http.client import Client
from webhookproxy.platform.pace import Pace
from webhookproxy.platform.rest import Access, PlatformError, Rest
from webhookproxy.rules import Refused
from webhookproxy.rules.platform import rest_base

TOKEN = "canary-token-of-the-bases-0001"
PERIOD = Period("2026-11-29 08:00:00", "2026-11-29 09:00:00")
SOCKET = "https://socket.3c.plus"
PORT = "PORT"
# As rows of the database, which another program may have written: the socket's and the REST's.
ROWS = (
    *((SOCKET, f"http://{host}:{PORT}") for host in ("127.0.0.1", "localhost", "[::1]", "127.1")),
    *((SOCKET, f"http://{host}:{PORT}") for host in ("evil3c.plus", "3c.plus.evil.com", "3c.plus")),
    *((SOCKET, f"http://{host}:{PORT}") for host in ("app.3c.plus", "APP.3C.PLUS", "app.3c.plus.")),
    *((SOCKET, f"http://{user}@127.0.0.1:{PORT}") for user in ("3c.plus", "app.3c.plus:443")),
    *((SOCKET, f"http://127.0.0.1:{PORT}{end}.3c.plus") for end in ("/", "#", "?", "\\", "%2f")),
    *((SOCKET, f"{start}127.0.0.1:{PORT}") for start in (" http://", "//", "HTTP://", "http:/")),
    (SOCKET, f"http://127.0.0.1:{PORT}\\@app.3c.plus"),
    (SOCKET, f"https://app.3c.plus:{PORT}"),
    (SOCKET, f"https://app.3c.plus@127.0.0.1:{PORT}"),
    (f"http://127.0.0.1:{PORT}", ""),
    (f"http://socket.3c.plus@127.0.0.1:{PORT}", ""),
)


@pytest.fixture
def recorder() -> Iterator[Receiver]:
    with Receiver() as recorder:
        yield recorder


def all_names_are_here(_host: str, port: int, **_named: object) -> list[Any]:
    """Answer for every name as a server of names would that someone else controls."""
    return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


@pytest.mark.parametrize("allow_private", [False, True], ids=["in service", "in development"])
def test_no_row_of_the_database_sends_a_token_there(
    recorder: Receiver, *, allow_private: bool
) -> None:
    policy = Policy(allow_private=allow_private)
    rest = Rest(Client(policy, Resolver(all_names_are_here)), Pace())
    port = recorder.url("").rstrip("/").rpartition(":")[2]
    for number, (at, given) in enumerate(ROWS):
        base = rest_base(at.replace(PORT, port), given.replace(PORT, port), policy)
        access = Access(number, base, TOKEN)
        with suppress(PlatformError):
            rest.calls(access, PERIOD, 1)
        assert recorder.requests == [], (at, given)


def test_no_redirect_leads_a_token_there(receiver: Receiver, recorder: Receiver) -> None:
    receiver.answer = (307, {"Location": recorder.url("/api/v1/calls")}, b"")
    policy = Policy(allow_private=True, rest_hosts=frozenset({"127.0.0.1"}))
    rest = Rest(Client(policy, Resolver()), Pace())
    with pytest.raises(PlatformError):
        rest.me(Access(1, rest_base(receiver.url(""), "", policy), TOKEN))
    assert (len(receiver.requests), recorder.requests) == (1, [])


def test_no_form_program_or_file_sets_such_a_base(app: Flask, recorder: Receiver) -> None:
    """The page and the API change a company by the same function, and a file by another."""
    number = make_company(app, "http://127.0.0.1:4000", TOKEN)

    def edited(rest_url: str) -> None:
        def job(session: Any) -> None:
            company = find_company(session, number)
            given = replace(company.input(), rest_url=rest_url, token=f"{TOKEN}-new")
            edit_company(session, company, given, app.extensions["policy"])

        store_of(app).session(job)

    for foreign in (recorder.url(""), "https://evil3c.plus", "http://app.3c.plus"):
        with pytest.raises(Refused):
            edited(foreign)
        with pytest.raises(Refused):
            apply_file(app, acme({}, rest_url=foreign))
    edited("https://acme.3c.plus")
    assert recorder.requests == []
