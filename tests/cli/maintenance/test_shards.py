"""`flask shard`: who owns which share, and what is asked for when one is moved."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from tests.engine.processes.playing import process
from tests.support import application as world
from tests.support.databases import own
from tests.web.support.sockets import execute
from webhookproxy.database.clock import database_clock
from webhookproxy.database.fence import shares_of

Run = Callable[..., Result]
COUNT = 4
ANA, BIA, CEU, PAG = "relay-1:11:aaaa", "relay-2:12:bbbb", "relay-2:12:cccc", "pages-1:13:dddd"
DEAD = "relay-3:14:eeee"
DEAD_MS = 60_000


@pytest.fixture
def run(any_app: Flask) -> Run:
    """Return a function that runs `flask shard` and returns how it ended."""
    runner = any_app.test_cli_runner()
    return lambda *words: runner.invoke(args=["shard", *words])


@pytest.fixture
def shared_out(any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Four shares: Ana owns two, Bia one, and the owner of the last one is dead."""
    monkeypatch.setitem(any_app.config, "SHARES", COUNT)
    for name, role in ((ANA, "owner"), (BIA, "owner"), (CEU, "standby"), (PAG, "pages")):
        process(any_app, name, role)
    process(any_app, DEAD, "owner", ago_ms=DEAD_MS)
    for share, name in zip(shares_of(COUNT), (ANA, ANA, BIA, DEAD), strict=True):
        own(any_app, share, name)
    # However slow the machine is, the heartbeats of the living are not old when they are read.
    clock = database_clock(world.store_of(any_app).run(lambda each: each.dialect.name))
    execute(any_app, f"UPDATE leases SET heartbeat_at = {clock} + 240000")
    execute(any_app, f"UPDATE leases SET heartbeat_at = {clock} - {DEAD_MS} WHERE shard % 4 = 3")
    return any_app


def wishes(app: Flask) -> list[Any]:
    return world.rows(app, "SELECT shard, fence, wanted FROM handovers ORDER BY shard")


def test_each_share_is_listed_with_its_shards_companies_and_owner(
    run: Run, shared_out: Flask
) -> None:
    for number in range(6):
        world.make_company(shared_out, token=f"canary-token-of-company-{number}")
    execute(shared_out, "UPDATE companies SET deleted_at = 1 WHERE id = 6")
    found = json.loads(run("list", "--json").stdout)
    assert [(each["share"], each["companies"], each["owner"]) for each in found] == [
        (0, 1, ANA),
        (1, 2, ANA),
        (2, 1, BIA),
        (3, 1, None),
    ]
    assert found[1]["of"] == COUNT
    assert found[1]["shards"] == list(range(1, 64, COUNT))
    assert found[0]["heartbeat_seconds"] == 0
    assert found[3]["heartbeat_seconds"] >= DEAD_MS / 1000
    lines = run("list").stdout.splitlines()
    assert " ".join(lines[2].split()) == f"1 of 4 1, 5, … 61 2 {ANA} 0.0 s ago"
    assert "no owner" in lines[4]
    assert len(lines) == 1 + COUNT
    # The same without the setting that the servers have.
    shared_out.config["SHARES"] = 1
    again = json.loads(run("list", "--json").stdout)
    assert [each["owner"] for each in again] == [each["owner"] for each in found]


def test_one_share_has_one_line_also_before_any_process_owned_it(run: Run, any_app: Flask) -> None:
    line = run("list").stdout.splitlines()[1]
    assert " ".join(line.split()) == "0 of 1 0, 1, … 63 0 no owner never"
    own(any_app, shares_of(1)[0], ANA)
    (found,) = json.loads(run("list", "--json").stdout)
    assert (found["of"], len(found["shards"])) == (1, 64)


def test_a_move_is_stored_by_the_database_s_clock_and_recorded(run: Run, shared_out: Flask) -> None:
    done = run("move", "1", "relay-2:12:bbbb")
    assert done.exit_code == 0, done.stderr
    assert "One process will own 2 shares and another one 0" in done.stderr
    assert f"{BIA} asks {ANA} for share 1 of 4 (0 companies) now" in done.stdout
    assert [tuple(each) for each in wishes(shared_out)] == [(1, 0, BIA)]
    # A second wish takes the place of the first one, and leaves what the processes agreed on.
    execute(shared_out, "UPDATE handovers SET fence = 7, successor = 'x', wanted_at = 1")
    done = run("move", "1", CEU)
    # Each of the living has one then: there is nothing to say about evening them out.
    assert (done.exit_code, done.stderr) == (0, "")
    clock = database_clock(world.store_of(shared_out).run(lambda each: each.dialect.name))
    query = f"SELECT fence, successor, wanted, {clock} - wanted_at AS age FROM handovers"
    (row,) = world.rows(shared_out, query)
    assert tuple(row)[:3] == (7, "x", CEU)
    assert 0 <= row.age < 60_000
    entries = world.rows(shared_out, "SELECT who, action, detail FROM audit ORDER BY id")
    assert [tuple(each) for each in entries] == [
        ("cli", "share_moved", f"1/4 -> {BIA}"),
        ("cli", "share_moved", f"1/4 -> {CEU}"),
    ]


@pytest.mark.usefixtures("shared_out")
def test_a_move_says_when_no_one_owns_the_share_and_when_shares_will_be_evened_out(
    run: Run,
) -> None:
    done = run("move", "3", "relay-1")
    assert f"No process owns share 3 of 4 (0 companies): {ANA} asks for it" in done.stdout
    assert "One process will own 3 shares and another one 0" in done.stderr


def test_a_move_that_cannot_be_is_refused_with_the_reason(run: Run, shared_out: Flask) -> None:
    living = f"These live: {ANA}, {BIA}, {CEU}."
    for words, sentence in (
        (("4", ANA), "There is no share 4: the shares are 0 to 3."),
        (("one", ANA), "SHARE must be a whole number."),
        (("1", "relay-9:1"), f"No living process is called relay-9:1. {living}"),
        (("1", DEAD), f"No living process is called {DEAD}. {living}"),
        (
            ("1", "relay-2:12"),
            f"relay-2:12 is not one process: write the whole name, one of {BIA}, {CEU}.",
        ),
        (
            ("1", "pages-1:13"),
            f"{PAG} serves pages only: it owns no share while its SHARDS_MAX is 0.",
        ),
        (("1", "relay-1:11"), f"{ANA} owns share 1 already."),
    ):
        done = run("move", *words)
        assert (done.exit_code, done.stderr) == (2, f"Error: {sentence}\n")
    assert wishes(shared_out) == []


def test_the_only_share_is_not_moved_and_the_ways_to_do_it_are_said(
    run: Run, any_app: Flask
) -> None:
    process(any_app, ANA, "owner")
    done = run("move", "0", ANA)
    assert done.exit_code == 2
    assert "because SHARES is 1" in done.stderr
    assert "bin/serve --take-over" in done.stderr
    assert wishes(any_app) == []
