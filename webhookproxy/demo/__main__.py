"""`bin/demo`: a simulator, a receiver and a server with one connected company."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from webhookproxy.demo.kept import Kept, keep
from webhookproxy.demo.programs import (
    DemoError,
    Program,
    flask,
    free_port,
    post_json,
    wait_until_connected,
)
from webhookproxy.demo.receiver import Receiver
from webhookproxy.events.catalog import CATALOG

EMAIL = "admin@demo.example"
TOKEN = "demo-" + secrets.token_urlsafe(32)
# The events of --events: ten kinds, some of the same call, some of the same agent.
NAMES = (
    "call-was-created",
    "call-was-answered",
    "call-was-connected",
    "call-was-finished",
    "call-history-was-created",
    "call-was-not-answered",
    "agent-is-idle",
    "agent-in-acw",
    "agent-entered-manual",
    "new-message-whatsapp",
)
EMIT_PER_SECOND = 200
ARRIVE_SECONDS = 60.0


def main() -> int:
    """Run the demo. Return 0 if it went well, with --events only if no event was lost."""
    parser = argparse.ArgumentParser(prog="bin/demo", description=__doc__)
    parser.add_argument("--events", type=int, metavar="N", help="emit N events, count, and end")
    arguments = parser.parse_args()
    if arguments.events is not None and not 1 <= arguments.events <= 100_000:
        parser.error("--events takes a number from 1 to 100000")
    # So that a SIGTERM ends the demo's programs too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with ExitStack() as stack, suppress(KeyboardInterrupt):
            return run(arguments.events, stack)
    except DemoError as error:
        print(f"bin/demo: {error}", file=sys.stderr)
        return 1
    return 0


def run(events: int | None, stack: ExitStack) -> int:
    """Start everything, then count events, or run until Ctrl-C."""
    rate = "0" if events else "5"
    environment = settings(stack)
    simulator = Program(
        sys.executable, "-m", "webhookproxy.simulator", "--port=0", f"--rate={rate}", environment={}
    )
    stack.callback(simulator.stop)
    simulator_url = simulator.wait_for_line("simulator listening on ")
    keys = {"/crm": secrets.token_urlsafe(24), "/planilha": secrets.token_urlsafe(24)}
    receiver = Receiver(keys, talkative=events is None)
    stack.callback(receiver.close)

    kept = Kept(free_port(), secrets.token_urlsafe(12)) if events else keep()
    register(environment, simulator_url, receiver, keys, kept.password)
    url = f"http://127.0.0.1:{kept.port}"
    server = Program(
        sys.executable,
        *("-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"),
        environment={**environment, "BIND": "127.0.0.1", "PORT": str(kept.port)},
        shown=events is None,
    )
    stack.callback(server.stop)
    wait_until_connected(url, server)
    if events:
        return count(events, simulator_url, receiver)
    print(f"\nPáginas: {url}  e-mail: {EMAIL}  senha: {kept.password}\nCtrl-C encerra.\n")
    sys.stdout.flush()
    while True:
        time.sleep(1)
        server.check_alive()


def settings(stack: ExitStack) -> dict[str, str]:
    """Return the environment of the demo: its own database, loopback allowed."""
    folder = Path(tempfile.mkdtemp(prefix="webhookproxy-demo-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    clean = {name: "" for name in ("DYNO", "PUBLIC_URL", "TRUSTED_HOSTS") if name in os.environ}
    return {
        **clean,
        "DATABASE_URL": f"sqlite:///{folder / 'demo.sqlite'}",
        "ALLOW_PRIVATE_TARGETS": "1",
        # The simulator has the calls of its companies on record, too.
        "REST_HOSTS": "127.0.0.1",
        "PYTHONWARNINGS": "",
    }


def register(
    environment: dict[str, str],
    simulator_url: str,
    receiver: Receiver,
    keys: dict[str, str],
    password: str,
) -> None:
    """Create the administrator, the company and its two webhooks, and connect it."""
    flask(environment, "db", "upgrade")
    flask(
        environment, "user", "create", EMAIL, "--admin", "--password-stdin",
        stdin=password + "\n",
    )  # fmt: skip
    company = flask(
        environment, "company", "create", "Empresa Demonstração", "--token", "-",
        "--threec-id", "4242", "--socket-url", simulator_url, stdin=TOKEN + "\n",
    )  # fmt: skip
    chosen = {"/crm": [], "/planilha": ["call-was-connected", "call-history-was-created"]}
    for path, names in chosen.items():
        flask(
            environment, "webhook", "create", company, path.strip("/"), receiver.url(path),
            "--secret", "-", *(part for name in names for part in ("--event", name)),
            stdin=keys[path] + "\n",
        )  # fmt: skip
    flask(environment, "company", "connect", company)


def count(events: int, simulator_url: str, receiver: Receiver) -> int:
    """Emit events, wait for their POSTs, print the account. Return 0 if no event was lost."""
    print(f"Emitting {events} events of {len(NAMES)} kinds, about {EMIT_PER_SECOND} a second.")
    sent: dict[int, float] = {}
    due = {"/crm": 0, "/planilha": 0}
    start = time.monotonic()
    for number in range(1, events + 1):
        name = NAMES[number % len(NAMES)]
        sample = dict(CATALOG[name].sample) if isinstance(CATALOG[name].sample, dict) else {}
        sent[number] = time.time()
        body = {"token": TOKEN, "event": name, "args": [{**sample, "demo_number": number}]}
        post_json(f"{simulator_url}/control/emit", body)
        due["/crm"] += 1
        due["/planilha"] += name in ("call-was-connected", "call-history-was-created")
        time.sleep(max(0.0, start + number / EMIT_PER_SECOND - time.monotonic()))
    expected = sum(due.values())
    until = time.monotonic() + ARRIVE_SECONDS
    while len(receiver.received) < expected and time.monotonic() < until:
        time.sleep(0.05)
    # A doubled event would come right after the last.
    time.sleep(0.5)
    return account(receiver, sent, expected)


def account(receiver: Receiver, sent: dict[int, float], expected: int) -> int:
    """Print how many of the due events arrived."""
    received = list(receiver.received)
    distinct = {(each.path, each.event_id) for each in received}
    verified = sum(each.verified for each in received)
    times = sorted((each.at - sent[each.payload["demo_number"]]) * 1000 for each in received)
    lost = expected - len(distinct)
    print(f"emitted:   {len(sent)} events, due as {expected} POSTs to 2 webhooks")
    print(f"received:  {len(received)}")
    print(f"delivered: {len(distinct)}")
    print(f"doubled:   {len(received) - len(distinct)}")
    print(f"lost:      {lost}")
    print(f"verified:  {verified} of {len(received)} signatures")
    if times:
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        print(f"latency:   p50 {p50:.1f} ms, p99 {p99:.1f} ms, from emit to the receiver")
    return 0 if lost == 0 and verified == len(received) == expected else 1


if __name__ == "__main__":
    sys.exit(main())
