"""Every address of the site, with the ids of rows that exist."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask
from sqlalchemy import text
from werkzeug.routing import Rule

from tests.support.application import store_of
from webhookproxy.api.shared.problems import PREFIX

PUBLIC = {
    *("login.show", "login.first", "second_step.show", "health.show", "metrics.show", "static"),
    *(
        "guests.show",
        "guests.month",
        "guests.watch",
        "guests.door",
        "guests.leave",
        "recordings.show",
        "recordings.hear",
        "theme.choose",
        "forgotten.choose",
        "alert_confirming.show",
    ),
}
# Only its own user and administrators have it: tests/web/login/test_tokens.py.
OWN = {"api_tokens.revoke"}
DELIVERY = 1


def rules(app: Flask) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in PUBLIC | OWN and not is_of_api(rule):
            yield rule


def is_of_api(rule: Rule) -> bool:
    """Return whether an address is an operation for programs, which has walks of its own."""
    return rule.rule.startswith(f"{PREFIX}/")


def make_addresses(app: Flask, company: int, webhook: int) -> dict[str, str]:
    """Return the address of every guarded page by its endpoint, with ids of this company.

    Its event, its delivery and its bulk resend are made here.
    """

    def job(connection: object) -> None:
        connection.execute(text(_EVENT), {"company": company})  # type: ignore[attr-defined]
        connection.execute(text(_DELIVERY), {"webhook": webhook})  # type: ignore[attr-defined]
        of = {"company": company, "webhook": webhook}
        connection.execute(text(_RESEND), of)  # type: ignore[attr-defined]
        connection.execute(text(_GUEST), {"company": company})  # type: ignore[attr-defined]

    store_of(app).run(job)
    ids = {
        "company_id": company,
        "webhook_id": webhook,
        "delivery_id": DELIVERY,
        "user_id": 1,
        "public_id": "evt_1",
        "resend_id": 1,
        "guest_id": 1,
        "address_id": 1,
        "key": "bitrix24",
    }
    with app.test_request_context():
        urls = app.url_map.bind("localhost")
        return {
            rule.endpoint: urls.build(rule.endpoint, {name: ids[name] for name in rule.arguments})
            for rule in rules(app)
        }


_EVENT = (
    "INSERT INTO events (id, public_id, company_id, name, payload, order_key, socket_id,"
    " token_mask, received_ms, hidden) VALUES (1, 'evt_1', :company, 'agent-is-idle', '{}',"
    " 'agent:1', 'socket', 'abcd…wxyz', 1795600000000, 0)"
)
_GUEST = (
    "INSERT INTO guest_links (id, company_id, name, token_hash, created_at, expires_at)"
    " VALUES (1, :company, 'gerente', 'x', 0, 4000000000000)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, event_id, webhook_id, order_key, state, reason, tries, attempts,"
    " born_ms) VALUES (1, 1, :webhook, 'agent:1', 'queued', 'waiting_turn', 0, 0, 0)"
)
_RESEND = (
    "INSERT INTO bulk_resends (id, company_id, webhook_id, asked_by, asked_ms, states, event,"
    " begins, upto, cursor, total, total_is_cut, queued, skipped,"
    " delivered, failed, waiting, state)"
    " VALUES (1, :company, :webhook, 'cli', 0, '[\"refused\"]', '', 0, 1, 0, 1, FALSE, 0, 0, 0, 0,"
    " '[]', 'running')"
)


def methods(app: Flask, endpoint: str) -> set[str]:
    """Return the methods of an endpoint, GET and POST."""
    found: set[str] = set()
    for rule in app.url_map.iter_rules(endpoint):
        found |= (rule.methods or set()) & {"GET", "POST"}
    return found
