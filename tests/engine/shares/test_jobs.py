"""The jobs of a share see its companies only, and the installation's are the first share's."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, rows, store_of
from tests.support.databases import own
from tests.web.support.sockets import execute
from webhookproxy.database.clock import utc_now
from webhookproxy.database.fence import Share
from webhookproxy.engine.background_jobs import ShareJobs, installation_jobs, share_jobs
from webhookproxy.engine.shares.relay import Relay
from webhookproxy.logs.console import Console
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.webhooks import delete_webhook, find_webhook
from webhookproxy.rules.webhooks import WebhookState

COUNT = 4


def delete(company_id: int, session: Session) -> None:
    delete_company(session, find_company(session, company_id))


@pytest.fixture
def console() -> Iterator[Console]:
    with Path(os.devnull).open("wb") as nowhere:
        made = Console(nowhere.fileno(), logging.INFO, 200)
        yield made
        made.close()


@pytest.fixture
def app(any_app: Flask) -> Flask:
    return any_app


def jobs_of(app: Flask, console: Console, number: int) -> tuple[Relay, ShareJobs]:
    """Return a relay that owns a share, and its jobs."""
    share = Share(number, COUNT)
    relay = Relay(app, store_of(app), console, lambda _: None, share=share)
    fence = own(app, share, f"host:{number}")
    relay.fence = fence
    relay.intake.journal.start(fence)
    return relay, share_jobs(app, relay)


@pytest.fixture
def companies(app: Flask) -> dict[int, list[int]]:
    """Eight companies by the share that they are in."""
    made: dict[int, list[int]] = {number: [] for number in range(COUNT)}
    for number in range(8):
        company = make_company(
            app, token=f"share-token-{number:04}", connected=True, recover_calls=True,
            sweep_calls=True,
        )  # fmt: skip
        made[company % COUNT].append(company)
    return made


def test_what_each_job_looks_at_is_of_its_share(
    app: Flask, console: Console, companies: dict[int, list[int]]
) -> None:
    for number in [each for some in companies.values() for each in some]:
        webhook = make_webhook(app, number, "http://127.0.0.1:9999/", state=WebhookState.PAUSED)
        given = {"company": number, "webhook": webhook}
        execute(
            app,
            "INSERT INTO recoveries (company_id, asked_ms, since_ms, until_ms, state, next_ms)"
            " VALUES (:company, 1, 1, 2, 'running', 1)",
            company=number,
        )
        execute(
            app,
            "INSERT INTO day_comparisons (company_id, day, asked_by, asked_ms, since_ms, until_ms,"
            " state, next_ms) VALUES (:company, 20000, 'ana', 1, 1, 2, 'running', :later)",
            company=number,
            later=1 << 50,
        )
        execute(
            app,
            "INSERT INTO bulk_resends (company_id, webhook_id, asked_by, asked_ms, states, event,"
            " begins, upto, cursor, total, total_is_cut, queued, skipped, delivered, failed,"
            " waiting, state) VALUES (:company, :webhook, 'ana', 1, '[]', '', 0, 0, 0, 0, FALSE,"
            " 0, 0, 0, 0, '[]', 'running')",
            **given,
        )
        execute(app, "UPDATE connections SET state = 'token_refused'")
        execute(
            app,
            "INSERT INTO next_tokens (company_id, token, laid_at, answer)"
            " VALUES (:company, 'no key opens this', 1, 'accepted')",
            company=number,
        )
    everyone = {each for some in companies.values() for each in some}
    # Each is asked for all shares together.
    asked = jobs_of(app, console, 3)[1]
    found = {type(each).__name__: set(each.concerned()) for each in asked}
    assert found.pop("Housekeeping") == set()
    assert found == dict.fromkeys(found, everyone)
    for number, mine in companies.items():
        relay, jobs = jobs_of(app, console, number)
        due = jobs.recovering._progress.due(1 << 50)
        assert sorted(company for _, company in due) == mine
        jobs.comparing.step()
        assert len(jobs.comparing._lists) == len(mine)
        jobs.resending.step()
        assert len(jobs.resending._paces) == len(mine)
        jobs.token_switch.step()
        assert sorted(jobs.token_switch._told) == mine
        with Session(relay.reading) as session:
            seen = jobs.outages._concerned(session, utc_now())
            assert sorted(each.company_id for each in seen) == mine
        jobs.recovering.sweeping.step(relay.intake.journal.fence)
        swept = rows(app, "SELECT company_id FROM recoveries WHERE sweep ORDER BY company_id")
        begun = sorted(each for done in range(number + 1) for each in companies[done])
        assert [row.company_id for row in swept] == begun


def test_what_is_deleted_goes_with_its_share_and_old_rows_with_the_first_one(
    app: Flask, console: Console, companies: dict[int, list[int]]
) -> None:
    for company in companies[1] + companies[2]:
        store_of(app).session(partial(delete, company))
    webhook = make_webhook(app, companies[3][0], "http://127.0.0.1:9999/")
    store_of(app).session(lambda session: delete_webhook(session, find_webhook(session, webhook)))
    execute(app, "UPDATE revision SET number = 20000")
    concerned = set(jobs_of(app, console, 0)[1].housekeeping.concerned())
    assert concerned == {*companies[1], *companies[2], companies[3][0]}

    def left() -> tuple[list[int], list[int], int]:
        found = rows(app, "SELECT id FROM companies ORDER BY id")
        there = [row.id for row in found]
        webhooks = [row.id for row in rows(app, "SELECT id FROM webhooks")]
        return there, webhooks, rows(app, "SELECT COUNT(*) FROM changes WHERE number = 1")[0][0]

    everything = sorted(each for some in companies.values() for each in some)
    for number in (2, 1, 3):
        _, jobs = jobs_of(app, console, number)
        while jobs.housekeeping.step():
            pass
        everything = [each for each in everything if number == 3 or each not in companies[number]]
        there, webhooks, changes = left()
        assert there == everything
        assert webhooks == ([] if number == 3 else [webhook])
        assert changes == 1
    _, jobs = jobs_of(app, console, 0)
    while jobs.housekeeping.step():
        pass
    assert left() == (everything, [], 0)


def test_only_the_first_share_has_the_jobs_of_the_installation(
    app: Flask, console: Console
) -> None:
    first, jobs = jobs_of(app, console, 0)
    of_first = {type(each).__name__ for each in installation_jobs(app, first).of_owner()}
    assert of_first == {"Indexer", "DeadMansSwitch", "Watcher", "Outbox"}
    assert not of_first & {type(each).__name__ for each in jobs}


def test_a_relay_follows_the_companies_of_its_share(
    app: Flask, console: Console, companies: dict[int, list[int]]
) -> None:
    webhooks = {
        company: make_webhook(app, company, "http://127.0.0.1:9999/", state=WebhookState.PAUSED)
        for some in companies.values()
        for company in some
    }
    relay, _ = jobs_of(app, console, 1)
    assert relay.fence is not None

    def followed() -> tuple[list[int], list[int]]:
        lanes = [company for company, each in webhooks.items() if relay.lanes.lane(each)]
        return sorted(relay.registry.supervisors), sorted(lanes)

    relay.start(relay.fence, continued=())
    assert followed() == (companies[1], companies[1])
    later = [make_company(app, token=f"later-token-{each:04}", connected=True) for each in range(8)]
    relay.follow_changes()
    expected = companies[1] + [each for each in later if each % COUNT == 1]
    assert followed()[0] == expected
    assert relay.stop(5.0, None)
