"""How many statements a page needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy import event

from webhookproxy.extensions import db
from webhookproxy.web.companies import open_problems


def reads(app: Flask, act: Callable[[], object]) -> int:
    """How many statements an act sends to the pages' own connections."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        # Every page reads the number of open problems, not only the first one in a while.
        with patch.object(open_problems, "KEPT_SECONDS", -1.0):
            act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(sent)
