"""The number of open problems, which the title and the icon of every page show."""

from __future__ import annotations

import time

from flask import Flask, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.extensions import db
from webhookproxy.web.companies.problems import state_of
from webhookproxy.web.shared.access import LOOKED_AT, list_companies

# Reading the state of 300 webhooks takes as long as a page: once for a user within this time.
KEPT_SECONDS = 10.0


def init_app(app: Flask) -> None:
    """Give the number to the template of every page."""
    # A function: only a page that does not know the number asks for it.
    app.add_template_global(_open_problem_count, "open_problem_count")


def _open_problem_count() -> int:
    """Return the number on the user's panel, at most KEPT_SECONDS old; 0 if it is unknown."""
    account = g.get("account")
    if account is None:
        return 0
    kept: dict[int, tuple[float, int]] = current_app.extensions.setdefault("open_problems", {})
    now = time.monotonic()
    for user_id, (looked_at, _) in list(kept.items()):
        if now - looked_at >= KEPT_SECONDS:
            del kept[user_id]
    if account.id not in kept:
        session = db.session()
        try:
            companies = list_companies(session, most=LOOKED_AT)
            kept[account.id] = now, len(state_of(session, companies).all_problems)
        except SQLAlchemyError:
            return 0
    return kept[account.id][1]
