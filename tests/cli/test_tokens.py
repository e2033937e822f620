from __future__ import annotations

import json

from flask import Flask

from tests.cli.conftest import Refuse, Run
from tests.support.application import make_company, rows, store_of
from webhookproxy.models.accounts.api_tokens import PREFIX, api_token_of
from webhookproxy.models.accounts.people import create_user


def test_a_token_is_made_listed_without_its_text_and_revoked(
    run: Run, refuse: Refuse, app: Flask
) -> None:
    company = make_company(app)
    store_of(app).session(lambda s: create_user(s, "beto@exemplo.com.br", "x", admin=False).id)
    words = ("token", "add", "beto@exemplo.com.br", "billing", "--scope", "operate")
    text = run(*words, "--company", f"company_{company}", "--days", "7").stdout.strip()
    assert text.startswith(PREFIX)
    assert "may not administer" in refuse(*words, "--scope", "administer")
    listed = run("token", "list", "--json").stdout
    (token,) = json.loads(listed)
    assert (token["id"], token["user"], token["valid"]) == ("token_1", words[2], True)
    assert token["scopes"] == ["read", "operate"]
    assert token["companies"] == [f"company_{company}"]
    assert text not in listed
    assert not rows(app, f"SELECT 1 FROM api_tokens WHERE token_hash = '{text}'")
    assert "billing" in run("token", "list").stdout
    assert run("token", "revoke", "token_1").stdout == "token_1 is revoked.\n"
    assert run("token", "revoke", "1").stdout == "token_1 had ended.\n"
    assert store_of(app).session(lambda s: api_token_of(s, text)) is None
    assert "no token_9" in refuse("token", "revoke", "9")
    actions = [row[0] for row in rows(app, "SELECT action FROM audit ORDER BY id")]
    assert actions == ["api_token_made", "api_token_revoked"]
