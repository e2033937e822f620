"""Streams the parts of a page that change, drawn by the templates that the page includes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import gevent
from flask import Response, abort, current_app, stream_with_context
from werkzeug.exceptions import NotFound

from webhookproxy.broadcast import Broadcast, Listener
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.web.shared import access

# The parts of a page by the id of the element that holds each.
Parts = dict[str, str]

# A page whose company is busy is drawn once in so many seconds, however much happens.
DRAW_SECONDS = 0.5
# Green must go when the owner's heartbeat does, which nobody tells: so every page is looked at
# anew that often. Where this process does not own the sockets nobody tells it anything.
LOOK_SECONDS = 2.0
LOOK_SECONDS_ELSEWHERE = 0.8
BEAT_SECONDS = 5.0


def stream(draw: Callable[[], Parts], companies: frozenset[int] | None) -> Response:
    """Server-sent events with each part of a page whenever it changed.

    `companies` is whose changes the page shows (None: everybody's). 503 when too many pages are
    open. The stream ends when the login does, when `draw` ends in a 404 because what it shows was
    deleted or may not be seen any more, and when the server stops; between two looks it holds no
    connection to the database.
    """
    broadcast: Broadcast = current_app.extensions["broadcast"]
    if broadcast.full or broadcast.closed:
        abort(503)
    lines = stream_with_context(_lines(draw, broadcast, companies, access.account().key))
    answer = Response(lines, mimetype="text/event-stream")
    # Otherwise a proxy such as nginx keeps the lines until it has a few kilobytes of them.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _lines(
    draw: Callable[[], Parts], broadcast: Broadcast, companies: frozenset[int] | None, key: str
) -> Iterator[str]:
    sent: Parts = {}
    beaten = 0.0
    with broadcast.listen(companies) as listener:
        while not broadcast.closed:
            parts = _look(draw, key)
            if parts is None:
                yield "event: over\ndata: \n\n"
                return
            changed = {name: html for name, html in parts.items() if sent.get(name) != html}
            sent |= changed
            for name, html in changed.items():
                yield f"event: part\ndata: {json.dumps({'id': name, 'html': html})}\n\n"
            if changed or time.monotonic() - beaten >= BEAT_SECONDS:
                beaten = time.monotonic()
                yield "event: beat\ndata: \n\n"
            _wait(listener)


def _look(draw: Callable[[], Parts], key: str) -> Parts | None:
    """The parts as they are now; None if the login is over, or there is nothing more to see."""
    try:
        return draw() if access.holds(key) else None
    except NotFound:
        return None
    finally:
        db.session.remove()


def _wait(listener: Listener) -> None:
    gevent.sleep(DRAW_SECONDS)
    engine: Engine | None = current_app.extensions.get("engine")
    owner = engine is not None and engine.health().owner
    listener.wait((LOOK_SECONDS if owner else LOOK_SECONDS_ELSEWHERE) - DRAW_SECONDS)
