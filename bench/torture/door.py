"""`python -m bench.torture.door`: the pages under attack, on loopback.

Each attack lasts ten seconds, while events arrive at 20 a second. Prints how long /saude took at
most, how long the events took from emit to the receiver, and the server's memory before and after.
Exits with 1 if /saude took more than a second, the p99 of the events is above 250 ms, an event was
lost, or the memory grew by more than 20 MB.
"""

from __future__ import annotations

import http.client
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from bench.companies import Load, emit
from bench.load import percentile
from bench.processes.stage import (
    Receiver,
    Relay,
    Simulator,
    register,
    settings,
    start_server,
    wait_for,
)
from webhookproxy.demo.programs import flask

SECONDS = 10.0
RATE = 20
SAUDE_MS, EVENTS_MS, GROWTH_MB = 1000.0, 250.0, 20.0
EMAIL, PASSWORD = "ana@example.com", "uma senha bem comprida"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
TOO_MUCH = b"a&" * 520_000


@dataclass(frozen=True, slots=True)
class Target:
    """The server that is attacked; `cookie` is that of a user who is logged in."""

    host: str
    port: int
    cookie: str

    def connect(self) -> socket.socket:
        """Return a connection to it."""
        return socket.create_connection((self.host, self.port), timeout=5)

    def held(self, number: int, sent: bytes) -> Iterator[socket.socket]:
        """Yield new connections over each of which the same bytes were sent."""
        for _ in range(number):
            with suppress(OSError):
                connection = self.connect()
                connection.sendall(sent)
                yield connection


Attack = Callable[[Target, threading.Event], None]


def hold(number: int, sent: str, then: bytes) -> Attack:
    """Return an attack by connections that begin with a text and go on by a byte a second."""

    def attack(target: Target, over: threading.Event) -> None:
        connections = list(target.held(number, sent.encode()))
        while not over.wait(1.0):
            for connection in connections if then else ():
                with suppress(OSError):
                    connection.sendall(then)
        for connection in connections:
            connection.close()

    return attack


def repeat(clients: int, sent: bytes) -> Attack:
    """Return an attack by clients that send the same request again and again."""

    def client(target: Target, over: threading.Event) -> None:
        while not over.is_set():
            with suppress(OSError), target.connect() as connection:
                connection.sendall(sent)
                connection.recv(4096)

    def attack(target: Target, over: threading.Event) -> None:
        threads = [threading.Thread(target=client, args=(target, over)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    return attack


def log_in(target: Target, over: threading.Event) -> None:
    """Try 400 wrong passwords at once."""
    body = urlencode({"email": EMAIL, "password": "errada"}).encode()
    request = f"POST /entrar HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {len(body)}\r\n\r\n"
    hold(400, request + body.decode(), b"")(target, over)


def streams(target: Target, over: threading.Event) -> None:
    """Open 130 live streams of one user."""
    request = f"GET /ao-vivo HTTP/1.1\r\nHost: x\r\nCookie: {target.cookie}\r\n\r\n"
    hold(130, request, b"")(target, over)


BODY = f"POST /entrar HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: 9000\r\n\r\na="
UNREAD = "GET /static/vendor/tabler-1.6.1.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = f"POST /entrar HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {len(TOO_MUCH)}\r\n\r\n"
ATTACKS: dict[str, Attack] = {
    "nothing": lambda _target, over: (over.wait(), None)[1],
    "520 slow heads": hold(520, "GET /saude HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    "520 slow bodies": hold(520, BODY, b"a"),
    "520 that do not read": hold(520, UNREAD * 3, b""),
    "400 logins": log_in,
    "1 MB forms of 8 clients": repeat(8, LARGE.encode() + TOO_MUCH),
    "130 streams of one user": streams,
}


def cookie_of(host: str, port: int) -> str:
    """Log in and return the session's cookie."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    connection.request("GET", "/entrar")
    answer = connection.getresponse()
    cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    if found is None:
        raise SystemExit("bench.torture.door: the login page has no form")
    fields = {"csrf_token": found[1], "email": EMAIL, "password": PASSWORD}
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/entrar", urlencode(fields), headers)
    answer = connection.getresponse()
    answer.read()
    return str(answer.getheader("Set-Cookie")).partition(";")[0]


def longest_answer(target: Target, over: threading.Event, found: list[float]) -> None:
    """Ask for /saude until it is over, and add each duration in milliseconds."""
    while not over.wait(0.1):
        began = time.monotonic()
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
            connection.request("GET", "/saude")
            connection.getresponse().read()
            connection.close()
        found.append((time.monotonic() - began) * 1000)


@contextmanager
def under(attack: Attack, target: Target, found: list[float]) -> Iterator[None]:
    """Attack while the block runs, and measure /saude."""
    over = threading.Event()
    threads = [
        threading.Thread(target=attack, args=(target, over)),
        threading.Thread(target=longest_answer, args=(target, over, found)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(60)


def main() -> int:
    """Run every attack. Return 0 if the pages and the events withstood all of them."""
    with ExitStack() as stack:
        token, secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        simulator, receiver = Simulator(stack), Receiver(stack, secret)
        environment = settings(stack)
        register(environment, (token,), simulator, receiver, secret)
        create = ("user", "create", EMAIL, "--admin", "--password-stdin")
        flask(environment, *create, stdin=PASSWORD)
        server = start_server(environment, stack)
        wait_for(lambda: simulator.sockets() == 1, "the company's connection")
        parts = urlsplit(server.url)
        host, port = str(parts.hostname), int(parts.port or 0)
        target = Target(host, port, cookie_of(host, port))
        names = "/saude at most", "events p50", "events p99", "memory"
        print(f"{'attack':26}" + "".join(f"{name:>18}" for name in names), flush=True)
        worst = [
            measure(name, attack, target, (server, simulator, receiver), token)
            for name, attack in ATTACKS.items()
        ]
        return int(any(worst))


def measure(
    name: str,
    attack: Attack,
    target: Target,
    processes: tuple[Relay, Simulator, Receiver],
    token: str,
) -> bool:
    """Print the line of one attack. Return whether a bound was passed."""
    server, simulator, receiver = processes
    server.wait_until_quiet()
    receiver.forget()
    before = server.rss_mb()
    answers: list[float] = []
    events = round(SECONDS * RATE)
    with under(attack, target, answers):
        emitted = emit(Load((token,), events, SECONDS), simulator)
    wait_for(lambda: receiver.count() >= events, "the arrival of every event")
    first = receiver.arrivals()["first"]["/1"]
    took = [(at - emitted["/1", number]) * 1000 for number, at in first.items()]
    server.wait_until_quiet()
    after = server.rss_mb()
    slow, p50, p99 = max(answers), percentile(took, 0.5), percentile(took, 0.99)
    figures = f"{slow:.0f} ms", f"{p50:.1f} ms", f"{p99:.1f} ms", f"{before:.0f} → {after:.0f} MB"
    print(f"{name:26}" + "".join(f"{figure:>18}" for figure in figures), flush=True)
    return slow > SAUDE_MS or p99 > EVENTS_MS or after - before > GROWTH_MB


if __name__ == "__main__":
    sys.exit(main())
