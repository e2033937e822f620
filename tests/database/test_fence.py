"""A write names its shards and their fences, and one process takes all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import gevent
import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support.application import rows, store_of
from tests.support.databases import own, own_all
from webhookproxy.database.fence import (
    ALL_SHARDS,
    NO_FENCE,
    SHARDS,
    WHOLE,
    Fence,
    Fenced,
    Share,
    lost_shards,
    shard_of,
    shares_of,
    take,
)


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def change(app: Flask, statement: str) -> None:
    store_of(app).run(lambda connection: connection.exec_driver_sql(statement) and None)


def add(number: int) -> Callable[[Connection], None]:
    def job(connection: Connection) -> None:
        statement = "INSERT INTO changes (number, company_id, at) VALUES (:number, 1, 0)"
        connection.execute(text(statement), {"number": number})

    return job


def test_a_write_is_refused_for_the_shards_that_another_process_took_and_no_others(
    app: Flask,
) -> None:
    fence = own_all(app)
    change(app, "UPDATE leases SET fence = fence + 1 WHERE shard IN (5, 40)")
    few, many = fence.of_shards(range(6, 12)), fence.of_shards(range(50))
    table: list[tuple[Fence | Callable[[], Fence] | None, set[int]]] = [
        (fence.of_company(4), set()),
        (fence.of_company(5), {5}),
        (fence.of_company(SHARDS + 5), {5}),
        (fence.of_companies([4, 6, 5]), {5}),
        (few, set()),
        (lambda: few, set()),
        (lambda: many, {5, 40}),
        (fence, {5, 40}),
        # Of a shard that this process does not own.
        (few.of_company(4), {4}),
        (NO_FENCE, set(ALL_SHARDS)),
        (None, set()),
    ]
    run = store_of(app).run
    # They share a commit.
    jobs = [gevent.spawn(run, add(n + 1), fence=named) for n, (named, _) in enumerate(table)]
    gevent.joinall(jobs, timeout=20)
    for job, (_, lost) in zip(jobs, table, strict=True):
        assert (job.exception is None) == (not lost)
        assert not lost or (isinstance(job.exception, Fenced) and job.exception.shards == lost)
    written = {row.number for row in rows(app, "SELECT number FROM changes")}
    assert written == {n + 1 for n, (_, lost) in enumerate(table) if not lost}


def test_every_shard_is_taken_at_once_and_none_with_a_number_that_one_had(app: Flask) -> None:
    assert own_all(app, "first").numbers == dict.fromkeys(range(SHARDS), 1)
    change(app, "UPDATE leases SET fence = 7, holder = 'second', heartbeat_at = 77 WHERE shard = 9")
    change(app, "UPDATE leases SET heartbeat_at = 66 WHERE shard <> 9")
    fence, continued = store_of(app).run(lambda connection: take(connection, WHOLE, holder="first"))
    assert fence.numbers == dict.fromkeys(range(SHARDS), 8)
    assert continued == ALL_SHARDS - {9}
    found = rows(app, "SELECT shard, fence, holder, heartbeat_at FROM leases ORDER BY shard")
    heard = {row.shard: row.heartbeat_at for row in found}
    # From there on the companies of each were without a socket.
    assert heard == {**dict.fromkeys(range(SHARDS), 66), 9: 77}
    assert {(row.fence, row.holder) for row in found} == {(8, "first")}


def test_what_a_version_without_shards_owned_it_owned_by_one_lease(app: Flask) -> None:
    change(
        app,
        "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id, last_delivery_id)"
        " VALUES (0, 4, 'older', 44, 0, 0)",
    )
    fence, continued = store_of(app).run(partial(take, share=WHOLE, holder="this one"))
    assert fence.numbers == dict.fromkeys(range(SHARDS), 5)
    assert continued == frozenset()
    assert {row.heartbeat_at for row in rows(app, "SELECT heartbeat_at FROM leases")} == {44}


def test_a_share_is_taken_without_the_others_and_all_of_them_again(app: Flask) -> None:
    change(
        app,
        "INSERT INTO leases (shard, fence, holder, heartbeat_at, last_event_id, last_delivery_id)"
        " VALUES (0, 4, 'older', 44, 0, 0)",
    )
    first, third = own(app, Share(0, 4), "first"), own(app, Share(2, 4), "third")
    assert first.numbers == dict.fromkeys(range(0, SHARDS, 4), 5)
    assert third.numbers == dict.fromkeys(range(2, SHARDS, 4), 6)
    assert own(app, Share(2, 4), "next").numbers == dict.fromkeys(range(2, SHARDS, 4), 7)
    with pytest.raises(Fenced) as lost:
        store_of(app).run(add(1), fence=third)
    assert lost.value.shards == third.numbers.keys()
    store_of(app).run(add(1), fence=first)
    change(app, "UPDATE leases SET heartbeat_at = 55 WHERE shard IN (2, 6, 62)")
    assert own_all(app).numbers == dict.fromkeys(range(SHARDS), 8)
    heard = {row.heartbeat_at for row in rows(app, "SELECT heartbeat_at FROM leases")}
    assert heard == {44, 55}


@pytest.mark.postgresql
def test_a_new_owner_waits_for_a_write_that_has_begun(postgresql_app: Flask) -> None:
    fence = own_all(postgresql_app)
    engine = create_engine(postgresql_app.config["SQLALCHEMY_DATABASE_URI"])
    with engine.connect() as writing, engine.connect() as taking:
        taking.exec_driver_sql("SET lock_timeout = '50ms'")
        taking.commit()
        begun = writing.begin()
        assert lost_shards(writing, [fence.of_company(5)]) == [frozenset()]
        with pytest.raises(OperationalError):
            take(taking, WHOLE, holder="next")
        taking.rollback()
        begun.commit()
        taken, _ = take(taking, WHOLE, holder="next")
        taking.commit()
        with writing.begin():
            assert lost_shards(writing, [fence.of_company(5), taken]) == [{5}, frozenset()]
    engine.dispose()


def test_consecutive_companies_are_of_different_shards() -> None:
    assert sorted(map(shard_of, range(1, SHARDS + 1))) == list(range(SHARDS))


def test_each_company_is_in_one_share_with_all_of_its_shard() -> None:
    for count in (1, 2, 16):
        shares = shares_of(count)
        assert sorted(shard for each in shares for shard in each.shards) == list(range(SHARDS))
        for company_id in (1, 63, 64, 65, 10**6):
            (found,) = (each for each in shares if each.has(company_id))
            assert shard_of(company_id) in found.shards
