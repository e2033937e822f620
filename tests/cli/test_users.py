from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from tests.support.application import make_company
from webhookproxy.models.accounts.one_time_codes import is_first_code
from webhookproxy.models.accounts.people import hasher
from webhookproxy.models.accounts.sign_ins import sign_in

PASSWORD = "a long enough password"


def test_a_created_user_prints_the_address_and_stores_only_a_hash(run: Run, app: Flask) -> None:
    words = ("user", "create", "Ana@Example.com", "--admin", "--password-stdin")
    assert run(*words, stdin=f"{PASSWORD}\n").stdout == "ana@example.com\n"
    ((stored, admin),) = world.rows(app, "SELECT password_hash, is_admin FROM users")
    assert hasher.verify(stored, PASSWORD)
    assert admin == 1


def test_a_new_password_replaces_the_old_one(run: Run, app: Flask) -> None:
    run("user", "create", "ana@example.com", "--password-stdin", stdin=PASSWORD)
    run("user", "password", "ANA@example.com", "--password-stdin", stdin="another long password")
    ((stored,),) = world.rows(app, "SELECT password_hash FROM users")
    assert hasher.verify(stored, "another long password")


def test_the_list_shows_who_sees_what(run: Run, app: Flask) -> None:
    make_company(app)
    run("user", "create", "beto@example.com", "--password-stdin", stdin=PASSWORD)
    assert run("user", "grant", "beto@example.com", "company_1").stdout == (
        "beto@example.com sees company_1.\n"
    )
    assert run("user", "grant", "beto@example.com", "1").stdout == (
        "beto@example.com already saw company_1.\n"
    )
    assert json.loads(run("user", "list", "--json").stdout) == [
        {
            "email": "beto@example.com",
            "admin": False,
            "role": "operator",
            "second_factor": False,
            "companies": ["company_1"],
        }
    ]
    assert run("user", "list").stdout.splitlines()[1].split() == [
        "beto@example.com",
        "operator",
        "no",
        "company_1",
    ]


def test_the_first_code_is_renewed_as_a_whole_address_until_there_is_a_user(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    address, _, code = run("user", "first-code").stdout.strip().partition("?codigo=")
    assert address == "http://127.0.0.1:5000/primeiro-acesso"
    assert is_first_code(app.config["SECRET_KEY"], code, datetime.now(UTC))
    run("user", "create", "ana@example.com", "--password-stdin", stdin=PASSWORD)
    assert refuse("user", "first-code").startswith("There is a user already: ")


def test_a_revoked_right_is_gone(run: Run, app: Flask) -> None:
    make_company(app)
    run("user", "create", "beto@example.com", "--password-stdin", stdin=PASSWORD)
    run("user", "grant", "beto@example.com", "1")
    assert "no longer has" in run("user", "revoke", "beto@example.com", "1").stdout
    assert "had no right" in run("user", "revoke", "beto@example.com", "1").stdout
    assert json.loads(run("user", "list", "--json").stdout)[0]["companies"] == []


def test_an_empty_list_says_how_to_begin(run: Run) -> None:
    assert "flask user create" in run("user", "list").stdout


def test_a_password_is_asked_for_twice_on_a_terminal(
    run: Run, refuse: Refuse, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([PASSWORD, PASSWORD, PASSWORD, "something else"])
    monkeypatch.setattr("webhookproxy.cli.users.on_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_, **__: next(answers))
    run("user", "create", "ana@example.com")
    assert "differ" in refuse("user", "create", "beto@example.com")
    assert len(world.rows(app, "SELECT id FROM users")) == 1


@pytest.mark.parametrize(
    ("words", "stdin", "part"),
    [
        (("not-an-address", "--password-stdin"), PASSWORD, "e-mail address"),
        (("\udcff@example.com", "--password-stdin"), PASSWORD, "UTF-8"),
        (("ana@example.com", "--password-stdin"), "short", "too short"),
        (("ana@example.com", "--password-stdin"), "x" * 500, "too long"),
        (("ana@example.com", "--password-stdin"), "", "Nothing came"),
        (("ana@example.com", "--password-stdin"), "two\nlines of text", "More than one line"),
        (("ana@example.com",), "", "--password-stdin"),
        ((), "", "EMAIL is missing"),
        (("ana@example.com", "word"), "", "more words"),
    ],
)
def test_a_user_that_cannot_be_is_refused(
    words: tuple[str, ...], stdin: str, part: str, refuse: Refuse, app: Flask
) -> None:
    assert part in refuse("user", "create", *words, stdin=stdin)
    assert world.rows(app, "SELECT id FROM users") == []


def test_a_taken_address_is_refused(run: Run, refuse: Refuse) -> None:
    run("user", "create", "ana@example.com", "--password-stdin", stdin=PASSWORD)
    words = ("user", "create", "ANA@example.com", "--password-stdin")
    assert "already a user" in refuse(*words, stdin=PASSWORD)


def test_nobody_by_that_address_is_a_sentence(refuse: Refuse, app: Flask) -> None:
    make_company(app)
    unknown = "unknown@example.com"
    assert "no user" in refuse("user", "password", unknown, "--password-stdin", stdin=PASSWORD)
    assert "no user" in refuse("user", "reset-second-factor", unknown)
    assert "no user" in refuse("user", "grant", unknown, "1")
    assert "no user" in refuse("user", "revoke", unknown, "1")


def test_a_right_to_a_company_that_is_not_there_is_refused(run: Run, refuse: Refuse) -> None:
    run("user", "create", "beto@example.com", "--password-stdin", stdin=PASSWORD)
    assert "There is no company_7" in refuse("user", "grant", "beto@example.com", "company_7")


def test_a_lost_second_factor_is_turned_off_and_the_list_says_who_has_one(
    run: Run, app: Flask
) -> None:
    user_id = world.make_secured_user(app, "ana@example.com")
    world.store_of(app).session(lambda session: sign_in(session, user_id))
    assert json.loads(run("user", "list", "--json").stdout)[0]["second_factor"] is True
    reset = ("user", "reset-second-factor", "ANA@example.com")
    assert run(*reset).stdout == "ana@example.com no longer has a second factor.\n"
    assert run(*reset).stdout == "ana@example.com had no second factor.\n"
    assert json.loads(run("user", "list", "--json").stdout)[0]["second_factor"] is False
    assert world.rows(app, "SELECT 1 FROM sign_ins") == []
    query = "SELECT who, subject, detail FROM audit WHERE action = 'second_factor_changed'"
    assert world.rows(app, query) == [("cli", "user_1", "ana@example.com reset")]


def test_a_reader_is_made_and_shown(run: Run, refuse: Refuse) -> None:
    run("user", "create", "lena@example.com", "--reader", "--password-stdin", stdin=PASSWORD)
    (user,) = json.loads(run("user", "list", "--json").stdout)
    assert (user["role"], user["admin"]) == ("reader", False)
    both = ("user", "create", "eva@example.com", "--reader", "--admin", "--password-stdin")
    assert "use --admin or --reader" in refuse(*both, stdin=PASSWORD)
