from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support import application as world
from tests.support.application import make_company, make_webhook
from tests.support.names import let_names_resolve
from webhookproxy.events.conditions import Condition, Operator
from webhookproxy.extensions import db
from webhookproxy.models.webhooks import find_webhook

URL = "http://127.0.0.1:4009/hook"
SECRET = "canary-signing-secret-0001"
AUTH = "canary-authorization-0001"


@pytest.fixture(autouse=True)
def company(app: Flask) -> int:
    """The company that the webhooks of these tests belong to."""
    return make_company(app)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names resolve to; any other does not."""
    known: dict[str, str] = {}

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], port))]

    let_names_resolve(monkeypatch, getaddrinfo)
    return known


def stored(run: Run) -> dict[str, Any]:
    (webhook,) = json.loads(run("webhook", "list", "company_1", "--json").stdout)
    found: dict[str, Any] = webhook
    return found


def test_a_created_webhook_prints_only_its_id_and_gets_every_event(run: Run) -> None:
    result = run("webhook", "create", "company_1", "CRM", URL)
    assert (result.stdout, result.stderr) == ("webhook_1\n", "")
    assert stored(run) == {
        "id": "webhook_1",
        "name": "CRM",
        "url": URL,
        "events": None,
        "state": "active",
        "authorization": False,
        "secret": False,
        "parallelism": 8,
        "timeout": 15.0,
        "rate_limit": None,
        "max_age": 72.0,
        "takes_recovered": True,
        "filters": {},
    }


def test_every_option_is_stored(run: Run) -> None:
    run(
        *("webhook", "create", "1", "CRM", URL, "--event", "agent-is-idle"),
        *("--event", "call-was-connected", "--auth", AUTH, "--secret", SECRET),
        *("--parallelism", "1", "--timeout", "2.5", "--rate", "0.5", "--max-age", "1"),
        "--simulated",
    )
    webhook = stored(run)
    assert webhook["events"] == ["agent-is-idle", "call-was-connected"]
    assert webhook["state"] == "simulated"
    assert (webhook["authorization"], webhook["secret"]) == (True, True)
    assert (webhook["parallelism"], webhook["timeout"]) == (1, 2.5)
    assert (webhook["rate_limit"], webhook["max_age"]) == (0.5, 1.0)


def test_headers_are_given_kept_and_cleared_and_only_their_names_are_shown(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    def sent() -> dict[str, str]:
        with app.app_context():
            return dict(find_webhook(db.session(), 1).input().headers)

    create = ("webhook", "create", "1", "CRM", URL)
    run(*create, "--header", "X-Key: -", "--header", "X-Two:canary-2", stdin="canary-1")
    assert sent() == {"X-Key": "canary-1", "X-Two": "canary-2"}
    shown = run("webhook", "show", "1", "--json").stdout
    assert "canary" not in shown
    assert json.loads(shown)["headers"] == ["X-Key", "X-Two"]
    run("webhook", "edit", "1", "--header", "x-key:", "--header", "X-New: canary-3")
    assert sent() == {"x-key": "canary-1", "X-New": "canary-3"}
    assert "--header" in refuse("webhook", "edit", "1", "--url", "http://127.0.0.2:4009/")
    assert "canary" not in refuse("webhook", "edit", "1", "--header", "canary-without-a-colon")
    assert "has no value" in refuse("webhook", "edit", "1", "--header", "X-Other:")
    run("webhook", "edit", "1", "--header", "")
    assert sent() == {}


def test_a_rule_of_success_and_a_format_are_stored_and_taken_back(run: Run, refuse: Refuse) -> None:
    def shown() -> tuple[object, ...]:
        row = json.loads(run("webhook", "show", "1", "--json").stdout)
        return row["success_rule"], row["format"], row["encoding"]

    equal = ("--success", "igual", "--success-path", "ok", "--success-text", "true")
    run("webhook", "create", "1", "CRM", URL, *equal, "--format", "resumo")
    assert shown() == ({"path": "ok", "operator": "igual", "value": "true"}, "resumo", "json")
    run("webhook", "edit", "1", "--encoding", "form")
    assert shown()[1:] == ("resumo", "form")
    run("webhook", "edit", "1", "--success", "qualquer", "--format", "padrao")
    assert shown() == (None, "padrao", "form")
    assert "need --success" in refuse("webhook", "edit", "1", "--success-text", "x")
    assert "is not a rule" in refuse("webhook", "edit", "1", "--success", "maior")
    assert "is not a format" in refuse("webhook", "edit", "1", "--format", "xml")


def test_the_lists_say_of_secrets_only_that_they_are_set(run: Run) -> None:
    run("webhook", "create", "1", "CRM", URL, "--auth", AUTH, "--secret", "-", stdin=SECRET)
    shown = run("webhook", "list", "1").stdout + run("webhook", "list", "1", "--json").stdout
    assert "canary" not in shown
    assert stored(run)["secret"] is True


def test_the_list_hides_what_may_be_a_secret_in_the_url(run: Run) -> None:
    run("webhook", "create", "1", "n8n", "http://127.0.0.1:4009/hook/canary-long-segment?k=canary")
    assert stored(run)["url"] == "http://127.0.0.1:4009/hook/cana…"


def test_an_event_outside_the_catalogue_is_accepted_with_a_note(run: Run) -> None:
    result = run("webhook", "create", "1", "CRM", URL, "--event", "agent-is-idel")
    assert result.stdout == "webhook_1\n"
    assert "agent-is-idel is not in the catalogue" in result.stderr
    assert "agent-is-idle" in result.stderr


@pytest.mark.usefixtures("names")
def test_a_name_that_does_not_resolve_is_saved_with_a_warning(run: Run) -> None:
    result = run("webhook", "create", "1", "CRM", "https://later.example/hook")
    assert result.stdout == "webhook_1\n"
    assert "later.example does not resolve now" in result.stderr


def test_a_name_that_resolves_is_saved_without_a_word(run: Run, names: dict[str, str]) -> None:
    names["crm.example"] = "93.184.215.14"
    assert run("webhook", "create", "1", "CRM", "https://crm.example/hook").stderr == ""


def test_a_name_that_leads_inside_is_refused_before_it_is_saved(
    refuse: Refuse, names: dict[str, str], app: Flask
) -> None:
    names["inside.example"] = "169.254.169.254"
    sentence = refuse("webhook", "create", "1", "CRM", "https://inside.example/hook")
    assert "not allowed" in sentence
    assert "169.254" not in sentence
    assert world.rows(app, "SELECT id FROM webhooks") == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("https://",), "no host"),
        (("ftp://example.com/",), "https://"),
        (("https://user:canary@example.com/",), "user or password"),
        (("https://example.com/#part",), "#"),
        (("http://169.254.169.254/",), "not allowed"),
        (("https://example.com/" + "a" * 2048,), "2,048"),
        (("https://exam ple.com/",), "spaces"),
        ((URL, "--event", "*"), "leave all names out"),
        ((URL, "--event", ""), "not an event name"),
        ((URL, "--auth", "a\nb"), "line breaks"),
        ((URL, "--auth", "chave \N{SNOWMAN}"), "Latin-1"),
        ((URL, "--secret", "a\r\nb"), "line breaks"),
        ((URL, "--parallelism", "0"), "between 1"),
        ((URL, "--parallelism", "65"), "between 1"),
        ((URL, "--parallelism", "many"), "--parallelism must be a whole number"),
        ((URL, "--parallelism", "1.5"), "--parallelism must be a whole number"),
        ((URL, "--timeout", "61"), "between 1 and 60"),
        ((URL, "--timeout", "nan"), "between 1 and 60"),
        ((URL, "--timeout", "soon"), "--timeout must be a number"),
        ((URL, "--rate", "0"), "between 0.1 and 1000"),
        ((URL, "--rate", "inf"), "between 0.1 and 1000"),
        ((URL, "--max-age", "169"), "between 1 and 168"),
        ((URL, "--auth", "-", "--secret", "-"), "Only one value"),
        ((URL, "--nonsense", "1"), "no option --nonsense"),
        ((URL, "canary"), "more words"),
        ((URL, "--secret"), "--secret"),
        ((), "URL is missing"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_and_not_saved(
    words: tuple[str, ...], part: str, refuse: Refuse, app: Flask
) -> None:
    sentence = refuse("webhook", "create", "1", "CRM", *words)
    assert part in sentence
    assert "canary" not in sentence
    assert world.rows(app, "SELECT id FROM webhooks") == []


@pytest.mark.usefixtures("names")
def test_plain_http_and_private_addresses_need_the_switch(sqlite_url: str, tmp_path: Path) -> None:
    with world.application(sqlite_url, tmp_path, ALLOW_PRIVATE_TARGETS="0") as app:
        for url in ("http://example.com/", "https://127.0.0.1/", "https://10.0.0.1/"):
            words = ["webhook", "create", "1", "CRM", url]
            result = app.test_cli_runner().invoke(args=words)
            assert result.exit_code == 2, url
            assert result.stderr.count("\n") == 1


def test_editing_changes_what_is_given_and_leaves_the_rest(run: Run) -> None:
    run("webhook", "create", "1", "CRM", URL, "--auth", AUTH, "--rate", "5", "--event", "x")
    run("webhook", "edit", "webhook_1", "--name", "ERP", "--timeout", "3", "--all-events")
    webhook = stored(run)
    assert (webhook["name"], webhook["timeout"], webhook["events"]) == ("ERP", 3.0, None)
    assert (webhook["authorization"], webhook["rate_limit"]) == (True, 5.0)
    run("webhook", "edit", "1", "--auth", "", "--no-rate")
    webhook = stored(run)
    assert (webhook["authorization"], webhook["rate_limit"]) == (False, None)


@pytest.mark.parametrize("option", ["--secret", "--auth"])
def test_an_empty_secret_makes_no_webhook_without_one(
    refuse: Refuse, app: Flask, option: str
) -> None:
    sentence = refuse("webhook", "create", "company_1", "CRM", URL, option, "")
    assert sentence.startswith(f"{option} is empty")
    assert world.rows(app, "SELECT COUNT(*) FROM webhooks") == [(0,)]


def test_the_number_of_a_deleted_webhook_is_not_given_again(run: Run, app: Flask) -> None:
    run("webhook", "create", "company_1", "CRM", URL)
    world.store_of(app).run(
        lambda connection: connection.exec_driver_sql("DELETE FROM webhooks") and None
    )
    assert run("webhook", "create", "company_1", "CRM", URL).stdout == "webhook_2\n"


def test_a_new_host_demands_the_secrets_again(run: Run, refuse: Refuse) -> None:
    run("webhook", "create", "1", "CRM", URL, "--auth", AUTH, "--secret", SECRET)
    words = ("webhook", "edit", "1", "--url", "http://127.0.0.2:4009/hook")
    assert "(--auth) and the secret (--secret)" in refuse(*words)
    assert "the secret (--secret) again" in refuse(*words, "--auth", AUTH)
    assert stored(run)["url"] == URL
    run(*words, "--auth", AUTH, "--secret", "")
    assert (stored(run)["url"], stored(run)["secret"]) == ("http://127.0.0.2:4009/hook", False)


def test_a_new_path_on_the_same_host_keeps_the_secrets(run: Run) -> None:
    run("webhook", "create", "1", "CRM", URL, "--secret", SECRET)
    run("webhook", "edit", "1", "--url", "http://127.0.0.1:4009/other")
    assert stored(run)["secret"] is True


def test_contradictions_and_empty_edits_are_refused(run: Run, refuse: Refuse) -> None:
    run("webhook", "create", "1", "CRM", URL)
    assert "contradict" in refuse("webhook", "edit", "1", "--all-events", "--event", "x")
    assert "contradict" in refuse("webhook", "edit", "1", "--no-rate", "--rate", "1")
    assert "Nothing to change" in refuse("webhook", "edit", "1")


def test_pausing_and_resuming_say_when_it_was_so_already(run: Run) -> None:
    run("webhook", "create", "1", "CRM", URL)
    assert run("webhook", "pause", "webhook_1").stdout == "webhook_1 is paused.\n"
    assert run("webhook", "pause", "1").stdout == "webhook_1 was already paused.\n"
    assert stored(run)["state"] == "paused"
    assert run("webhook", "resume", "1").stdout == "webhook_1 is active.\n"


def test_many_are_paused_at_once_or_none(run: Run, refuse: Refuse) -> None:
    for number in range(2):
        run("webhook", "create", "company_1", f"W{number}", URL)
    assert "no webhook_9" in refuse("webhook", "pause", "1", "webhook_9", "2")
    assert json.loads(run("webhook", "show", "1", "--json").stdout)["state"] == "active"
    said = run("webhook", "pause", "2", "1", "webhook_2").stdout
    assert said == "webhook_2 is paused.\nwebhook_1 is paused.\n"
    assert "WEBHOOK... is missing" in refuse("webhook", "resume")
    assert "1001 ids are too many" in refuse("webhook", "pause", *map(str, range(1, 1_002)))


def test_deleting_leaves_a_tombstone_and_needs_yes(run: Run, refuse: Refuse, app: Flask) -> None:
    run("webhook", "create", "1", "CRM", URL)
    assert "waiting deliveries (0)" in refuse("webhook", "delete", "1")
    run("webhook", "delete", "1", "--yes")
    assert "There is no webhook_1" in refuse("webhook", "pause", "1")
    assert json.loads(run("webhook", "list", "1", "--json").stdout) == []
    assert len(world.rows(app, "SELECT id FROM webhooks WHERE deleted_at IS NOT NULL")) == 1
    assert len(world.rows(app, "SELECT number FROM changes")) == 3


def test_a_company_that_is_not_there_gets_no_webhook(refuse: Refuse) -> None:
    assert "There is no company_9" in refuse("webhook", "create", "company_9", "CRM", URL)
    assert "There is no company_9" in refuse("webhook", "list", "9")
    assert "write it as webhook_1" in refuse("webhook", "pause", "company_1")


def test_the_list_shows_which_events_are_filtered(app: Flask, run: Run) -> None:
    condition = Condition("call.status", Operator.EQUAL, "7")
    make_webhook(app, 1, URL, filters={"call-was-connected": (condition,)})
    asked = {"path": "call.status", "operator": "igual", "value": "7"}
    assert stored(run)["filters"] == {"call-was-connected": [asked]}
    assert "call-was-connected (1)" in run("webhook", "list", "1").stdout
    run("webhook", "edit", "1", "--name", "ERP")
    assert stored(run)["filters"] == {"call-was-connected": [asked]}
