"""The number of open problems, which the title and the icon of every page show."""

from __future__ import annotations

import time

from flask import Flask, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from webhookproxy.extensions import db
from webhookproxy.web.companies.problems import state_of
from webhookproxy.web.shared.access import LOOKED_AT, account, list_companies

# Reading the state of 300 webhooks takes as long as a page: once for a user within this time.
KEPT_SECONDS = 10.0


def init_app(app: Flask) -> None:
    """Give the number to the template of every page."""
    # A function: only a page that does not know the number asks for it.
    app.add_template_global(_open_problem_count, "open_problem_count")


def remember(count: int) -> None:
    """Keep the number that the user's panel shows now, for their other pages."""
    _kept()[account().id] = time.monotonic(), count


def _open_problem_count() -> int:
    """Return the number on the user's panel, at most KEPT_SECONDS old; 0 if it is unknown."""
    if g.get("account") is None:
        return 0
    if (found := _kept().get(account().id)) is not None:
        return found[1]
    session = db.session()
    try:
        companies = list_companies(session, most=LOOKED_AT)
        count = len(state_of(session, companies).all_problems)
    except SQLAlchemyError:
        return 0
    remember(count)
    return count


def _kept() -> dict[int, tuple[float, int]]:
    """Return when and what was found for each user, without what is too old."""
    kept: dict[int, tuple[float, int]] = current_app.extensions.setdefault("open_problems", {})
    oldest = time.monotonic() - KEPT_SECONDS
    for user_id, (looked_at, _) in list(kept.items()):
        if looked_at < oldest:
            del kept[user_id]
    return kept
