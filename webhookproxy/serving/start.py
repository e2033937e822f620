"""Starts the engine inside a server's worker, and stops it before the worker goes."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from pathlib import Path

import gevent
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.config.address import first_access_address, pages_address
from webhookproxy.config.settings import ephemeral_disk_warning
from webhookproxy.database.clock import utc_now
from webhookproxy.database.store import Store
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.logs.console import Console
from webhookproxy.logs.records import install
from webhookproxy.models import User
from webhookproxy.models.accounts.one_time_codes import first_code
from webhookproxy.serving.files import close_to_others

logger = logging.getLogger(__name__)

CODE_SECONDS = 5.0


def serve(
    app: Flask,
    bound: tuple[str, int] | None,
    stop_worker: Callable[[], None],
    stop_server: Callable[[], None],
) -> Engine:
    """Start the engine of this process; the signals to stop drain it, then call `stop_worker`.

    `stop_server` sends such a signal: it is called when another server has taken over. `bound` is
    the address on which the server listens; None stands for a Unix socket.
    """
    lines = install(app.config["LOG_LEVEL"], app.config["LOG_LINES_PER_SECOND"])
    warning = ephemeral_disk_warning(app.config)
    if warning is not None:
        logger.warning("%s", warning)
    close_to_others(app.config["SQLALCHEMY_DATABASE_URI"], Path(app.instance_path))
    store: Store = app.extensions["store"]
    engine = app.extensions["engine"] = Engine(app, store, lines, stop_server)
    engine.start()
    address = pages_address(app.config, bound)
    where = "a Unix socket" if bound is None else f"{bound[0]} port {bound[1]}"
    logger.info("listening on %s: open %s", where, address)
    _say_first_code(app, lines, address)

    stopping = False

    def stop() -> None:
        # A second signal finds the first at work and does no harm.
        nonlocal stopping
        if stopping:
            return
        stopping = True
        logger.info("stopping: what is being sent is finished, then the sockets close")
        if not engine.stop():
            logger.warning(
                "stopped in the middle: what did not end is sent again at the next start"
            )
        lines.close(2.0)
        stop_worker()

    def on_signal() -> None:
        gevent.spawn(stop)

    # gunicorn's master sends SIGQUIT to its worker after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        gevent.signal_handler(number, on_signal)
    return engine


def _say_first_code(app: Flask, lines: Console, address: str, *, again: bool = False) -> None:
    """Print the address that the first visitor must know, if there is no user yet.

    A database that does not answer is asked again until it does.
    """
    try:
        with app.app_context():
            if db.session.scalar(select(User.id).limit(1)) is None:
                code = first_code(app.config["SECRET_KEY"], utc_now())
                lines.first_access(first_access_address(address, code))
    except SQLAlchemyError as error:
        if not again:
            logger.warning("cannot see whether there is a user yet: %s", type(error).__name__)
        later = gevent.Greenlet(_say_first_code, app, lines, address, again=True)
        later.name = "first_code"
        later.start_later(CODE_SECONDS)
