"""Alarms about the whole installation, shown above every page."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.engine.lifecycle import Engine
from webhookproxy.engine.liveness import Storing, storing
from webhookproxy.extensions import db
from webhookproxy.housekeeping import disk_space
from webhookproxy.reasons import OTHERS_WITHOUT_OWNER, Words
from webhookproxy.web.shared.access import account
from webhookproxy.web.shared.formats import clock


@dataclass(frozen=True, slots=True)
class Alarm:
    """A heading and what it means. `grave`: events may be lost, and not only their history."""

    heading: str
    words: Words
    grave: bool


def init_app(app: Flask) -> None:
    """Give the alarms to the template that shows them."""
    # A function: a value would be read for every template, and a live page draws several at once.
    app.add_template_global(_alarms, "alarms")


def _alarms() -> list[Alarm]:
    # A visitor who has not logged in is told nothing.
    if g.get("account") is None:
        return []
    engine: Engine | None = current_app.extensions.get("engine")
    found = storing(db.session(), here=engine is None or engine.health().storing)
    if found.companies is not None:
        return [Alarm("Faltam conexões.", _words(found), grave=True)]
    if not found.ok:
        return [Alarm("Não está gravando.", _words(found), grave=True)]
    try:
        disk = disk_space.look(db.session.connection(), current_app.config["MAX_DATA_BYTES"])
    except SQLAlchemyError:
        return []
    return [Alarm("Pouco espaço.", disk.words.filled(), grave=False)] if disk.alarm else []


def _words(found: Storing) -> Words:
    words = found.words
    if found.companies is not None and not account().is_admin:
        words = OTHERS_WITHOUT_OWNER
    if found.since is None:
        return words.filled()
    moment = clock(found.since)
    return words.filled(since=f"em {moment}" if "/" in moment else f"às {moment}")
