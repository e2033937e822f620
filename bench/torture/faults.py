"""The faults of a torture, one at a time, each with its end."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent

from bench.torture.alerts import ANSWER
from bench.torture.past import Past
from bench.torture.stage import Fault, Stage
from tests.support import postgresql
from tests.support.application import rows, wait_until
from tests.support.locks import held
from tests.support.receiver import OK, Plain, Received, endless, hang, raw, reset

# Within these seconds a server is the owner, and every company has its socket again.
OWNER_SECONDS = 30.0
TAKEOVER_SECONDS = 10.0
# Companies whose servers say nothing, at a time.
SILENT = 30


def _refuse_a_third(request: Received) -> Plain:
    """Refuse the events of the keys 0, 3, 6 ...; the everyday receiver says 500 for them."""
    key: int = json.loads(request.body)["payload"]["agent"]["id"]
    return (500, {}, ANSWER.encode()) if key % 3 == 0 else OK


RECEIVER_FAULTS: dict[str, Fault] = {
    "a third": _refuse_a_third,
    "500": lambda _: (500, {}, ANSWER.encode()),
    "429": lambda _: (429, {"Retry-After": "1"}, b""),
    "429 garbage": lambda _: (429, {"Retry-After": "soon\xff"}, b""),
    "redirect": lambda _: (302, {"Location": "http://[::1"}, b"x" * 50_000),
    "reset": lambda _: reset(),
    "close": lambda _: raw(b""),
    "garbage": lambda _: raw(b"\x00\xff\n" * 100),
    "cut head": lambda _: raw(b"HTTP/1.1 200 OK\r\nServer:"),
    "hang": lambda _: hang(),
    "drip": lambda _: endless(b"x", first=b"HTTP/1.1 200 OK\r\nX: ", every=0.1),
    "continue": lambda _: endless(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.1),
}


@dataclass
class Faults:
    """Causes faults, and notes them."""

    stage: Stage
    random: random.Random
    past: Past
    slowest_takeover: float = 0.0

    def throw(self, *, deadly: bool) -> None:
        """Cause one fault; a deadly one ends the process that owns the sockets with SIGKILL."""
        gentle = [self.stop, self.freeze, self.twice, self.receiver, self.socket, self.lock]
        gentle += [self.silent_servers, self.backlog]
        fatal = [self.kill, self.take_over, self.take_over]
        if self.stage.postgresql is not None:
            fatal.append(self.restart_database)
        choice = self.random.choice(fatal if deadly else gentle)
        if choice is not self.receiver and self.random.random() < 0.4:
            self.receiver()
        self.past.begin(choice.__name__)
        choice()
        self.wait_for_owner()

    def kill(self) -> None:
        """Kill the server with SIGKILL, and start a new one."""
        self.past.kill(self.stage.servers[0])
        self.stage.start_server()

    def take_over(self) -> None:
        """Kill the server with SIGKILL while another one waits for the sockets."""
        if len(self.stage.servers) < 2:
            self.stage.start_server()
        owners = wait_until(self.stage.owners, TAKEOVER_SECONDS, "an owner says that it is one")
        assert len(owners) == 1, f"{len(owners)} servers say that they own the sockets"
        self.past.kill(owners[0])
        began = time.monotonic()
        wait_until(self.stage.owners, TAKEOVER_SECONDS, "the other server owns the sockets")
        self.slowest_takeover = max(self.slowest_takeover, time.monotonic() - began)

    def stop(self) -> None:
        """Stop the server with SIGTERM, sometimes twice; it finishes what it is sending."""
        server = self.stage.servers[0]
        server.signal(signal.SIGTERM)
        if self.random.random() < 0.5:
            gevent.sleep(self.random.uniform(0.0, 0.5))
            server.signal(signal.SIGTERM)
        code = server.wait()
        assert code == 0, f"a server ended with {code} after SIGTERM"
        self.past.gone(server)
        if not self.stage.servers:
            self.stage.start_server()

    def freeze(self) -> None:
        """Stop the server with SIGSTOP for a moment; it stays the owner of the sockets."""
        server = self.stage.servers[0]
        server.freeze()
        gevent.sleep(self.random.uniform(0.5, 3.0))
        self.past.note_in_flight()
        server.thaw()
        # An answer that came during the stop may be found after its deadline.
        self.past.note_in_flight()

    def twice(self) -> None:
        """Start a second server, as by mistake: it waits, and the first stays the owner."""
        if len(self.stage.servers) < 2:
            self.stage.start_server()
        gevent.sleep(1.0)
        assert len(self.stage.owners()) == 1

    def receiver(self) -> None:
        """Let one receiver misbehave for a while."""
        log = self.random.choice(self.stage.logs)
        log.fault = self.random.choice(list(RECEIVER_FAULTS.values()))
        gevent.spawn_later(self.random.uniform(0.5, 4.0), setattr, log, "fault", None)

    def socket(self) -> None:
        """Let 3C Plus drop, kick, close or silence a socket, or send nonsense."""
        token = self.random.choice([*self.stage.tokens.values(), None])
        control = self.stage.simulator.control
        acts: list[Callable[[], object]] = [
            lambda: control("drop", token=token),
            lambda: control("kick", token=token),
            lambda: control("close", token=token),
            lambda: control("silence", token=token, seconds=8, pings=False),
            lambda: control("raw", token=token, packet='42["x",{"cut'),
            lambda: control("raw", token=token, packet='451-["x",{"_placeholder":true,"num":9}]'),
        ]
        self.random.choice(acts)()
        gevent.sleep(self.random.uniform(0.0, 2.0))

    def lock(self) -> None:
        """Let another program lock the database, or PostgreSQL end every session."""
        seconds = self.random.uniform(0.2, 7.0)
        if self.stage.postgresql is not None and self.random.random() < 0.5:
            self._cut_sessions(self.stage.postgresql)
            return
        with held(self.stage.url):
            gevent.sleep(seconds)

    def silent_servers(self) -> None:
        """Connect companies whose servers accept and say nothing, and disconnect them again."""
        companies = self.stage.connect_to_silence(SILENT)
        gevent.sleep(self.random.uniform(0.5, 3.0))
        self.stage.disconnect(companies)

    def backlog(self) -> None:
        """Let a backlog of one key grow behind a receiver that is down, and save its webhook."""
        log = self.random.choice(self.stage.logs)
        log.fault = RECEIVER_FAULTS["500"]
        self.stage.one_key = True
        for _ in range(4):
            gevent.sleep(0.7)
            self.stage.save(log.webhook_id)
        self.stage.one_key = False
        log.fault = None

    def restart_database(self) -> None:
        """Restart PostgreSQL while a server starts."""
        server = self.stage.postgresql
        assert server is not None
        self.past.kill(self.stage.servers[0])
        began = time.monotonic()
        self.past.note_in_flight()
        server.stop_at_once()
        starting = gevent.spawn(self.stage.start_server)
        gevent.sleep(self.random.uniform(0.1, 2.0))
        server.start()
        starting.get(timeout=OWNER_SECONDS)
        self.wait_for_owner()
        self.past.note_accepted(began)

    def wait_for_owner(self) -> None:
        """Return when one server owns the sockets and has them all."""
        wait_until(self._whole, OWNER_SECONDS, "an owner with all its sockets")

    def _whole(self) -> bool:
        owners = self.stage.owners()
        assert len(owners) <= 1, "two servers own the sockets"
        if not owners:
            gevent.sleep(0.1)
            return False
        self.stage.servers.sort(key=lambda server: server is not owners[0])
        sockets: dict[str, int] = owners[0].health()["sockets"]
        return sockets["connected"] == len(self.stage.tokens)

    def _fence(self) -> int:
        return int(rows(self.stage.app, "SELECT fence FROM leases")[0][0])

    def _cut_sessions(self, server: postgresql.Server) -> None:
        """End every session of PostgreSQL: the lock is free before the owner knows."""
        began = time.monotonic()
        self.past.note_in_flight()
        fence = self._fence()
        server.terminate_sessions(self.stage.url)
        self.past.ends.append(time.monotonic())
        # For two seconds the owner may believe that it still is the owner.
        wait_until(lambda: self._fence() > fence, OWNER_SECONDS, "a server owns the sockets again")
        self.wait_for_owner()
        # The next owner sends again what the former one was sending.
        self.past.note_accepted(began)
