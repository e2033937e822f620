"""The search for deliveries finds all that match, and never reads a whole table for a page."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, text

from tests.support.application import application, make_company, make_webhook, store_of
from tests.web.support.deliveries import delivery_row, event_row, insert
from webhookproxy.extensions import db
from webhookproxy.models.deliveries.periods import first_delivery, first_event
from webhookproxy.search import deliveries as delivery_search
from webhookproxy.search.deliveries import Wanted
from webhookproxy.web.deliveries.listing import STATES, Page, find_deliveries

MANY = 200_000
ENDED = ("delivered", "refused", "expired", "cancelled", "simulated")


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a few hundred rows reach."""
    monkeypatch.setattr(delivery_search, "LOOK_AT", 40)
    monkeypatch.setattr(delivery_search, "ROUND_MAX", 12)
    monkeypatch.setattr(delivery_search, "FIRST_ROUND", 5)
    monkeypatch.setattr(delivery_search, "PARTS_MAX", 2)


def scatter(app: Flask, webhooks: list[int], count: int, seed: int) -> list[tuple[Any, ...]]:
    """Deliveries of these webhooks in every state, as (id, webhook, state, event name)."""
    draw = random.Random(seed)  # noqa: S311 - test data
    rows, events, deliveries = [], [], []
    for number in range(1, count + 1):
        # The first webhook is busy and the others are not, as it is in life.
        webhook = webhooks[0] if draw.random() < 0.8 else draw.choice(webhooks)
        state, name = draw.choice((*ENDED, "queued", "retrying")), draw.choice(("a", "b", "rare"))
        events.append(event_row(number, 1, name=name, received_ms=number * 1000))
        deliveries.append(delivery_row(number, number, webhook, state=state))
        rows.append((number, webhook, state, name))
    insert(app, events, deliveries)
    return rows


def all_pages(wanted: Wanted, count: int) -> Iterator[Page]:
    """Every page from the newest to the oldest."""
    page = find_deliveries(db.session(), wanted, count)
    yield page
    while page.older is not None:
        page = find_deliveries(db.session(), replace(wanted, before=page.older), count)
        yield page


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("word", STATES)
@pytest.mark.parametrize("name", ["", "rare", "never"])
@pytest.mark.usefixtures("small_bounds")
def test_the_pages_together_have_every_delivery_that_matches_once(
    app: Flask, word: str, name: str, everything: bool
) -> None:
    company = make_company(app)
    webhooks = [make_webhook(app, company, f"http://127.0.0.1:{n}/") for n in range(4001, 4006)]
    rows = scatter(app, webhooks, 300, seed=7)
    chosen, states = frozenset(webhooks[:4]), STATES[word][1]
    expected = [
        number
        for number, webhook, state, event_name in reversed(rows)
        if webhook in chosen
        and (not states or state in states)
        and (not name or event_name == name)
    ]
    with app.app_context():
        wanted = Wanted(chosen, states, name, everything=everything)
        pages = list(all_pages(wanted, 10))
    assert [row.id for page in pages for row in page.rows] == expected


@pytest.mark.usefixtures("small_bounds")
def test_the_way_back_shows_the_same_rows(app: Flask) -> None:
    company = make_company(app)
    webhooks = [make_webhook(app, company, f"http://127.0.0.1:{n}/") for n in (4001, 4002, 4003)]
    scatter(app, webhooks, 200, seed=11)
    with app.app_context():
        wanted = Wanted(webhooks, ("delivered",))
        there = {row.id for page in all_pages(wanted, 10) for row in page.rows}
        page = find_deliveries(db.session(), replace(wanted, before=1), 10)
        back: list[int] = []
        while page.newer is not None:
            page = find_deliveries(db.session(), replace(wanted, after=page.newer), 10)
            assert [row.id for row in page.rows] == sorted((r.id for r in page.rows), reverse=True)
            back += [row.id for row in page.rows]
    assert set(back) == there


