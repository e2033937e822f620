from __future__ import annotations

from flask import Flask

from webhookproxy import models
from webhookproxy.extensions import db
from webhookproxy.models.companies import create_company


def test_the_shell_has_the_models_the_database_and_the_factories_at_hand(app: Flask) -> None:
    with app.app_context():
        at_hand = app.make_shell_context()
    assert at_hand["db"] is db
    assert at_hand["store"] is app.extensions["store"]
    assert at_hand["models"] is models
    assert at_hand["create_company"] is create_company
    assert {"Company", "Webhook", "Event", "create_webhook", "create_user"} <= set(at_hand)
