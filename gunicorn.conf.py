"""The server's settings: one gevent worker, which starts the engine and drains it at the end."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logging import LogRecord

    from gunicorn.arbiter import Arbiter

    from webhookproxy.serving.worker import Worker

_host = os.environ.get("BIND") or "127.0.0.1"
bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT') or 5000}"
# A server that takes over listens beside the one that it replaces (`bin/serve --take-over`).
reuse_port = True
worker_class = "webhookproxy.serving.worker.Worker"
# Every process opens every socket, so there is one, whatever WEB_CONCURRENCY says.
workers = 1
worker_connections = 500
# The sockets live only as long as the worker, so it is never replaced.
max_requests = 0
# From SIGTERM to SIGKILL of the worker, in seconds: the engine stops within 16.
graceful_timeout = 25
# How long open pages get once the engine has stopped.
PAGES_SECONDS = 1
timeout = 60
keepalive = 5
# The access log would print the addresses of pages, with what people search for.
accesslog = None
# Which proxies are believed, and in what, is Proxies' to say (webhookproxy/network/proxies.py).
forwarded_allow_ips = ""
forwarder_headers = ""
loglevel = "warning"
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """Refuse a port that another server has, and keep the settings that must not change."""
    if os.environ.get("TAKE_OVER", "0") == "0":
        _refuse_taken(server.cfg.address)
    on_reload(server)


def on_reload(server: Arbiter) -> None:
    """Set again what GUNICORN_CMD_ARGS or the command line must not change."""
    fixed = (workers, worker_class, max_requests, accesslog)
    names = ("workers", "worker_class", "max_requests", "accesslog")
    for name, value in zip(names, fixed, strict=True):
        server.cfg.set(name, value)
    server.num_workers = workers
    server.worker_class = server.cfg.worker_class
    server.log.access = _print_nothing


def _refuse_taken(addresses: list[tuple[str, int] | str]) -> None:
    """End with a sentence if another server has the port: two may share one only on purpose."""
    for address in addresses:
        # The path of a Unix socket, or the number of one that systemd opened.
        if not isinstance(address, tuple):
            continue
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    continue
                print(  # noqa: T201
                    f"Another server listens on {address[0]} port {address[1]}: end that one, give "
                    "another PORT, or replace it with `bin/serve --take-over`.",
                    file=sys.stderr,
                )
                raise SystemExit(1) from None


def _print_nothing(*_request: object) -> None:
    pass


def post_worker_init(worker: Worker) -> None:
    """Start the engine in the worker. SIGTERM then drains the engine before the worker ends."""
    # Imported here: in the master process nothing is patched by gevent.
    from gevent import GreenletExit

    from webhookproxy.logs.redaction import ServerRedaction
    from webhookproxy.serving.start import serve

    def is_worth_a_line(record: LogRecord) -> bool:
        # An idle browser's connection ends with the worker, which is not an error.
        return not (record.exc_info and record.exc_info[0] is GreenletExit)

    worker.log.error_log.addFilter(is_worth_a_line)
    worker.log.error_log.addFilter(ServerRedaction())

    # In this process only: the engine stops first. Then a page that is still being read, or that
    # never ends, must not keep the worker for another 25 s.
    worker.cfg.set("graceful_timeout", PAGES_SECONDS)
    application = worker.wsgi
    # Of a Unix socket it is a path.
    bound = worker.sockets[0].getsockname()
    address = (str(bound[0]), int(bound[1])) if isinstance(bound, tuple) else None
    serve(
        application,
        address,
        stop_worker=lambda: worker.handle_exit(0, None),
        # The master would start another worker.
        stop_server=lambda: os.kill(worker.ppid, signal.SIGTERM),
    )
    worker.watch(application.extensions["proxies"].address)
