"""The cost per event with more webhooks, with more rows, and on PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import create_engine, text

from bench.load import Load, burst
from bench.processes.relays import Product, Stage, install
from bench.processes.stage import on_core
from bench.rows import Row, at_least, at_most
from tests.support import postgresql
from webhookproxy.demo.programs import flask
from webhookproxy.search.index.place import SearchPlace, Work

_FILL = text(
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
    " INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) SELECT i, 'evt_' || i, 1, 'call-was-created', :payload,"
    " 'call:' || i, 's', 'm', 1000 * (CAST(strftime('%s', 'now') AS INTEGER) - 3600), 0 FROM n"
)
_FILL_DELIVERIES = text(
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms, ended_ms) SELECT id, id, 1, order_key, 'delivered', 'accepted', 1, 1, received_ms,"
    " received_ms FROM events"
)


def webhooks(stage: Stage, events: int) -> list[Row]:
    """Measure the CPU per delivery with one webhook, and with 1,000 more in ten idle companies."""
    one = _burst(stage, install(stage), events)
    # All but one ask for no event: a webhook must cost nothing while nothing is due to it.
    product = install(stage, companies=10, webhooks=100, events=("none",))
    wanted = ("webhook", "create", "company_1", "bench", f"{stage.receiver.url}/1", "--secret", "-")
    flask(product.environment, *wanted, stdin=stage.secret + "\n")
    many = _burst(stage, product, events)
    return [Row("CPU ms per event: 1 webhook, 1,000 uninterested", _both(one, many))]


def rows(stage: Stage, count: int, events: int) -> list[Row]:
    """Measure the CPU per event on an empty database, and on one with many rows."""
    empty, full = install(stage), install(stage)
    fill(full, count)
    before, after = _burst(stage, empty, events), _burst(stage, full, events)
    return [
        at_most(
            f"CPU per event: {2 * count:,} rows / empty ({_both(before, after)} ms)",
            after.cpu_ms / before.cpu_ms,
            1.2,
            1.2,
        )
    ]


def fill(product: Product, count: int) -> None:
    """Put events, and a delivered delivery of each, into a SQLite database."""
    engine = create_engine(product.environment["DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(_FILL, {"rows": count, "payload": "x" * 300})
        connection.execute(_FILL_DELIVERIES)
    engine.dispose()
    _pass_over(product, count)


def _pass_over(product: Product, count: int) -> None:
    """Mark these events as indexed: this is no measurement of the search."""
    place = SearchPlace(product.environment["DATABASE_URL"])

    def job(work: Work) -> None:
        work.state.cursor, work.state.seal = count, f"evt_{count}"

    place.run(job)
    place.close()


def on_postgresql(stage: Stage, events: int, other_core: int) -> list[Row]:
    """Compare the burst on PostgreSQL, whose server has the other core, with SQLite's."""
    sqlite = _burst(stage, install(stage), events)
    with on_core(other_core), postgresql.running() as server, server.database(empty=True) as url:
        found = _burst(stage, install(stage, database_url=url), events)
    ratio = found.per_second / sqlite.per_second
    return [at_least(f"PostgreSQL / SQLite ({found.per_second:,.0f}/s)", ratio, 0.5, 0.8)]


def _burst(stage: Stage, product: Product, events: int) -> Load:
    with ExitStack() as started:
        relay = product.start(stage, started)
        return burst(stage, relay, product.tokens[0], events)


def _both(first: Load, second: Load) -> str:
    return f"{first.cpu_ms:.2f}, {second.cpu_ms:.2f}"
