"""A company's events as they arrive, as server-sent events: `webhookproxy-listen` follows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import Annotated

import gevent
from flask import Flask, Response, current_app, request, stream_with_context
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.api.reads.companies import CompanyPath
from webhookproxy.api.reads.followed import PAGE, Look, newest_place, page_after, place_of
from webhookproxy.api.shared.access import ask_again, caller, company_of, webhook_of
from webhookproxy.api.shared.ids import WebhookId
from webhookproxy.api.shared.operations import Given, Operations
from webhookproxy.api.shared.problems import ApiProblem, Mistake
from webhookproxy.broadcast import Broadcast, TooMany
from webhookproxy.events.newer_version import NewerVersion
from webhookproxy.extensions import db
from webhookproxy.models.accounts.api_tokens import Scope
from webhookproxy.models.payload_views import note_view

# Streams of all tokens together.
STREAMS_MAX = 20
# How often the token's rights, and what `like` says, are read again.
RIGHTS_SECONDS = 2.0
# A process may be told of no event (see web/shared/live.py), so it looks by itself.
LOOK_SECONDS = 1.0
# However many events arrive, they are read this often at most.
PAUSE_SECONDS = 0.1
# Proxies end a connection that says nothing, a reader notices one that is dead, and the server a
# reader that is gone: its place is free after two beats.
BEAT_SECONDS = 5.0
_OPEN = "api_streams"

operations = Operations("stream", "Eventos ao vivo")


class StreamQuery(Given):
    """What is followed, and for how long."""

    like: Annotated[
        WebhookId | None,
        Field(description="Só o que este webhook quer, no formato dele; nunca os segredos dele."),
    ] = None
    seconds: Annotated[
        int | None,
        Field(ge=0, le=86_400, description="Termina depois disto; 0: depois do que já chegou."),
    ] = None


@operations.reads(
    "/companies/<company>/stream",
    None,
    "Acompanha os eventos de uma empresa",
    scope=Scope.PAYLOADS,
)
def follow_events(path: CompanyPath, query: StreamQuery) -> Response:
    """Follow the events of a company from now on, or from the one in Last-Event-ID."""
    company_of(path.company)
    look = _look(path.company, query.like)
    place, first = _place(path.company)
    app, broadcast = current_app, current_app.extensions["broadcast"]
    if app.extensions.get(_OPEN, 0) >= STREAMS_MAX or broadcast.full or broadcast.closed:
        words = (
            f"Já há {STREAMS_MAX} acompanhamentos abertos: feche um, ou tente mais tarde.",
            f"{STREAMS_MAX} streams are open already: close one, or try again later.",
        )
        raise ApiProblem(503, words=words, headers={"Retry-After": "10"})
    _note_view(path.company)
    stream = _Stream(broadcast, path.company, query, look, place)
    answer = Response(stream_with_context(stream.lines(first)), mimetype="text/event-stream")
    # Without it a proxy such as nginx keeps the lines until it has several kilobytes.
    answer.headers["X-Accel-Buffering"] = "no"
    answer.headers["Cache-Control"] = "no-store"
    answer.call_on_close(_seat(app._get_current_object()))  # type: ignore[attr-defined]
    return answer


def _seat(app: Flask) -> Callable[[], None]:
    """Count a stream that opens; return what counts its end."""
    app.extensions[_OPEN] = app.extensions.get(_OPEN, 0) + 1

    def leave() -> None:
        app.extensions[_OPEN] -= 1

    return leave


def _look(company_id: int, like: int | None) -> Look:
    if like is None:
        return Look(None)
    webhook = webhook_of(like)
    if webhook.company_id != company_id:
        raise ApiProblem(404)
    try:
        return Look(webhook)
    except NewerVersion:
        words = (
            "O formato deste webhook é de uma versão mais nova do programa.",
            "A newer version of the program wrote this webhook's format.",
        )
        raise ApiProblem(409, words=words) from None


def _note_view(company_id: int) -> None:
    note_view(current_app, caller().actor, f"company_{company_id}", company_id)


def _place(company_id: int) -> tuple[int, str]:
    """Return the number and the public id of the event after which the stream begins."""
    last = request.headers.get("Last-Event-ID", "")
    if not last:
        return newest_place(db.session(), company_id)
    place = place_of(db.session(), last)
    if place is None:
        mistake = Mistake(
            path="Last-Event-ID",
            message="Isto não é o id de um evento: comece sem ele.",
            message_en="This is not the id of an event: begin without it.",
        )
        raise ApiProblem(422, [mistake])
    return place, last


class _Stream:
    """One open stream: where it is, and when it looks at what again."""

    def __init__(
        self, broadcast: Broadcast, company_id: int, query: StreamQuery, look: Look, place: int
    ) -> None:
        self._broadcast, self._company_id, self._query = broadcast, company_id, query
        self._look, self._place = look, place
        now = time.monotonic()
        self._ends_at = None if query.seconds is None else now + query.seconds
        self._rights_at, self._beaten_at = now, now

    def lines(self, first: str) -> Iterator[str]:
        """Yield the stream until it is over: the token, the server, the seconds, the database."""
        # The place is known from the beginning, so that a drop before the first event loses none.
        yield f"id: {first}\n\n"
        companies = frozenset([self._company_id])
        try:
            with self._broadcast.listen(companies, f"stream {id(self)}") as listener:
                while not self._broadcast.closed and self._may_go_on():
                    is_more = yield from self._page()
                    if not is_more:
                        if self._ends_at is not None and time.monotonic() >= self._ends_at:
                            return
                        yield from self._beat()
                        gevent.sleep(PAUSE_SECONDS)
                        listener.wait(LOOK_SECONDS)
        except (ApiProblem, SQLAlchemyError, TooMany):
            # The reader comes back with its place, and then learns why.
            return
        finally:
            db.session.remove()

    def _may_go_on(self) -> bool:
        """Return whether the token may still follow; what changed is read every few seconds."""
        now = time.monotonic()
        if now - self._rights_at < RIGHTS_SECONDS:
            return True
        self._rights_at = now
        try:
            ask_again(Scope.PAYLOADS)
            company_of(self._company_id)
            self._look = _look(self._company_id, self._query.like)
            _note_view(self._company_id)
        finally:
            db.session.remove()
        return True

    def _page(self) -> Generator[str, None, bool]:
        """Yield the next events; return whether more wait already."""
        # It is read whole, so that no connection to the database waits for a slow reader.
        rows = page_after(db.session(), self._company_id, self._place)
        db.session.remove()
        for event in rows:
            yield "".join(self._look.lines(event))
            self._place = event.id
            # Another one must not keep the sockets waiting.
            gevent.sleep(0)
        return len(rows) == PAGE

    def _beat(self) -> Iterator[str]:
        if time.monotonic() - self._beaten_at >= BEAT_SECONDS:
            self._beaten_at = time.monotonic()
            yield ": ok\n\n"