def test_a_full_page_back_is_the_page_one_came_from(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4001/")
    scatter(app, [webhook], 50, seed=1)
    with app.app_context():
        wanted = Wanted([webhook])
        first = find_deliveries(db.session(), wanted, 10)
        second = find_deliveries(db.session(), replace(wanted, before=first.older), 10)
        third = find_deliveries(db.session(), replace(wanted, before=second.older), 10)
        back = find_deliveries(db.session(), replace(wanted, after=third.newer), 10)
        assert [row.id for row in back.rows] == [row.id for row in second.rows]
        assert (back.older, first.newer) == (second.older, None)
        # Nothing is newer than the first page, so it is shown as the first page is.
        again = find_deliveries(db.session(), replace(wanted, after=back.newer), 10)
        assert [row.id for row in again.rows] == [row.id for row in first.rows]


def test_a_delivery_whose_event_was_purged_is_left_out(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4001/")
    insert(app, [event_row(2, 1)], [delivery_row(1, 1, webhook), delivery_row(2, 2, webhook)])
    with app.app_context():
        assert [row.id for row in find_deliveries(db.session(), Wanted([webhook])).rows] == [2]


def test_a_time_is_found_among_numbers_with_gaps(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4001/")
    numbers = (3, 4, 90, 91, 5000)
    # No webhook asked for event 90, so it has no delivery.
    insert(
        app,
        [event_row(n, 1, received_ms=n * 10) for n in numbers],
        [delivery_row(n + 7, n, webhook) for n in numbers if n != 90],
    )
    with app.app_context():
        session = db.session()
        for moment in (0, 30, 31, 41, 900, 901, 50_000, 50_001):
            since = first_event(session, moment)
            later = [number for number in numbers if number * 10 >= moment]
            assert [number for number in numbers if number >= since] == later
        assert [first_delivery(session, ms) for ms in (0, 41, 901, 50_001)] == [10, 98, 98, 5008]


def test_an_empty_database_has_an_empty_page(app: Flask) -> None:
    webhook = make_webhook(app, make_company(app), "http://127.0.0.1:4001/")
    with app.app_context():
        page = find_deliveries(db.session(), Wanted([webhook], since_ms=5, until_ms=9, event="x"))
        assert page == Page([], None, None, None)
        assert find_deliveries(db.session(), Wanted([])) == Page([], None, None, None)


def many(app: Flask) -> tuple[int, int]:
    """200,000 deliveries of a busy webhook, under a hundred of a quiet one; both numbers."""
    company = make_company(app)
    busy = make_webhook(app, company, "http://127.0.0.1:4001/")
    quiet = make_webhook(app, company, "http://127.0.0.1:4002/")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})"

    def job(connection: Connection) -> None:
        connection.execute(
            text(
                "INSERT INTO events (id, public_id, company_id, name, payload, order_key,"
                f" socket_id, token_mask, received_ms, hidden) {numbers} SELECT i, 'evt_' || i,"
                f" {company}, CASE i WHEN 5 THEN 'first' ELSE 'common' END, '{{}}', '', '', '',"
                " i * 1000, 0 FROM n"
            )
        )
        connection.execute(
            text(
                "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries,"
                f" attempts, born_ms) {numbers} SELECT i, i, CASE i % 2500 WHEN 0 THEN {quiet}"
                f" ELSE {busy} END, '', CASE WHEN i % 3 = 0 THEN 'cancelled' WHEN i < {MANY} - 9"
                " THEN 'delivered' ELSE 'queued' END, 'accepted', 0, 1, 0 FROM n"
            )
        )

    store_of(app).run(job)
    with app.app_context(), db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    return busy, quiet


@contextmanager
def plans() -> Iterator[list[str]]:
    """How the database says that it ran every query in here."""
    found: list[str] = []
    statements: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        statements.append((statement, given))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if db.engine.dialect.name == "sqlite" else "EXPLAIN "
    with db.engine.connect() as connection:
        for statement, given in statements:
            rows = connection.exec_driver_sql(explain + statement, given)
            found += [str(row[-1]) for row in rows]


@pytest.mark.slow
def test_among_many_rows_no_page_reads_a_whole_table_and_a_search_that_was_cut_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    # Both at once: making the rows takes longer than looking at them.
    with application(database_url, tmp_path) as app:
        busy, quiet = many(app)
        with app.app_context():
            reads_no_whole_table(busy, quiet)
            says_how_far_it_came_and_goes_on(busy)


def reads_no_whole_table(busy: int, quiet: int) -> None:
    both = frozenset({busy, quiet})
    with plans() as found:
        for states in {states for _, states in STATES.values()}:
            for name in ("", "never"):
                for wanted in (
                    Wanted([busy], states, name),
                    Wanted([quiet], states, name, since_ms=100_000_000),
                    Wanted(both, states, name, before=MANY // 2),
                    Wanted(both, states, name, after=MANY // 2),
                    Wanted(both, states, name, everything=True),
                ):
                    search = delivery_search.Search(db.session(), wanted)
                    search.run(51)
                    assert search.looked_at < delivery_search.LOOK_AT + 5000
    assert any("ix_deliveries_open" in line for line in found)
    assert any("ix_deliveries_ended_badly" in line for line in found)
    whole = r"SCAN (deliveries|events|e)\b|Seq Scan on (deliveries|events)"
    assert [line for line in found if re.search(whole, line)] == []


def says_how_far_it_came_and_goes_on(busy: int) -> None:
    pages = list(all_pages(Wanted([busy], event="first"), 50))
    cuts = [page.cut_ms for page in pages[:-1]]
    assert len(pages) > 5
    assert None not in cuts
    assert cuts == sorted((cut for cut in cuts if cut), reverse=True)
    assert [row.id for page in pages for row in page.rows] == [5]
    assert pages[-1].cut_ms is None
