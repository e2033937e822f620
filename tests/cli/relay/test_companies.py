from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from tests.support.application import TOKEN, make_company, rows

LOOPBACK = "http://127.0.0.1:4000"


def test_a_created_company_prints_only_its_id(run: Run) -> None:
    result = run("company", "create", "Ótica São João", "--token", TOKEN)
    assert (result.stdout, result.stderr) == ("company_1\n", "")


def test_the_list_as_json_shows_a_mask_instead_of_the_token(run: Run) -> None:
    run(
        *("company", "create", "Empresa", "--token", TOKEN, "--threec-id", "77"),
        *("--socket-url", LOOPBACK, "--agent-id", "5"),
    )
    assert json.loads(run("company", "list", "--json").stdout) == [
        {
            "id": "company_1",
            "name": "Empresa",
            "threec_id": "77",
            "token_mask": f"{TOKEN[:4]}…{TOKEN[-4:]}",
            "socket_url": f"{LOOPBACK}/",
            "agent_id": "5",
            "retention_days": None,
            "recover_calls": True,
            "sweep_calls": False,
            "has_rest_token": False,
            "rest_url": "",
            "wished": False,
            "state": "disconnected",
        }
    ]


def test_the_socket_url_is_the_settings_unless_it_is_given(run: Run, app: Flask) -> None:
    run("company", "create", "Empresa", "--token", TOKEN)
    stored = json.loads(run("company", "list", "--json").stdout)[0]["socket_url"]
    assert stored.rstrip("/") == app.config["SOCKET_URL"]


def test_the_list_for_people_has_a_line_for_each_company(run: Run) -> None:
    assert "no companies yet" in run("company", "list").stdout
    run("company", "create", "Empresa", "--token", TOKEN)
    lines = run("company", "list").stdout.splitlines()
    assert lines[0].split()[:2] == ["ID", "NAME"]
    assert lines[1].split()[:2] == ["company_1", "Empresa"]
    assert len(lines) == 2


def test_a_token_can_come_from_standard_input(run: Run) -> None:
    run("company", "create", "Empresa", "--token", "-", stdin=f"{TOKEN}\r\n")
    mask = json.loads(run("company", "list", "--json").stdout)[0]["token_mask"]
    assert mask == f"{TOKEN[:4]}…{TOKEN[-4:]}"


def test_editing_changes_what_is_given_and_leaves_the_rest(run: Run, app: Flask) -> None:
    run("company", "create", "Empresa", "--token", TOKEN, "--agent-id", "5")
    run("company", "edit", "company_1", "--name", "Outra", "--agent-id", "", "--show-credentials")
    (row,) = world.rows(app, "SELECT name, agent_id, timezone, hide_credentials FROM companies")
    assert tuple(row) == ("Outra", "", "America/Sao_Paulo", 0)


def test_connecting_sets_the_wish_and_says_when_it_was_so_already(run: Run, app: Flask) -> None:
    company = make_company(app)
    first = run("company", "connect", str(company))
    assert first.stdout == "company_1 is to be connected.\n"
    assert "No server is running" in first.stderr
    assert run("company", "connect", "company_1").stdout == (
        "company_1 was already to be connected.\n"
    )
    assert [tuple(row) for row in world.rows(app, "SELECT should_connect FROM companies")] == [(1,)]
    assert run("company", "disconnect", "1").stdout == "company_1 is to be disconnected.\n"
    assert run("company", "disconnect", "1").stdout == (
        "company_1 was already to be disconnected.\n"
    )


def test_every_change_is_noted_for_the_running_server(run: Run, app: Flask) -> None:
    run("company", "create", "Empresa", "--token", TOKEN)
    run("company", "edit", "1", "--name", "Outra")
    run("company", "connect", "1")
    run("company", "delete", "1", "--yes")
    noted = world.rows(app, "SELECT number, company_id FROM changes ORDER BY number")
    assert [tuple(row) for row in noted] == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_deleting_without_yes_says_what_would_be_lost(run: Run, refuse: Refuse, app: Flask) -> None:
    company = make_company(app)
    world.make_webhook(app, company, "http://127.0.0.1:4009/")
    sentence = refuse("company", "delete", "company_1")
    assert "webhooks (1)" in sentence
    assert "events" in sentence
    assert "deliveries" in sentence
    assert "--yes" in sentence
    run("company", "list", "--json")


