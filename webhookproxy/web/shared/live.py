"""Streams the parts of a page that change, drawn by the templates that the page includes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import gevent
from flask import Response, abort, current_app, render_template, request, stream_with_context
from werkzeug.exceptions import NotFound

from webhookproxy.broadcast import Broadcast, Listener
from webhookproxy.engine.lifecycle import Engine
from webhookproxy.extensions import db
from webhookproxy.web.shared import access

# However much happens, a page is drawn at most once in this time.
DRAW_SECONDS = 0.5
# An old heartbeat must turn green off, and no one tells that it is old: so every page is drawn
# again after this time. A process that neither owns all sockets nor hears of the others' changes
# (on SQLite, or while its connection for that is away) is told nothing of what others own.
LOOK_SECONDS = 2.0
LOOK_SECONDS_ELSEWHERE = 0.8
BEAT_SECONDS = 5.0

_Draw = Callable[[], dict[str, str] | None]


def stream(
    read: Callable[[], Mapping[str, Any]],
    parts: Mapping[str, str],
    companies: frozenset[int] | None,
    guest: str | None = None,
) -> Response:
    """Return server-sent events with each part of a page whenever it changed.

    `parts` names the template of each part by the id of its element, and `read` returns what the
    templates show. A change of one of `companies` (None: of any) draws the page again. 503 when
    too many pages are open. The stream ends with the login, with a 404 of `read` (what it shows
    was deleted, or may no longer be seen), and when the server stops. It holds no connection to
    the database while it waits.

    `guest` is the key of a guest, who has no login: then only `read` ends the stream. Guests take
    no more than half of the open pages.
    """
    broadcast: Broadcast = current_app.extensions["broadcast"]
    full = broadcast.full if guest is None else broadcast.half_full
    if full or broadcast.closed:
        abort(503)
    login = access.account().key if guest is None else guest

    def draw() -> dict[str, str] | None:
        try:
            if guest is None and not access.holds(login):
                return None
            facts = read()
            templates = {"aviso": "connection/alarms.html", **parts}
            return {name: render_template(path, **facts) for name, path in templates.items()}
        except NotFound:
            return None
        finally:
            db.session.remove()

    lines = stream_with_context(_lines(broadcast, companies, login, draw))
    answer = Response(lines, mimetype="text/event-stream")
    # Without it a proxy such as nginx keeps the lines until it has several kilobytes.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _lines(
    broadcast: Broadcast, companies: frozenset[int] | None, login: str, draw: _Draw
) -> Iterator[str]:
    page = f"{login} {request.full_path}"
    sent: dict[str, str] = {}
    beaten = 0.0
    with broadcast.listen(companies, login) as listener:
        while not (broadcast.closed or listener.replaced):
            # Kept in a variable during the wait: another stream of this page may take it.
            drawing = _drawing(page, draw, listener.woken_at)
            if drawing.parts is None:
                yield "event: over\ndata: \n\n"
                return
            changed = {name: html for name, html in drawing.parts.items() if sent.get(name) != html}
            sent |= changed
            for name, html in changed.items():
                yield f"event: part\ndata: {json.dumps({'id': name, 'html': html})}\n\n"
            if changed or time.monotonic() - beaten >= BEAT_SECONDS:
                beaten = time.monotonic()
                yield "event: beat\ndata: \n\n"
            _wait(broadcast, listener)


@dataclass(slots=True, weakref_slot=True)
class _Drawing:
    """The parts of a page; None if the login, or what the page shows, had ended."""

    parts: dict[str, str] | None
    began: float


# The newest drawing of each page of each login that has a stream.
_newest: WeakValueDictionary[str, _Drawing] = WeakValueDictionary()


def _drawing(page: str, draw: _Draw, changed_at: float) -> _Drawing:
    """Return the page as it is now.

    What another stream began to draw after the last change, and not long ago, is taken.
    """
    now = time.monotonic()
    newest = _newest.get(page)
    if newest is None or newest.began < max(changed_at, now - DRAW_SECONDS):
        newest = _newest[page] = _Drawing(draw(), now)
    return newest


def _wait(broadcast: Broadcast, listener: Listener) -> None:
    gevent.sleep(DRAW_SECONDS)
    engine: Engine | None = current_app.extensions.get("engine")
    owns_all = engine is not None and engine.health().owns_all
    is_told = owns_all or broadcast.hears_others
    listener.wait((LOOK_SECONDS if is_told else LOOK_SECONDS_ELSEWHERE) - DRAW_SECONDS)
