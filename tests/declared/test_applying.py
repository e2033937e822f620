from __future__ import annotations

from dataclasses import replace
from typing import Any

import gevent
import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.support.application import make_company, make_webhook, rows, store_of
from webhookproxy.database.store import Store
from webhookproxy.declared.applying import Terms, apply
from webhookproxy.declared.changes import Change
from webhookproxy.declared.exporting import exported
from webhookproxy.declared.files import read_file
from webhookproxy.declared.yaml_text import write_yaml
from webhookproxy.extensions import db
from webhookproxy.models import Company, Webhook
from webhookproxy.models.audit import CLI
from webhookproxy.models.companies import delete_company, find_company
from webhookproxy.models.webhooks import (
    create_webhook,
    edit_webhook,
    find_webhook,
    switch_webhook,
)
from webhookproxy.rules import Refused
from webhookproxy.rules.webhooks import WebhookInput, WebhookState

SOCKET = "http://127.0.0.1:4000/"
HOOK = "http://127.0.0.1:4001/"


def apply_file(app: Flask, companies: dict[str, Any], delete: tuple[int, ...] = ()) -> list[str]:
    """Apply the companies of a file; return what changed in words."""
    terms = Terms(CLI, app.extensions["policy"], SOCKET)
    read = read_file(write_yaml({"version": 1, "companies": companies}), str, 90)
    changes = store_of(app).session(lambda session: apply(session, read, terms, delete))
    return [_words(each) for each in changes]


def _words(change: Change) -> str:
    details = f": {', '.join(change.details)}" if change.details else ""
    return f"{change.kind.value} {change.where} {change.public_id}{details}"


def acme(webhooks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"acme": {"token": "canary-token-of-acme", **fields, "webhooks": webhooks}}


def stored(app: Flask) -> list[Any]:
    """Every company and webhook, without numbers, as what would create it again."""
    with app.app_context():
        found: list[Any] = []
        for company in db.session.query(Company).filter_by(deleted_at=None).order_by(Company.id):
            found.append((company.file_key, company.input()))
            webhooks = db.session.query(Webhook).filter_by(company_id=company.id, deleted_at=None)
            found += [(each.file_key, each.input()) for each in webhooks.order_by(Webhook.id)]
        return found


def edit(app: Flask, number: int, **fields: Any) -> None:
    """Change a webhook as the page does."""

    def job(session: Session) -> None:
        webhook = find_webhook(session, number)
        given = replace(webhook.input(), **fields)
        edit_webhook(session, webhook, given, app.extensions["policy"])

    store_of(app).session(job)


def counts(app: Flask) -> list[tuple[Any, ...]]:
    """How much was written so far."""
    return [
        tuple(rows(app, f"SELECT COUNT(*) FROM {table}")[0])
        for table in ("companies", "webhooks", "audit", "changes")
    ]


def test_a_file_creates_changes_and_leaves_alone(any_app: Flask) -> None:
    crm = {"url": HOOK, "secret": "canary-s", "timeout": 5, "events": ["call-was-connected"]}
    erp = {"name": "ERP", "url": f"{HOOK}erp"}
    assert apply_file(any_app, acme({"crm": crm, "erp": erp})) == [
        "+ acme company_1",
        f"+ acme/crm webhook_1: {HOOK}",
        f"+ acme/erp webhook_2: {HOOK}erp",
    ]
    before = counts(any_app)
    assert apply_file(any_app, acme({"crm": crm, "erp": erp})) == []
    assert counts(any_app) == before

    bahia = {"timezone": "America/Bahia"}
    # The field that left the file has its default again; the secret stays.
    del crm["timeout"], crm["secret"]
    crm["events"] = ["call-was-connected", "agent-is-idle"]
    assert apply_file(any_app, acme({"crm": crm, "erp": erp}, **bahia)) == [
        "~ acme company_1: timezone America/Sao_Paulo -> America/Bahia",
        "~ acme/crm webhook_1: events 1 -> 2, timeout 5.0 -> 15.0",
    ]
    assert (
        apply_file(
            any_app,
            acme({"crm": {**crm, "secret": "stored"}, "erp": erp}, **bahia),
        )
        == []
    )
    # What a page changed is changed back; what it only switched stays.
    edit(any_app, 2, url=f"{HOOK}other", rate_limit=3.0)
    store_of(any_app).session(
        lambda session: switch_webhook(session, find_webhook(session, 2), WebhookState.PAUSED)
    )
    assert apply_file(any_app, acme({"crm": {**crm, "secret": None}, "erp": erp}, **bahia)) == [
        "~ acme/crm webhook_1: secret cleared",
        f"~ acme/erp webhook_2: url {HOOK}other -> {HOOK}erp, rate_limit 3.0 -> none",
    ]
    assert rows(any_app, "SELECT state FROM webhooks ORDER BY id") == [("active",), ("paused",)]
    actions = [row[0] for row in rows(any_app, "SELECT action FROM audit ORDER BY id")]
    assert actions[:3] == ["company_created", "webhook_created", "webhook_created"]
    assert actions[3:] == [
        *("company_changed", "webhook_changed"),
        *("webhook_changed", "secret_set", "webhook_changed"),
    ]


