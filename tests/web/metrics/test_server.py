"""/metrics of real servers: the owner of the sockets, and one that waits to take over."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from flask import Flask

from tests.support.application import make_company, make_webhook, wait_until
from tests.support.receiver import OK, Receiver
from tests.support.server_process import ServerProcess
from tests.support.simulator_process import SimulatorProcess
from tests.web.metrics.scraping import ALLOWED, TOKEN, Scraped

SETTINGS = {"METRICS_TOKEN": TOKEN, "TRUSTED_HOSTS": "relay.example.com", "LOG_LEVEL": "DEBUG"}
PRIVATE = ("anári", "canary", "127.0.0.1", "91234", "telefone", TOKEN)


def ask(server: ServerProcess) -> Scraped:
    """Return the metrics of a server, asked by its address, which its pages do not answer to."""
    answer = requests.get(f"http://127.0.0.1:{server.port}/metrics", headers=ALLOWED, timeout=10)
    assert answer.status_code == 200
    return Scraped(answer.text)


def wait_for(server: ServerProcess, webhook: int, **expected: float) -> Scraped:
    """Return the metrics once the figures of a webhook are these."""

    def found() -> Scraped | None:
        scraped, label = ask(server), f"webhook_{webhook}"
        values = {
            name: scraped.value(f"webhookproxy_webhook_{name}", webhook=label) for name in expected
        }
        return scraped if values == expected else None

    scraped: Scraped = wait_until(found, 20, f"{expected} of webhook {webhook}")
    return scraped


def wait_until_older(server: ServerProcess, than: Scraped) -> None:
    """Wait until the oldest delivery of the first webhook waited for longer than it had then."""
    age = ("webhookproxy_webhook_oldest_waiting_seconds", "webhook_1")
    before = than.value(age[0], webhook=age[1])
    wait_until(lambda: ask(server).value(age[0], webhook=age[1]) > before, 20, "it gets older")


@pytest.mark.slow
def test_a_broken_receiver_is_seen_at_the_owner_and_at_the_process_that_waits(
    app: Flask, sqlite_url: str, simulator: SimulatorProcess, token: str, tmp_path: Path
) -> None:
    other = f"{token}-other"
    with Receiver((503, {}, b"canary: telefone (11) 91234-5678")) as broken, Receiver() as works:
        for each, receiver in ((token, broken), (other, works)):
            company = make_company(app, simulator.url, each, connected=True, name="Canário")
            make_webhook(app, company, receiver.url("/canary"), name="Canária", secret="canary-1")
        with (
            ServerProcess(sqlite_url, tmp_path, **SETTINGS) as owner,
            ServerProcess(sqlite_url, tmp_path, **SETTINGS) as standby,
        ):
            owner.wait_for_sockets(2)
            for number in range(6):
                call = [{"call": {"telephony_id": f"c{number}", "phone": "(11) 91234-5678"}}]
                simulator.control("emit", token=token, event="call-was-created", args=call)
                simulator.control("emit", token=other, event="call-was-created", args=call)
            for server, role, events in ((owner, "owner", 12), (standby, "standby", 0)):
                wait_for(server, 2, delivered_total=6, circuit_open=0)
                found = wait_for(server, 1, circuit_open=1, waiting=6, delivered_total=0)
                assert found.value("webhookproxy_events_total", process=role) == events
                assert found.value("webhookproxy_sockets_connected") == 2
                assert found.value("webhookproxy_storing") == 1
                assert [each for each in (*PRIVATE, token) if each in found.text] == []
                wait_until_older(server, found)
            broken.answer = OK
            wait_for(owner, 1, circuit_open=0, waiting=0, delivered_total=6)
            assert TOKEN not in owner.output + standby.output
