"""Many companies, slow receivers, a large backlog, pages under load: one round of each."""

from __future__ import annotations

import re
import threading
import time
from contextlib import ExitStack

import requests

from bench.load import EVENT, Load, burst, percentile, steady
from bench.processes.relays import Stage, install
from bench.processes.stage import Relay, wait_for
from bench.rows import Row, at_least, at_most
from webhookproxy.demo.programs import flask

PASSWORD = "a password for measuring only"
EMAIL = "bench@example.com"


def many_companies(stage: Stage, reference: Load, seconds: float) -> list[Row]:
    """Measure 100 companies, with 3 events/s each, to two webhooks each."""
    product = install(stage, companies=100, webhooks=2)
    with ExitStack() as started:
        relay = product.start(stage, started)
        found = steady(stage, relay, product.tokens, rate=3.0, seconds=seconds, copies=2)
    return [
        at_most(
            f"100 companies: p99 / N1's ({found.p99:.1f} ms)", found.p99 / reference.p99, 10, 3
        ),
        at_most("100 companies: share of the core", found.core_share, 1.0, 0.6),
        Row("100 companies: lost", "0", "0", "0", "goal"),
    ]


def slow_receiver(stage: Stage, seconds: float) -> list[Row]:
    """Measure a receiver that takes 0.3 s: 100 events/s of different calls, parallelism 64."""
    product = install(stage, path="/slow", parallelism=64)
    with ExitStack() as started:
        relay = product.start(stage, started)
        found = steady(stage, relay, product.tokens, rate=100.0, seconds=seconds)
    # The receiver notes the arrival when it has read the request, before it waits.
    return [at_most("receiver of 300 ms: p99 until it has the event, ms", found.p99, 1000, 100)]


def backlog(stage: Stage, events: int) -> list[Row]:
    """Measure a receiver that comes back to many waiting deliveries."""
    product = install(stage)
    with ExitStack() as started:
        relay = product.start(stage, started)
        alone = burst(stage, relay, product.tokens[0], 5000)
        stage.receiver.switch(down=True)
        stage.receiver.forget()
        given = {"token": product.tokens[0], "count": events, "event": EVENT}
        stage.simulator.command("burst", **given)
        relay.wait_until_quiet()
        stage.receiver.switch(down=False)
        wait_for(lambda: stage.receiver.count() > 0, "the first probe", 60)
        began, had = time.monotonic(), stage.receiver.count()
        rss = _drain(stage, relay, events)
        rate = (events - had) / (time.monotonic() - began)
    name = f"backlog of {events:,}: drain / its own burst"
    return [
        at_least(name, rate / alone.per_second, 0.75, 1.0),
        at_most(f"backlog of {events:,}: RSS in MB", rss, 250, 250),
    ]


def _drain(stage: Stage, relay: Relay, events: int) -> float:
    """Wait until everything has arrived. Return the relay's highest memory, in MB."""
    most = 0.0
    until = time.monotonic() + 600
    while stage.receiver.count() < events and time.monotonic() < until:
        relay.check_alive()
        most = max(most, relay.rss_mb())
        time.sleep(0.2)
    return most


def start_of_many(stage: Stage, companies: int) -> list[Row]:
    """Measure a start until all companies are connected over wss, and the cost of an idle one."""
    product, one = install(stage, companies=companies, tls=True), install(stage, tls=True)
    with ExitStack() as started:
        relay = one.start(stage, started)
        relay.wait_until_quiet()
        base = relay.rss_mb()
    with ExitStack() as started:
        began = time.monotonic()
        relay = product.start(stage, started)
        took = time.monotonic() - began
        relay.wait_until_quiet()
        each = (relay.rss_mb() - base) * 1000 / companies
        cpu, since = relay.cpu_seconds(), time.monotonic()
        time.sleep(10.0)
        idle = (relay.cpu_seconds() - cpu) / (time.monotonic() - since)
    return [
        at_most(f"start with {companies:,} companies over wss, s", took, 30, 10),
        at_most("idle company over wss: KB RSS each", each, 80, 60),
        at_most(f"{companies:,} idle companies: share of the core", idle, 0.02, 0.02),
    ]


def pages(stage: Stage, events: int) -> list[Row]:
    """Compare a page during a burst with the same page at rest."""
    product = install(stage)
    stdin = PASSWORD + "\n"
    flask(product.environment, "user", "create", EMAIL, "--admin", "--password-stdin", stdin=stdin)
    with ExitStack() as started:
        relay = product.start(stage, started)
        session = log_in(relay.url, EMAIL, PASSWORD)
        idle = [_page(session, relay.url) for _ in range(50)]
        busy: list[float] = []
        over = threading.Event()

        def visit() -> None:
            while not over.is_set():
                busy.append(_page(session, relay.url))

        visitor = threading.Thread(target=visit)
        visitor.start()
        try:
            _flood(stage, product.tokens[0], events)
        finally:
            over.set()
            visitor.join()
    ratio = percentile(busy, 0.95) / percentile(idle, 0.95)
    return [at_most("page during a burst: p95 / idle", ratio, 10, 3)]


def _flood(stage: Stage, token: str, events: int) -> None:
    stage.receiver.forget()
    stage.simulator.command("burst", token=token, count=events, event=EVENT)
    wait_for(lambda: stage.receiver.count() >= events, f"the arrival of {events} events", 120)


def log_in(url: str, email: str, password: str) -> requests.Session:
    """Return a session that is logged in."""
    session = requests.Session()
    session.trust_env = False
    page = session.get(f"{url}/entrar", timeout=30).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    given = {"email": email, "password": password, "csrf_token": token[1] if token else ""}
    session.post(f"{url}/entrar", data=given, timeout=30).raise_for_status()
    return session


def _page(session: requests.Session, url: str) -> float:
    began = time.monotonic()
    session.get(f"{url}/empresas/company_1", timeout=30).raise_for_status()
    return time.monotonic() - began