def test_one_mistake_changes_nothing_and_every_mistake_is_told(any_app: Flask) -> None:
    apply_file(any_app, acme({"crm": {"url": HOOK, "secret": "canary-s"}}))
    before = stored(any_app), counts(any_app)
    companies = {
        **acme(
            {
                "crm": {"url": "http://127.0.0.1:4002/", "secret": "stored"},
                "new": {"url": HOOK, "authorization": "stored"},
                "fine": {"url": HOOK},
                "bad": {
                    "url": "ftp://x",
                    "parallelism": 65,
                    "success_rule": {"operator": "igual", "path": "[", "value": "1"},
                },
            }
        ),
        "none": {"token": "stored", "webhooks": {"a": {"url": HOOK, "timeout": 0}}},
        "same": {"token": "canary-token-of-acme"},
        "free": {"token": "canary-other"},
    }
    with pytest.raises(Refused) as refused:
        apply_file(any_app, companies)
    assert [each.field for each in refused.value.problems] == [
        "companies/acme/webhooks/crm/url",
        "companies/acme/webhooks/new/authorization",
        "companies/acme/webhooks/bad/url",
        "companies/acme/webhooks/bad/success_rule/path",
        "companies/acme/webhooks/bad/parallelism",
        "companies/none/token",
        "companies/none/webhooks/a/timeout",
        "companies/same/token",
    ]
    assert (stored(any_app), counts(any_app)) == before


def test_a_stored_token_goes_to_no_other_server(app: Flask) -> None:
    apply_file(app, acme({}, rest_token="canary-second"))
    # What the file does not name stays, and what is not there cannot.
    assert apply_file(app, acme({})) == []
    assert apply_file(app, acme({}, rest_token=None)) == ["~ acme company_1: rest_token cleared"]
    with pytest.raises(Refused):
        apply_file(app, acme({}, rest_token="stored"))
    moved = acme({}, token="stored", rest_url="https://acme.3c.plus")
    with pytest.raises(Refused) as refused:
        apply_file(app, moved)
    assert [each.field for each in refused.value.problems] == ["companies/acme/token"]


def test_what_was_there_is_managed_from_now_on_by_its_name(app: Flask) -> None:
    company = make_company(app, SOCKET, name="Acme")
    first, second = (make_webhook(app, company, f"{HOOK}{n}", name="CRM") for n in (1, 2))
    with app.app_context():
        file = exported(db.session(), by_reference=False)
    assert list(file["companies"]) == ["acme"]
    assert list(file["companies"]["acme"]["webhooks"]) == ["crm", "crm-2"]
    managed = "managed by this file from now on"
    assert apply_file(app, file["companies"]) == [
        f"~ acme company_{company}: {managed}",
        f"~ acme/crm webhook_{first}: {managed}",
        f"~ acme/crm-2 webhook_{second}: {managed}",
    ]
    assert apply_file(app, file["companies"]) == []


def test_export_wipe_apply_gives_the_same_but_for_numbers_and_secrets(app: Flask) -> None:
    webhooks = {
        "crm": {
            "url": HOOK,
            "secret": "canary-s",
            "authorization": "canary-a",
            "rate_limit": 0.5,
            "filters": {"e": [{"path": "a.b", "operator": "existe"}]},
            "format": {"kind": "montado", "rows": [{"name": "x", "paths": ["a"]}]},
        },
        "erp": {"url": f"{HOOK}erp", "format": {"encoding": "form"}, "state": "simulated"},
    }
    apply_file(app, acme(webhooks, name="Açaí", retention_days=3, token_expires="2027-01-31"))
    before = stored(app)
    with app.app_context():
        companies = exported(db.session(), by_reference=True)["companies"]
    assert companies["acme"]["token"] == "env:WEBHOOKPROXY_SECRET_ACME_TOKEN"
    assert (
        companies["acme"]["webhooks"]["crm"]["secret"] == "env:WEBHOOKPROXY_SECRET_ACME_CRM_SECRET"
    )
    assert "canary" not in str(companies)
    # As the variables would say.
    companies["acme"]["token"] = "canary-token-of-acme"
    companies["acme"]["webhooks"]["crm"] |= {"secret": "canary-s", "authorization": "canary-a"}
    store_of(app).session(lambda session: delete_company(session, find_company(session, 1)))
    assert stored(app) == []
    assert [each[0] for each in apply_file(app, companies)] == ["+", "+", "+"]
    assert stored(app) == before


