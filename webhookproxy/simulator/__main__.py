"""`python -m webhookproxy.simulator`: run the simulator until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import errno
import signal
import socket
import sys
from collections.abc import Callable, Sequence

import uvicorn

from webhookproxy.simulator.control import Control
from webhookproxy.simulator.endpoint import Endpoint
from webhookproxy.simulator.rest import Rest
from webhookproxy.simulator.server import Settings, Simulator

_BAD_INPUT = 2
_BACKLOG = 1_024


class _Server(uvicorn.Server):
    """A server that prints where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or []:
            host, port = bound.getsockname()[:2]
            address = f"[{host}]" if ":" in host else host
            print(f"simulator listening on http://{address}:{port}", flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit code, 2 if the address is not free."""
    options = _parser().parse_args(arguments)
    try:
        bound = _bind(options.host, options.port)
    except OSError as error:
        print(_sentence(error, options.host, options.port), file=sys.stderr)  # noqa: T201
        return _BAD_INPUT
    settings = Settings(options.agents, options.rate, options.seed, frozenset(options.accept))
    # uvicorn stops in good order at these signals, then raises them again for earlier handlers.
    # These handlers ignore them, so that a requested stop has exit code 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    asyncio.run(_serve(settings, bound))
    return 0


async def _serve(settings: Settings, bound: socket.socket) -> None:
    simulator = Simulator(settings)
    config = uvicorn.Config(
        simulator.application(Endpoint(Control(simulator), Rest(simulator))),
        # Its lines show addresses, which contain tokens.
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        # A client's header must not make it look like loopback.
        proxy_headers=False,
        # 3C Plus runs the JavaScript server: pings by Engine.IO only, and no compression.
        ws="websockets-sansio",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=0,
    )
    await _Server(config).serve(sockets=[bound])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # As the JavaScript server does; asyncio sets it only for sockets that name TCP. Without
        # it an event waits up to 40 ms for the acknowledgement of the one before.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _sentence(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken; choose another with --port, or --port 0 for a free one."
    return f"Cannot listen on {host}:{port}: {error.strerror}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m webhookproxy.simulator",
        description="Play 3C Plus: a Socket.IO server with agents and calls that are not real.",
    )
    parser.add_argument(
        "--port", type=_within(int, 0, 65_535), default=4000, help="0 for a free one (default 4000)"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--agents", type=_within(int, 1, 10_000), default=10, help="per company (default 10)"
    )
    parser.add_argument(
        "--rate",
        type=_within(float, 0, 10_000),
        default=5.0,
        help="events per second and company; 0 for none but commanded ones (default 5)",
    )
    parser.add_argument("--seed", type=int, help="the same number gives the same companies")
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="TOKEN",
        help="accept only this token (repeat for more; default: any of 8 or more characters)",
    )
    return parser


def _within(kind: type[int] | type[float], low: int, high: int) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"must be a number from {low} to {high}")
        return number

    return read


if __name__ == "__main__":
    sys.exit(main())
