from __future__ import annotations

import json

from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support.application import make_company, store_of
from webhookproxy.models.accounts.guest_links import guest_link_of, make_guest_link


def test_a_link_is_listed_without_its_token_and_revoked(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    company = make_company(app)
    token = store_of(app).session(lambda s: make_guest_link(s, company, "manager", 7)[1])
    listed = run("guest", "list", "--json").stdout
    (link,) = json.loads(listed)
    assert (link["id"], link["company"], link["valid"]) == ("guest_1", "company_1", True)
    assert token not in listed
    assert "manager" in run("guest", "list").stdout
    assert run("guest", "revoke", "guest_1").stdout == "guest_1 is revoked.\n"
    assert run("guest", "revoke", "1").stdout == "guest_1 had ended.\n"
    assert store_of(app).session(lambda s: guest_link_of(s, token)) is None
    assert "no guest link 9" in refuse("guest", "revoke", "guest_9")
