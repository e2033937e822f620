"""Which tokens come in."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.simulator.client import Client, connected
from tests.support.simulator_process import SimulatorProcess


@pytest.mark.parametrize(
    ("token", "query"),
    [("short", {}), ("", {}), ("agente_12345678", {})],
    ids=["too short", "none", "an agent's without agent_id"],
)
def test_a_refused_token_gets_authentication_error(
    quiet: SimulatorProcess, token: str, query: dict[str, str]
) -> None:
    client = Client(quiet, token, **query)
    with closing(client.socket):
        assert client.answer == '44{"message":"Authentication error"}'


def test_an_agent_token_with_its_agent_id_is_accepted(quiet: SimulatorProcess) -> None:
    with connected(quiet, "agente_12345678", agent_id="7"):
        quiet.wait_for_sockets("agente_12345678")


def test_only_the_tokens_given_are_accepted() -> None:
    with SimulatorProcess("--accept=only-this-one") as simulator:
        with connected(simulator, "only-this-one"):
            pass
        client = Client(simulator, "any-other-token")
        with closing(client.socket):
            assert client.answer.startswith("44")


def test_a_revoked_token_is_kicked_and_refused_until_it_is_accepted_again(
    quiet: SimulatorProcess,
) -> None:
    with connected(quiet, "revoked-token") as client:
        assert quiet.control("refuse", token="revoked-token") == {"sockets": 1}
        assert client.frame() == "41"
    refused = Client(quiet, "revoked-token")
    with closing(refused.socket):
        assert refused.answer.startswith("44")
    quiet.control("refuse", token="revoked-token", refused=False)
    with connected(quiet, "revoked-token"):
        state = quiet.state("revoked-token")
        assert (state["handshakes"], state["accepted"], state["sockets"]) == (3, 2, 1)
