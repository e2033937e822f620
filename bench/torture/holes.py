"""One server replaces another during a stream, again and again: what is lost, and what doubled.

`bin/torture --holes N`. Fifty events a second, of which each tenth is the same text byte for byte.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bench.torture.stage import Stage, stage
from tests.faults.server.streaming import payloads, streaming
from tests.support.application import make_company, make_webhook, rows, wait_until
from tests.support.receiver import Receiver
from tests.support.server_process import ServerProcess

# Events between two replacements.
BETWEEN = 50
SECONDS = 30.0


@dataclass
class Result:
    """How many events of one scenario were lost and doubled."""

    name: str
    emitted: int
    lost: int
    doubled: int
    gaps: int
    # Whether what was lost fell into recorded gaps, as it may here.
    may_lose: bool

    @property
    def good(self) -> bool:
        """Return whether nothing was lost or doubled, but for recorded holes."""
        lost = self.lost > 0 and not (self.may_lose and self.gaps)
        return not lost and not self.doubled and (self.may_lose or not self.gaps)

    def line(self) -> str:
        """Return a row of a Markdown table."""
        return f"| {self.name} | {self.emitted:,} | {self.lost} | {self.doubled} | {self.gaps} |"


def stopped(made: Stage, old: ServerProcess) -> ServerProcess:
    """Stop the owner with SIGTERM while another server waits; return that one."""
    new = made.start_server()
    wait_until(lambda: "and waits" in new.output, SECONDS, "the other server waits")
    old.signal(signal.SIGTERM)
    return new


def taken_over(made: Stage, _old: ServerProcess) -> ServerProcess:
    """Start a server that replaces the owner, which ends by itself."""
    return made.start_server(TAKE_OVER="1")


def taken_over_at_the_second_try(made: Stage, old: ServerProcess) -> ServerProcess:
    """Start a server that replaces the owner, kill it as soon as it opens sockets; then another."""
    times = old.output.count("this one goes on")
    dying = made.start_server(TAKE_OVER="1")
    wait_until(lambda: "opening sockets" in dying.output, SECONDS, "it opens sockets")
    dying.kill()
    wait_until(lambda: old.output.count("this one goes on") > times, SECONDS, "the owner goes on")
    return made.start_server(TAKE_OVER="1")


SCENARIOS: dict[str, tuple[Callable[[Stage, ServerProcess], ServerProcess], bool]] = {
    "a deploy with a successor": (stopped, False),
    "`bin/serve --take-over`": (taken_over, False),
    "a deploy whose first successor dies while it opens": (taken_over_at_the_second_try, False),
    "a deploy, and 3C Plus ends a token's first socket": (stopped, True),
}


def main(database: str, rounds: int) -> int:
    """Run each scenario for a number of rounds and print a table; return 0 if all held."""
    print("| scenario | events | lost | doubled | gaps |\n|---|---|---|---|---|", flush=True)
    good = True
    for name in SCENARIOS:
        with stage(database, companies=0) as made:
            result = run(made, name, rounds)
        print(result.line(), flush=True)
        good = good and result.good
    print("the promises held" if good else "THE PROMISES DID NOT HOLD")
    return 0 if good else 1


def run(made: Stage, name: str, rounds: int) -> Result:
    """Return how many events of a scenario were lost and doubled."""
    replace, one_socket = SCENARIOS[name]
    token = "canary-token-of-the-holes"
    with Receiver() as receiver:
        company = make_company(made.app, made.simulator.url, token, connected=True)
        make_webhook(made.app, company, receiver.url())
        made.simulator.control("one_socket", token=token, only=one_socket)
        server = made.start_server()
        server.wait_for_sockets(1)
        with streaming(made.simulator, token) as stream:
            for _ in range(rounds):
                receiver.wait_for(len(receiver.requests) + BETWEEN, SECONDS)
                new = replace(made, server)
                assert server.wait() == 0
                new.wait_for_sockets(1)
                server = new
            receiver.wait_for(len(receiver.requests) + BETWEEN, SECONDS)
            emitted = stream.end()
            server.wait_until_settled(SECONDS)
        assert server.terminate() == 0
        came = payloads(receiver)
    gaps = rows(made.app, "SELECT COUNT(*) FROM gaps WHERE ended_at IS NOT NULL")[0][0]
    lost: Counter[str] = emitted - came
    return Result(name, emitted.total(), lost.total(), (came - emitted).total(), gaps, one_socket)