def test_a_deleted_company_is_a_tombstone_that_no_command_finds(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    make_company(app, connected=True)
    run("company", "delete", "company_1", "--yes")
    (row,) = world.rows(app, "SELECT deleted_at IS NOT NULL, should_connect FROM companies")
    assert tuple(row) == (1, 0)
    assert json.loads(run("company", "list", "--json").stdout) == []
    assert "There is no company_1" in refuse("company", "connect", "1")
    assert run("company", "create", "Empresa", "--token", TOKEN).stdout == "company_2\n"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--token", ""), "empty"),
        (("--token", "with space"), "spaces"),
        (("--token", "with\tcontrol"), "control"),
        ((), "--token is missing"),
        (("--token", "t" * 5000), "longer"),
        (("--token", TOKEN, "--timezone", "Mars/Olympus"), "timezone"),
        (("--token", TOKEN, "--agent-id", "a" * 65), "agent id"),
        (("--token", TOKEN, "--socket-url", ""), "empty"),
        (("--token", TOKEN, "--socket-url", "ftp://example.com"), "https://"),
        (("--token", TOKEN, "--socket-url", "http://169.254.169.254"), "not allowed"),
        (("--token", TOKEN, "--colour", "red"), "no option --colour"),
        (("--token", TOKEN, "--json=1"), "no option --json"),
        (("--token", TOKEN, "--show-credentials=1"), "--show-credentials"),
        (("word", "--token", TOKEN), "more words"),
        (("--token", "\udcff\udcfe"), "control"),
    ],
)
def test_a_company_that_cannot_be_is_refused_and_not_saved(
    words: tuple[str, ...], part: str, refuse: Refuse, app: Flask
) -> None:
    assert part in refuse("company", "create", "Empresa", *words)
    assert world.rows(app, "SELECT id FROM companies") == []


def test_a_registered_token_is_refused_without_saying_whose_it_is(
    refuse: Refuse, app: Flask
) -> None:
    make_company(app, name="Segredo Ltda", socket_url=LOOPBACK)
    words = ("company", "create", "Nova", "--token", TOKEN, "--socket-url", LOOPBACK)
    sentence = refuse(*words)
    assert "already registered" in sentence
    assert "Segredo" not in sentence
    assert "company_1" not in sentence


@pytest.mark.parametrize(
    "word", ["company_", "0", "-1", "webhook_1", "1.5", "9" * 30, "", "\u0661"]
)
def test_a_word_that_is_no_id_is_refused(word: str, refuse: Refuse) -> None:
    assert "write it as company_1" in refuse("company", "connect", "--", word)


def test_a_company_that_is_not_there_is_a_sentence(refuse: Refuse) -> None:
    assert "There is no company_999" in refuse("company", "edit", "999", "--name", "x")


def test_an_edit_without_options_is_refused(refuse: Refuse, app: Flask) -> None:
    make_company(app)
    assert "Nothing to change" in refuse("company", "edit", "1")


def test_nothing_on_standard_input_is_refused(refuse: Refuse) -> None:
    assert "Nothing came" in refuse("company", "create", "E", "--token", "-", stdin="")
    assert "More than one line" in refuse("company", "create", "E", "--token", "-", stdin="a\nb\n")


def test_a_new_socket_host_demands_the_token_again(run: Run, refuse: Refuse) -> None:
    run("company", "create", "Empresa", "--token", TOKEN, "--socket-url", LOOPBACK)
    words = ("company", "edit", "1", "--socket-url", "http://127.0.0.2:4000")
    assert "the token (--token) again" in refuse(*words)
    run("company", "edit", "1", "--socket-url", f"{LOOPBACK}/", "--name", "Outra")
    run(*words, "--token", "-", stdin=TOKEN)
    stored = json.loads(run("company", "list", "--json").stdout)[0]["socket_url"]
    assert stored == "http://127.0.0.2:4000/"


def test_a_company_keeps_its_events_for_days_of_its_own_and_never_longer_than_the_setting(
    run: Run, refuse: Refuse
) -> None:
    def days() -> Any:
        return json.loads(run("company", "list", "--json").stdout)[0]["retention_days"]

    create = ("company", "create", "Empresa", "--token", TOKEN, "--socket-url", LOOPBACK)
    assert "1 to 7 days" in refuse(*create, "--retention-days", "8")
    assert "from 0 to 365" in refuse(*create, "--retention-days", "-1")
    run(*create, "--retention-days", "2")
    assert days() == 2
    run("company", "edit", "1", "--name", "Outra")
    assert days() == 2
    run("company", "edit", "1", "--retention-days", "0")
    assert days() is None


def test_the_day_of_a_tokens_end_is_kept_with_the_token(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    def ends() -> Any:
        return rows(app, "SELECT token_expires_at FROM companies")[0][0]

    create = ("company", "create", "Empresa", "--token", TOKEN, "--socket-url", LOOPBACK)
    assert "write it like 2026-12-31" in refuse(*create, "--token-expires", "31/02/2026")
    run(*create, "--token-expires", "31/12/2026")
    # Midnight in Brasília.
    assert ends() == 1_798_686_000_000
    run("company", "edit", "1", "--name", "Outra")
    assert ends() == 1_798_686_000_000
    run("company", "edit", "1", "--token", "-", stdin=f"{TOKEN}-new")
    assert ends() is None
    run("company", "edit", "1", "--token-expires", "2026-12-31")
    run("company", "edit", "1", "--token-expires", "")
    assert ends() is None
