"""What the link to a recording opens: a page with a button, and the audio behind it.

Programs that draw a preview of a link open the page too, so it reads nothing. The audio passes
through this server piece by piece, and nothing of it is kept.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from errno import ECONNRESET
from math import ceil
from typing import NamedTuple

from flask import Blueprint, Response, current_app, g, render_template, request
from sqlalchemy.orm import Session

from webhookproxy.broadcast import Broadcast
from webhookproxy.database.clock import ms_now
from webhookproxy.extensions import db
from webhookproxy.models.audit import LISTENER, Action, Actor, record
from webhookproxy.models.recordings import valid_link
from webhookproxy.network.http.errors import NoAnswer
from webhookproxy.platform.recordings import (
    Audio,
    RecordingError,
    shared_recordings,
    usable_range,
)
from webhookproxy.platform.rest import Access
from webhookproxy.recovery.access import access_of
from webhookproxy.web.recordings.words import SAID
from webhookproxy.web.shared import throttle
from webhookproxy.web.shared.access import public
from webhookproxy.web.shared.forms import policy, write
from webhookproxy.web.shared.headers import keep_address_secret

logger = logging.getLogger(__name__)

blueprint = Blueprint("recordings", __name__, url_prefix="/gravacao")
blueprint.after_request(keep_address_secret)

# No token is longer.
_TOKEN_CHARACTERS = 64
_ENDINGS = {"mpeg": "mp3", "mp3": "mp3", "wav": "wav", "x-wav": "wav", "ogg": "ogg", "mp4": "m4a"}
_PLAIN = re.compile(r"[^0-9A-Za-z_-]")


class _Wanted(NamedTuple):
    """A call whose recording is asked for, and of whom."""

    access: Access
    history_id: str


@blueprint.before_request
def _forget_account() -> None:
    # A user who opens a link sees what everyone sees.
    g.account = None


@blueprint.get("/<token>")
@public
def show(token: str) -> str:
    """Show the button; whether the link is valid is not said here."""
    return render_template("recordings/door.html", token=token)


@blueprint.get("/<token>/audio")
@public
def hear(token: str) -> Response | tuple[str, int]:
    """Pass the recording on from 3C Plus, or a part of it."""
    throttle.limit("recording", throttle.address())
    wanted = _wanted(token)
    # Hold no connection to the database while 3C Plus is waited for.
    db.session.remove()
    if wanted is None:
        return render_template("recordings/over.html"), 404
    asked_range = usable_range(request.headers.get("Range", ""))
    recordings = shared_recordings(current_app.extensions)
    with ExitStack() as held:
        try:
            held.enter_context(recordings.place(wanted.access.company_id))
            audio = recordings.ask(wanted.access, wanted.history_id, asked_range)
        except RecordingError as error:
            return _none(error)
        held.callback(audio.close)
        _note(wanted, asked_range)
        answer = _answer(audio, wanted.history_id)
        # From here on the server lets go of it, when the last byte is sent or the visitor leaves.
        answer.call_on_close(held.pop_all().close)
        return answer


def _wanted(token: str) -> _Wanted | None:
    found = valid_link(db.session(), token[:_TOKEN_CHARACTERS], ms_now())
    if found is None:
        return None
    link, company = found
    return _Wanted(access_of(company, policy()), link.history_id)


def _none(error: RecordingError) -> Response:
    said = SAID[error.trouble]
    answer = Response(render_template("recordings/none.html", said=said), said.status)
    if error.after is not None:
        answer.headers["Retry-After"] = str(max(1, ceil(error.after)))
    return answer


def _note(wanted: _Wanted, asked_range: str) -> None:
    """Write the audit before anything is heard: what cannot be noted is not given out."""
    address = request.remote_addr or ""

    def job(session: Session) -> None:
        record(
            session,
            Actor(None, LISTENER, address),
            Action.RECORDING_HEARD,
            company_id=wanted.access.company_id,
            subject=wanted.history_id,
            detail=asked_range,
        )

    write(job)


def _answer(audio: Audio, history_id: str) -> Response:
    broadcast: Broadcast = current_app.extensions["broadcast"]
    pieces = () if request.method == "HEAD" else _pieces(audio, broadcast)
    answer = Response(pieces, audio.status, mimetype=audio.content_type)
    answer.headers.extend(audio.headers)
    ending = _ENDINGS.get(audio.content_type.partition("/")[2], "audio")
    name = f"gravacao-{_PLAIN.sub('', history_id)}.{ending}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _pieces(audio: Audio, broadcast: Broadcast) -> Iterator[bytes]:
    """Yield the audio. Raises ConnectionResetError if the rest is missing.

    The head has left: only a connection that breaks says that this is not the whole recording.
    """
    try:
        for piece in audio.pieces():
            yield piece
            if broadcast.closed:
                raise ConnectionResetError(ECONNRESET, "the server stops")
    except NoAnswer as error:
        logger.warning("a recording was cut short: %s", error.detail)
        raise ConnectionResetError(ECONNRESET, error.detail) from None
