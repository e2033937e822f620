"""Each form works once."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from flask import Flask
from sqlalchemy import text

from tests.support.application import rows, store_of
from webhookproxy.models.installation.submissions import KEPT, once


def test_a_form_makes_one_row_however_often_it_is_sent(app: Flask) -> None:
    numbers = count(1)

    def send(key: str) -> tuple[int, bool]:
        return store_of(app).session(lambda session: once(session, key, lambda: next(numbers)))

    sent = [send("a"), send("a"), send("b"), send("a")]
    assert sent == [(1, True), (1, False), (2, True), (1, False)]


def test_what_was_refused_may_be_sent_again(app: Flask) -> None:
    def refuse() -> int:
        raise KeyError("refused")

    with pytest.raises(KeyError, match="refused"):
        store_of(app).session(lambda session: once(session, "a", refuse))
    assert store_of(app).session(lambda session: once(session, "a", lambda: 7)) == (7, True)


def test_keys_are_forgotten_after_a_day(app: Flask) -> None:
    def send(key: str) -> None:
        store_of(app).session(lambda session: once(session, key, lambda: 1))

    send("old")
    by = int((KEPT + timedelta(seconds=1)).total_seconds() * 1000)
    statement = text("UPDATE submissions SET at = at - :by")
    store_of(app).run(lambda connection: connection.execute(statement, {"by": by}))
    send("new")
    assert rows(app, "SELECT key FROM submissions") == [("new",)]
