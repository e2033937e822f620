"""The faults that meet one of several processes, or the PostgreSQL of all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import gevent
from sqlalchemy.exc import SQLAlchemyError

from bench.torture.past import Past
from bench.torture.processes.cluster import Cluster
from bench.torture.processes.watch import Frozen, Trouble, Watch
from tests.support.server_process import ServerProcess
from webhookproxy.database.ownership.locks import SILENCE_MS

# Within these seconds every share has an owner, and every company a socket.
WHOLE_SECONDS = 60.0
# A wish of an administrator is fulfilled within this time.
MOVE_SECONDS = 30.0
SHORT_FREEZE = 5.0
LONG_FREEZE = SILENCE_MS / 1000 + 5.0


@dataclass
class Faults:
    """Causes faults, and notes them."""

    cluster: Cluster
    random: random.Random
    past: Past
    watch: Watch
    # How many servers there are when all is well.
    processes: int
    wrong: list[str] = field(default_factory=list)

    def throw(self) -> bool:
        """Cause one fault, and wait until all is well again; return whether it is."""
        weights: dict[Callable[[], None], int] = {
            self.kill: 5,
            self.stop: 5,
            self.cut: 4,
            self.move: 4,
            self.freeze: 3,
            self.freeze_long: 1,
            self.restart_database: 1,
            self.one_more: 2,
            self.one_less: 2,
        }
        (choice,) = self.random.choices(list(weights), list(weights.values()))
        return self.play(choice)

    def play(self, fault: Callable[[], None]) -> bool:
        """Cause this fault, and wait until all is well again; return whether it is."""
        self.past.begin(fault.__name__)
        fault()
        return self.wait_until_whole(fault.__name__)

    def kill(self) -> None:
        """Kill a server with SIGKILL, and start another one."""
        self._kill(self._any())
        self.cluster.start()

    def stop(self) -> None:
        """Stop a server with SIGTERM, which hands its shares over, and start another one."""
        self._stop(self._any())
        self.cluster.start()

    def one_more(self) -> None:
        """Start one more server, which is given its part; or end one, if there are more already."""
        if len(self.cluster.servers) > self.processes:
            self._stop(self._any())
        else:
            self.cluster.start()

    def one_less(self) -> None:
        """Kill a server, and start none; or start one, if one is missing already."""
        if len(self.cluster.servers) < self.processes:
            self.cluster.start()
        else:
            self._kill(self._any())

    def cut(self) -> None:
        """End all sessions of one server with PostgreSQL: its locks are free before it knows."""
        server = self._any()
        self.past.note_in_flight()
        with self._taking(self.cluster.owned(server)):
            self.watch.trouble("cut")
            self.cluster.cut(server)
            self.past.ends.append(time.monotonic())

    def freeze(self) -> None:
        """Stop a server where it is (SIGSTOP) for 5 s: it stays the owner."""
        server = self._any()
        frozen = self._freeze(server, self.watch.trouble("freeze", free_after=SHORT_FREEZE))
        gevent.sleep(SHORT_FREEZE)
        self._thaw(server, frozen)

    def freeze_long(self) -> None:
        """Stop a server until others take its shares, and let it go on."""
        server = self._any()
        with self._taking(self.cluster.owned(server)):
            trouble = self.watch.trouble("freeze_long", free_after=SILENCE_MS / 1000, most=2.0)
            frozen = self._freeze(server, trouble)
            gevent.sleep(LONG_FREEZE)
            self._thaw(server, frozen)
            self.past.ends.append(time.monotonic())

    def move(self) -> None:
        """Have an administrator move a share to another server."""
        server = self._any()
        share = self.random.randrange(self.cluster.shares)
        self.watch.trouble("move")
        self.cluster.want(share, server)
        if not _wait(lambda: share in self.cluster.owned(server), MOVE_SECONDS):
            self.wrong.append(f"share {share} was not moved within {MOVE_SECONDS:g} s")

    def restart_database(self) -> None:
        """Stop PostgreSQL as in a crash, and start it again."""
        server = self.cluster.stage.postgresql
        assert server is not None
        self.past.note_in_flight()
        with self._taking(set(range(self.cluster.shares))):
            trouble = self.watch.trouble("restart_database", free_after=60.0)
            server.stop_at_once()
            gevent.sleep(self.random.uniform(0.1, 4.0))
            server.start()
            trouble.free_at = time.monotonic()
            self.past.ends.append(trouble.free_at)

    def wait_until_whole(self, after: str) -> bool:
        """Wait until every share has an owner and every company a socket; return whether so."""
        whole = _wait(lambda: self.cluster.is_whole() and self.watch.is_whole(), WHOLE_SECONDS)
        if not whole:
            self.wrong.append(f"not all companies had a socket {WHOLE_SECONDS:g} s after {after}")
        return whole

    @contextmanager
    def _taking(self, shares: set[int]) -> Iterator[None]:
        """Cause a fault after which these shares are taken again; what they sent may double."""
        began, before = time.monotonic(), self.cluster.fences()
        yield
        taken = _wait(lambda: _are_raised(shares, before, self.cluster.fences()), WHOLE_SECONDS)
        if not taken:
            self.wrong.append(f"not all of the shares {shares} were taken again")
        now = self.cluster.fences()
        # One may have been on its way to the server that was met.
        moved = {each for each in now if now[each] != before[each]}
        # The next owner sends again what the former one was sending.
        self.past.note_accepted(began, self.cluster.companies(shares | moved))

    def _freeze(self, server: ServerProcess, trouble: Trouble) -> Frozen:
        companies = self.cluster.companies(self.cluster.owned(server))
        server.freeze()
        beside = self.cluster.companies(self.cluster.followed(server))
        return self.watch.freeze(companies, beside, trouble.began)

    def _thaw(self, server: ServerProcess, frozen: Frozen) -> None:
        self.past.note_in_flight()
        frozen.ended = time.monotonic()
        server.thaw()
        # An answer that came during the stop may be found after its deadline.
        self.past.note_in_flight()

    def _any(self) -> ServerProcess:
        return self.random.choice(self.cluster.servers)

    def _kill(self, server: ServerProcess) -> None:
        self.watch.trouble("kill")
        self.past.kill(server)

    def _stop(self, server: ServerProcess) -> None:
        self.watch.trouble("stop")
        code = server.terminate()
        if code != 0:
            self.wrong.append(f"a server ended with {code} after SIGTERM")
        self.past.gone(server)


def _are_raised(shares: set[int], before: dict[int, int], now: dict[int, int]) -> bool:
    return all(now[each] > before[each] for each in shares)


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true, while PostgreSQL may be away; return whether it is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(SQLAlchemyError):
            if condition():
                return True
        gevent.sleep(0.1)
    return False
