"""The session of a browser, made directly: its form and its password take ten times as long."""

from __future__ import annotations

import secrets

from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer


def let_in(client: FlaskClient, key: str) -> None:
    """Give a browser the cookie of the login with this key, without its form and password."""
    with client.session_transaction() as session:
        session["_user_id"] = key
        session["_fresh"] = True
        session.permanent = True


def form_token(client: FlaskClient) -> str:
    """Return the token that a form of this browser's session would carry."""
    with client.session_transaction() as session:
        raw = session.setdefault("csrf_token", secrets.token_hex(20))
    signer = URLSafeTimedSerializer(client.application.config["SECRET_KEY"], salt="wtf-csrf-token")
    return str(signer.dumps(raw))
