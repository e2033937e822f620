"""One server replaces another during a stream, again and again: what is lost, and what doubled.

`bin/torture --holes N`. Fifty events a second, of which each tenth is the same text byte for byte.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.torture.stage import Stage, stage
from tests.faults.server.streaming import Stream, payloads, streaming
from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess

TOKEN = "canary-token-of-the-holes"
# Events between two rounds.
BETWEEN = 50
# A socket that lived for less than five seconds is opened again after a pause, which grows.
LONG_BETWEEN = 300
# A second socket is opened six seconds after the first one.
OBSERVED_BETWEEN = 600
SECONDS = 120.0
# Deliveries of a webhook with eight at a time that may be under way.
UNDER_WAY = 80
# Between the moment in which an event is sent and the one in which a socket is known to be lost.
MARGIN_MS = 500


@dataclass(frozen=True)
class Kind:
    """One way in which sockets are lost or replaced.

    `play` does it once to the owner, and returns the server that owns the sockets afterwards.
    """

    name: str
    play: Callable[[Stage, ServerProcess], ServerProcess]
    # What the simulator is told before: a command, and its values.
    server_is: tuple[str, Mapping[str, Any]] | None = None
    between: int = BETWEEN
    # Whether a hole cannot be helped: then what is lost must lie in recorded gaps.
    may_lose: bool = False
    # Whether each round leaves recorded gaps of which nothing may be lost.
    is_recovered: bool = False
    # Whether a second socket is observed.
    observes: bool = False
    # How many deliveries may be under way when a server is killed, and so be sent twice.
    under_way: int = 0


@dataclass
class Result:
    """How many events of one kind were lost and doubled."""

    kind: Kind
    rounds: int
    emitted: int
    lost: int
    # Of these, how many no recorded gap has.
    unrecorded: int
    doubled: int
    gaps: int

    @property
    def good(self) -> bool:
        """Return whether nothing was lost or doubled, but for recorded holes."""
        # A round that also kills the owner may leave two gaps.
        gaps_of_a_round = 2 if self.kind.is_recovered else int(self.kind.may_lose)
        return (
            (self.kind.may_lose or not self.lost)
            and not self.unrecorded
            and self.gaps <= self.rounds * gaps_of_a_round
            and self.doubled <= self.rounds * self.kind.under_way
        )

    def line(self) -> str:
        """Return a row of a Markdown table."""
        numbers = (self.emitted, self.lost, self.unrecorded, self.doubled, self.gaps)
        return " | ".join((f"| {self.kind.name}", *(f"{each:,}" for each in numbers))) + " |"


def stopped(made: Stage, old: ServerProcess) -> ServerProcess:
    """Stop the owner with SIGTERM while another server waits; return that one."""
    new = _waiting(made)
    old.signal(signal.SIGTERM)
    return _followed(old, new)


def one_of_two(made: Stage, old: ServerProcess) -> ServerProcess:
    """Stop the owner, with SIGTERM twice, while two servers wait; return the one that follows."""
    first, second = _waiting(made), _waiting(made)
    old.signal(signal.SIGTERM)
    wait_until(lambda: _is_chosen(first) or _is_chosen(second), SECONDS, "one opens sockets")
    old.signal(signal.SIGTERM)
    new, other = (first, second) if _is_chosen(first) else (second, first)
    _followed(old, new)
    assert other.terminate() == 0
    return new


def frozen(made: Stage, old: ServerProcess) -> ServerProcess:
    """Freeze the successor once the owner knows of its sockets; a third server follows."""
    chosen = _waiting(made)
    old.signal(signal.SIGTERM)
    told = "SELECT COUNT(*) FROM handovers WHERE standing IS NOT NULL AND handed IS NULL"
    wait_until(lambda: rows(made.app, told)[0][0], SECONDS, "the owner is told of its sockets")
    chosen.freeze()
    third = _followed(old, made.start_server())
    wait_until(lambda: third.health()["owner"], SECONDS, "the third owns the sockets")
    chosen.thaw()
    wait_until(lambda: "the owner stays" in chosen.output, SECONDS, "it closes its sockets")
    assert chosen.terminate() == 0
    return third


def taken_over(made: Stage, old: ServerProcess) -> ServerProcess:
    """Start a server that replaces the owner, which ends by itself."""
    return _followed(old, made.start_server(TAKE_OVER="1"))


def taken_over_at_the_second_try(made: Stage, old: ServerProcess) -> ServerProcess:
    """Start a server that replaces the owner, kill it as soon as it opens sockets; then another."""
    times = old.output.count("this one goes on")
    dying = made.start_server(TAKE_OVER="1")
    wait_until(lambda: "opening sockets" in dying.output, SECONDS, "it opens sockets")
    dying.kill()
    wait_until(lambda: old.output.count("this one goes on") > times, SECONDS, "the owner goes on")
    return taken_over(made, old)


def dropped(made: Stage, old: ServerProcess) -> ServerProcess:
    """Cut the only socket; its company opens another one."""
    accepted = made.simulator.state(TOKEN)["accepted"]
    made.simulator.control("drop", token=TOKEN)
    wait_until(lambda: made.simulator.state(TOKEN)["accepted"] > accepted, SECONDS, "another one")
    return old


def killed(made: Stage, old: ServerProcess) -> ServerProcess:
    """Cut the only socket, kill the owner as soon as there is another; return a new server."""
    dropped(made, old).kill()
    return made.start_server()


KINDS = (
    Kind("a deploy with a successor", stopped),
    Kind("`bin/serve --take-over`", taken_over),
    Kind("a deploy whose first successor dies while it opens", taken_over_at_the_second_try),
    Kind("two wait for the place", one_of_two),
    Kind("the successor freezes when it has its sockets", frozen, may_lose=True),
    Kind(
        "a deploy, and 3C Plus ends a token's first socket",
        stopped,
        server_is=("one_socket", {"only": True}),
        may_lose=True,
    ),
    Kind("the only socket is cut", dropped, between=LONG_BETWEEN, may_lose=True),
    Kind(
        "both sockets are cut, of which the second one is observed",
        dropped,
        between=OBSERVED_BETWEEN,
        may_lose=True,
        observes=True,
    ),
    Kind(
        "the only socket is cut, and the server has recovery on",
        dropped,
        server_is=("recovery", {}),
        between=LONG_BETWEEN,
        is_recovered=True,
    ),
    Kind(
        "the same, then `kill -9` and another process",
        killed,
        server_is=("recovery", {}),
        is_recovered=True,
        under_way=UNDER_WAY,
    ),
)


def main(database: str, rounds: int, kinds: Sequence[Kind] = KINDS) -> int:
    """Run each kind for a number of rounds and print a table; return 0 if all held."""
    print(f"{database}, {rounds} rounds of each\n", flush=True)
    print(
        "| kind | events | lost | of these in no gap | doubled | gaps |\n|---|---|---|---|---|---|"
    )
    good = True
    for kind in kinds:
        with stage(database, companies=0) as made:
            result = run(made, kind, rounds)
        print(result.line(), flush=True)
        good = good and result.good
    print("the promises held" if good else "THE PROMISES DID NOT HOLD")
    return 0 if good else 1


def run(made: Stage, kind: Kind, rounds: int) -> Result:
    """Return how many events of a kind were lost and doubled."""
    with Receiver() as receiver:
        company = make_company(
            made.app, made.simulator.url, TOKEN, connected=True, observe_second=kind.observes
        )
        make_webhook(made.app, company, receiver.url())
        if kind.server_is is not None:
            verb, values = kind.server_is
            made.simulator.control(verb, token=TOKEN, **values)
        server = made.start_server()
        server.wait_for_sockets(1)
        with streaming(made.simulator, TOKEN) as stream:
            for _ in range(rounds):
                receiver.wait_for(len(receiver.requests) + kind.between, SECONDS)
                server = kind.play(made, server)
                server.wait_for_sockets(1)
            receiver.wait_for(len(receiver.requests) + kind.between, SECONDS)
            emitted = stream.end()
            # A socket brings events in order: when this one came, all before it did.
            made.simulator.control("emit", token=TOKEN, event="last", args=[{}])
            wait_until(lambda: _has_come(receiver, "last"), SECONDS, "the last event has come")
            server.wait_until_settled(SECONDS)
        assert server.terminate() == 0
        came = payloads(receiver)
        del came["{}"]
    holes = _holes(made)
    lost = emitted - came
    nowhere = {text: count for text, count in lost.items() if not _is_in(holes, stream, text)}
    if nowhere:
        print(f"lost, and in no gap: {nowhere} of {emitted.total()}")
    return Result(
        kind,
        rounds,
        emitted=emitted.total(),
        lost=lost.total(),
        unrecorded=sum(nowhere.values()),
        doubled=(came - emitted).total(),
        gaps=len(holes),
    )


def _waiting(made: Stage) -> ServerProcess:
    """Start a server beside the owner, and wait until it waits for its place."""
    new = made.start_server()
    wait_until(lambda: "and waits" in new.output, SECONDS, "the other server waits")
    return new


def _is_chosen(server: ServerProcess) -> bool:
    return "opening sockets" in server.output


def _followed(old: ServerProcess, new: ServerProcess) -> ServerProcess:
    """Return the new server, once the old one has ended as it should."""
    assert old.wait() == 0
    return new


def _has_come(receiver: Receiver, name: str) -> bool:
    """Return whether an event of this name is among those that came lately."""
    return any(json.loads(each.body)["event"] == name for each in receiver.requests[-100:])


def _holes(made: Stage) -> list[tuple[int, int]]:
    """Return when each recorded gap began and ended."""
    # The one of the last server's stop has no end.
    query = "SELECT started_at, ended_at FROM gaps WHERE ended_at IS NOT NULL"
    return [(int(began), int(ended)) for began, ended in rows(made.app, query)]


def _is_in(holes: Sequence[tuple[int, int]], stream: Stream, text: str) -> bool:
    """Return whether an event with this text was emitted in a hole, as far as can be known."""
    return any(
        began - MARGIN_MS <= at <= ended + MARGIN_MS
        for at in stream.times[text]
        for began, ended in holes
    )
