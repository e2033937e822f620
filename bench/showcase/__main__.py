"""Serve the showcase: `python -m bench.showcase FOLDER` prints its address, and serves until the
process that started it ends.

With `--empty` after the folder, the installation has no user yet.

No socket is open: this process only claims to own the sockets, so pages show the states that it
wrote. The clock always starts at ten in the morning in São Paulo, when a call centre is busy.
"""

# ruff: noqa: E402 - nothing may be imported before the patch
from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import flask_migrate
import gevent
import time_machine
from flask import Flask
from gevent.pywsgi import WSGIServer
from sqlalchemy.orm import Session

from bench.showcase import alerts, companies, outages, recoveries, resends, webhooks
from bench.showcase.people import EMAIL, NEWCOMER, OPERATOR, PASSWORD
from bench.showcase.traffic import Traffic
from tests.support.application import application, store_of
from webhookproxy.database.fence import SHARD
from webhookproxy.database.ownership.lease import Ownership
from webhookproxy.database.ownership.locks import lock_for
from webhookproxy.models.accounts.people import create_user, grant, hash_password

BEAT_SECONDS = 2.0
# Without TLS, because the browser comes over plain http and would keep no cookie.
PUBLIC_URL = "http://relay.empresa.example"


def fill(app: Flask, fence: int) -> None:
    """Put everything into the database."""
    hashed = hash_password(PASSWORD)

    def job(session: Session) -> None:
        made = companies.fill(session, app.extensions["policy"], fence)
        hooks = webhooks.fill(session, app.extensions["policy"], made)
        session.flush()
        Traffic(session, made, hooks).fill()
        resends.fill(session, hooks)
        outages.fill(session, hooks)
        recoveries.fill(session, made, hooks)
        admin = create_user(session, EMAIL, hashed, admin=True)
        operator = create_user(session, OPERATOR, hashed, admin=False)
        grant(session, operator, made[companies.CLINIC].id)
        alerts.fill(session, hooks, (admin, operator))
        create_user(session, NEWCOMER, hashed, admin=False)

    store_of(app).session(job)


def ten_in_the_morning() -> datetime:
    """Return the next ten o'clock in São Paulo. A cookie made then has not expired now."""
    now = datetime.now(ZoneInfo("America/Sao_Paulo"))
    today = now.replace(hour=10, minute=12, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def serve(folder: Path, *, empty: bool) -> None:
    """Serve until killed."""
    url = f"sqlite:///{folder / 'showcase.sqlite'}"
    with application(url, folder, PUBLIC_URL=PUBLIC_URL) as app:
        with app.app_context():
            flask_migrate.upgrade()
        owner = Ownership(store_of(app), lock_for(url))
        owner.take()
        assert owner.fence is not None
        if not empty:
            fill(app, owner.fence.number(SHARD))
        server = WSGIServer(("127.0.0.1", 0), app, log=None)
        server.start()
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        # The process that started this one may be killed; then this one must end too.
        parent = os.getppid()
        while os.getppid() == parent and owner.beat():
            gevent.sleep(BEAT_SECONDS)


if __name__ == "__main__":
    with time_machine.travel(ten_in_the_morning(), tick=True):
        serve(Path(sys.argv[1]), empty="--empty" in sys.argv)