def test_a_webhook_that_left_the_file_is_deleted_only_when_asked(app: Flask) -> None:
    apply_file(app, acme({"crm": {"url": HOOK}, "erp": {"url": HOOK}}))
    by_hand = make_webhook(app, 1, HOOK, name="by hand")
    left = acme({"crm": {"url": HOOK}})
    assert apply_file(app, left) == ["? acme/erp webhook_2"]
    assert apply_file(app, {}, delete=(2,)) == []
    assert apply_file(app, left, delete=(2, by_hand)) == ["- acme/erp webhook_2"]
    assert rows(app, "SELECT id FROM webhooks WHERE deleted_at IS NULL ORDER BY id") == [
        (1,),
        (by_hand,),
    ]
    # The key is free again.
    assert apply_file(app, acme({"crm": {"url": HOOK}, "erp": {"url": HOOK}})) == [
        f"+ acme/erp webhook_{by_hand + 1}: {HOOK}"
    ]


def test_headers_stay_or_are_named_one_by_one(app: Flask) -> None:
    def headers(value: Any) -> list[str]:
        return apply_file(app, acme({"crm": {"url": HOOK, "headers": value}}))

    headers({"X-Api-Key": "canary-h", "X-Other": "canary-o"})
    assert apply_file(app, acme({"crm": {"url": HOOK}})) == []
    assert headers({"X-Api-Key": "stored", "X-Other": "stored"}) == []
    with app.app_context():
        crm = exported(db.session(), by_reference=False)["companies"]["acme"]["webhooks"]["crm"]
        named = exported(db.session(), by_reference=True)["companies"]["acme"]["webhooks"]["crm"]
    assert crm["headers"] == {"X-Api-Key": "stored", "X-Other": "stored"}
    assert named["headers"]["X-Other"] == "env:WEBHOOKPROXY_SECRET_ACME_CRM_HEADER_X_OTHER"
    assert headers({"X-Api-Key": "stored"}) == ["~ acme/crm webhook_1: headers set"]
    with pytest.raises(Refused) as refused:
        headers({"X-Api-Key": "stored", "X-New": "stored", "Host": "x"})
    assert {each.field for each in refused.value.problems} == {
        "companies/acme/webhooks/crm/headers"
    }
    assert headers(None) == ["~ acme/crm webhook_1: headers cleared"]


def test_a_new_token_keeps_the_day_that_the_file_says(app: Flask) -> None:
    day = {"token_expires": "2027-01-31"}
    apply_file(app, {"acme": {"token": "canary-1", **day}})
    assert apply_file(app, {"acme": {"token": "canary-2", **day}}) == [
        "~ acme company_1: token set"
    ]
    assert apply_file(app, {"acme": {"token": "canary-2", **day}}) == []


def test_two_applies_at_once_create_each_entry_once(any_app: Flask) -> None:
    terms = Terms(CLI, any_app.extensions["policy"], SOCKET)
    companies = acme({f"w{each}": {"url": HOOK} for each in range(5)})
    read = read_file(write_yaml({"version": 1, "companies": companies}), str, 90)
    # Each has its own connection, as two commands have.
    stores = [Store(any_app.config["OWN_SESSION_URL"]) for _ in range(2)]
    try:
        both = [gevent.spawn(each.session, lambda s: apply(s, read, terms)) for each in stores]
        gevent.joinall(both, timeout=60, raise_error=True)
    finally:
        for store in stores:
            store.close()
    assert sorted(len(each.value or ()) for each in both) == [0, 6]
    assert rows(any_app, "SELECT COUNT(*) FROM webhooks") == [(5,)]


def test_other_processes_are_told_of_each_change(app: Flask) -> None:
    apply_file(app, acme({"crm": {"url": HOOK}}))
    before = rows(app, "SELECT MAX(number) FROM changes")[0][0]
    apply_file(app, acme({"crm": {"url": f"{HOOK}new"}}))
    told = rows(app, f"SELECT company_id FROM changes WHERE number > {before}")
    assert told == [(1,)]


def test_a_copied_key_is_refused_by_the_database(any_app: Flask) -> None:
    apply_file(any_app, acme({"crm": {"url": HOOK}}))

    def job(session: Session) -> None:
        given = WebhookInput("other", HOOK)
        create_webhook(session, 1, given, any_app.extensions["policy"]).file_key = "crm"
        session.flush()

    with pytest.raises(IntegrityError):
        store_of(any_app).session(job)
