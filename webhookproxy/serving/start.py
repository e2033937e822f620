"""Starts the engine inside a server's worker, and stops it before the worker goes."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

import gevent
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.config.settings import ephemeral_disk_warning
from webhookproxy.database.store import Store
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.logs.records import install
from webhookproxy.models import User
from webhookproxy.serving.files import close_to_others
from webhookproxy.web.login.passwords import first_code

logger = logging.getLogger(__name__)

CODE_SECONDS = 5.0


def serve(app: Flask, stop_worker: Callable[[], None]) -> Engine:
    """Start the engine of this process; the signals to stop drain it, then call `stop_worker`."""
    lines = install(app.config["LOG_LEVEL"], app.config["LOG_LINES_PER_SECOND"])
    warning = ephemeral_disk_warning(app.config)
    if warning is not None:
        logger.warning("%s", warning)
    close_to_others(app.config["SQLALCHEMY_DATABASE_URI"])
    store: Store = app.extensions["store"]
    engine = app.extensions["engine"] = Engine(app, store, lines)
    engine.start()
    logger.info("listening on port %d", app.config["PORT"])
    _say_first_code(app)

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


def _say_first_code(app: Flask, *, again: bool = False) -> None:
    """Print the code that the first visitor must know, if there is no user yet.

    A database that does not answer is asked again until it does.
    """
    try:
        with app.app_context():
            if db.session.scalar(select(User.id).limit(1)) is None:
                logger.info("first access: open /primeiro-acesso, the code is %s", first_code())
    except SQLAlchemyError as error:
        if not again:
            logger.warning("cannot see whether there is a user yet: %s", type(error).__name__)
        later = gevent.Greenlet(_say_first_code, app, again=True)
        later.name = "first_code"
        later.start_later(CODE_SECONDS)
