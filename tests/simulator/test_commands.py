"""The effect of the simulator's commands on a client."""

from __future__ import annotations

from typing import Any

import pytest
import websocket

from tests.simulator.client import connected
from tests.support.simulator_process import SimulatorError, SimulatorProcess


def test_every_socket_of_a_token_hears_an_event_and_other_tokens_do_not(
    quiet: SimulatorProcess,
) -> None:
    with (
        connected(quiet, "shared-token") as one,
        connected(quiet, "shared-token") as two,
        connected(quiet, "neighbour-token") as other,
    ):
        answer = quiet.control("emit", token="shared-token", event="x", args=[{"a": "ção"}])
        assert answer == {"sockets": 2, "heard": 2}
        assert one.frame() == two.frame() == '42["x",{"a":"ção"}]'
        assert other.hears_nothing(0.1)


def test_without_a_token_a_command_is_for_everybody() -> None:
    with (
        SimulatorProcess() as simulator,
        connected(simulator, "first-token") as one,
        connected(simulator, "second-token") as two,
    ):
        answer = simulator.control("emit", event="several", args=[1, "b", None])
        assert answer == {"sockets": 2, "heard": 2}
        assert one.frame() == two.frame() == '42["several",1,"b",null]'


def test_a_drop_cuts_the_connection_without_a_closing_frame(quiet: SimulatorProcess) -> None:
    with connected(quiet, "dropped-token") as client:
        quiet.control("drop", token="dropped-token")
        with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
            client.frame()
        quiet.wait_for_sockets("dropped-token", 0)


def test_a_kick_sends_the_disconnect_packet(quiet: SimulatorProcess) -> None:
    with connected(quiet, "kicked-token") as client:
        quiet.control("kick", token="kicked-token")
        assert client.frame() == "41"
        quiet.wait_for_sockets("kicked-token", 0)


def test_a_close_sends_the_engine_packet(quiet: SimulatorProcess) -> None:
    with connected(quiet, "closed-token") as client:
        quiet.control("close", token="closed-token")
        assert client.frame() == "1"
        quiet.wait_for_sockets("closed-token", 0)


def test_a_silence_loses_events_and_keeps_the_socket() -> None:
    with SimulatorProcess(rate=200) as simulator, connected(simulator, "silent-token") as client:
        client.event()
        simulator.control("silence", token="silent-token")
        simulator.control("emit", token="silent-token", event="mark", args=[])
        while client.event()[0] != "mark":
            pass
        assert client.hears_nothing(0.2)
        simulator.control("silence", token="silent-token", seconds=0)
        assert client.event()[0]


def test_a_dead_socket_sends_no_ping_and_stays_open_past_the_ping_timeout() -> None:
    with SimulatorProcess() as simulator:
        simulator.control("pings", interval=1, timeout=1)
        with connected(simulator, "frozen-token") as client:
            assert client.opening["pingInterval"] == 1_000
            simulator.control("silence", token="frozen-token", pings=False, seconds=6)
            answer = simulator.control("emit", token="frozen-token", event="x", args=[])
            assert answer == {"sockets": 1, "heard": 0}
            assert client.hears_nothing(2.5)
            # At the end of the time, the socket that the server gave up is closed.
            with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
                client.frame()


def test_a_burst_is_numbered_and_each_event_has_its_own_call(quiet: SimulatorProcess) -> None:
    with connected(quiet, "burst-token") as client:
        answer = quiet.control("burst", token="burst-token", count=200)
        assert (answer["emitted"], answer["sockets"]) == (200, 1)
        heard = [client.event() for _ in range(200)]
    assert {name for name, _ in heard} == {"call-was-connected"}
    assert [payload["seq"] for _, payload in heard] == list(range(1, 201))
    assert len({payload["call"]["telephony_id"] for _, payload in heard}) == 200
    assert quiet.state("burst-token")["emitted"] == {"call-was-connected": 200}


def test_a_burst_about_one_call_keeps_to_its_rate(quiet: SimulatorProcess) -> None:
    with connected(quiet, "paced-token") as client:
        took: list[float] = []
        # A busy machine may be late with some of them.
        while not took or (min(took) > 0.7 and len(took) < 10):
            answer = quiet.control(
                "burst", token="paced-token", count=50, rate=100, distinct_keys=False
            )
            took.append(answer["seconds"])
            heard = [client.event()[1] for _ in range(50)]
            assert len({payload["call"]["telephony_id"] for payload in heard}) == 1
    assert 0.3 <= min(took) <= 0.7


@pytest.mark.parametrize(
    "packet",
    [
        '42["x", {"b":1.50,  "a":12345678901234567890123456789012345678901,"c":"\\ud83d ção"}]',
        '42["x",{"n":NaN}]',
        '42["x",{"cut":',
        "1",
        "nonsense",
    ],
    ids=["exact text", "not JSON", "cut off", "engine close", "no packet at all"],
)
def test_a_raw_packet_arrives_byte_for_byte(quiet: SimulatorProcess, packet: str) -> None:
    with connected(quiet, "raw-token") as client:
        quiet.control("raw", token="raw-token", packet=packet)
        assert client.frame() == packet


def test_binary_frames_follow_their_packet(quiet: SimulatorProcess) -> None:
    packet = '451-["x",{"_placeholder":true,"num":0}]'
    with connected(quiet, "binary-token") as client:
        quiet.control("raw", token="binary-token", packet=packet, binary_base64=["AAH/"])
        assert (client.frame(), client.frame()) == (packet, b"\x00\x01\xff")


def test_what_was_emitted_can_be_read_back(quiet: SimulatorProcess) -> None:
    with connected(quiet, "journal-token") as client:
        quiet.control("emit", token="journal-token", event="agent-is-idle")
        quiet.control("emit", token="journal-token", event="agent-is-idle")
        frames = [client.frame(), client.frame()]
    assert [entry["frame"] for entry in quiet.emitted("journal-token")] == frames
    assert [entry["seq"] for entry in quiet.emitted("journal-token", since=1)] == [2]


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        ("emit", {"event": "unheard-of", "token": "bad-input-token"}, "not in the catalogue"),
        ("emit", {"event": "x", "args": [], "token": "never-seen"}, "no socket has come"),
        ("burst", {"count": "many"}, '"count" must be a whole number'),
        ("burst", {"count": 1, "rate": 0}, '"rate" must be a number above 0'),
        ("burst", {"number": 1}, "the keys are count, token, event, rate, distinct_keys"),
        ("raw", {"packet": "42", "binary_base64": ["!"]}, "Base64"),
        ("jump", {}, "there is POST emit, raw, burst"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(
    quiet: SimulatorProcess, path: str, body: dict[str, Any], why: str
) -> None:
    with connected(quiet, "bad-input-token"), pytest.raises(SimulatorError, match=why):
        quiet.control(path, **body)
