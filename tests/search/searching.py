"""Events with the payloads of a test, indexed on demand, and questions about them."""

from __future__ import annotations

import json
import time
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from tests.support import application as world
from webhookproxy.database.bulk import insert_rows
from webhookproxy.events.catalog import order_key
from webhookproxy.events.contract import new_event_id
from webhookproxy.extensions import db
from webhookproxy.search.asking import ask
from webhookproxy.search.index import tables
from webhookproxy.search.index.indexer import Indexer
from webhookproxy.search.index.place import SearchPlace
from webhookproxy.search.question import Answer, Question

_COLUMNS = (
    "id",
    "public_id",
    "company_id",
    "name",
    "payload",
    "order_key",
    "socket_id",
    "token_mask",
    "received_ms",
    "hidden",
)


class Searching:
    """An application whose index is filled only when a test asks."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.place: SearchPlace = app.extensions["search"]
        with app.app_context():
            self.reading = db.engine
        # To the indexer the hub is always idle.
        self.indexer = Indexer(self.place, self.reading, hub_time=lambda: 0.0)
        self._last = 0

    def store(
        self,
        payload: Any,
        *,
        name: str = "call-was-connected",
        company: int = 1,
        key: str = "",
        event_id: int = 0,
    ) -> int:
        """Store an event; `payload` is JSON if it is text already."""
        self._last += 1
        number = event_id or self._last
        now = round(time.time() * 1000)
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        key = key or ("" if isinstance(payload, str) else order_key(name, payload))
        row = (number, new_event_id(now), company, name, text, key, "s", "abcd…", now, 0)
        self.write(lambda connection: insert_rows(connection, "events", _COLUMNS, [row]))
        return number

    def write(self, job: Any) -> Any:
        """Run a job in the application's store."""
        return world.store_of(self.app).run(job)

    def delete(self, *ids: int) -> None:
        """Remove events without telling the index."""
        numbers = ", ".join(map(str, ids))

        def job(connection: Connection) -> None:
            connection.exec_driver_sql(f"DELETE FROM events WHERE id IN ({numbers})")

        self.write(job)

    def index(self) -> None:
        """Run the indexer until it has nothing to do."""
        for _ in range(100):
            if not self.indexer.step():
                return
        raise AssertionError("the indexer never comes to an end")

    def ask(self, words: str = "", count: int = 50, **narrowed: Any) -> Answer:
        """Return the whole answer, by default for company 1."""
        question = Question(**{"companies": frozenset({1}), "words": words, **narrowed})
        with self.app.app_context():
            return ask(db.session(), self.place, question, count)

    def find(self, words: str = "", **narrowed: Any) -> list[int]:
        """Return the ids that are found."""
        return self.ask(words, **narrowed).ids

    def kept(self, table: str) -> list[Any]:
        """Return every row of one of the index's tables."""

        def job(work: Any) -> list[Any]:
            query = f"SELECT * FROM {tables.table(work.connection, table)} ORDER BY 1, 2"
            return [tuple(row) for row in work.connection.exec_driver_sql(query)]

        return self.place.run(job)
