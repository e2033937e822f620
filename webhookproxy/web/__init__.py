"""The pages: what people and their monitors see."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from whitenoise import WhiteNoise

from webhookproxy.extensions import compress, csrf, login_manager
from webhookproxy.network.proxies import Proxies
from webhookproxy.web import health, panel
from webhookproxy.web.admin import audit, privacy, users
from webhookproxy.web.catalogue import pages as catalogue
from webhookproxy.web.companies import pages as companies
from webhookproxy.web.connection import panel as connection
from webhookproxy.web.deliveries import bulk_resends, resend_selection
from webhookproxy.web.deliveries import pages as deliveries
from webhookproxy.web.diagnosis import page as diagnosis
from webhookproxy.web.events import call as event_call
from webhookproxy.web.events import pages as events
from webhookproxy.web.events import words as event_words
from webhookproxy.web.exports import pages as exports
from webhookproxy.web.filters import pages as webhook_filters
from webhookproxy.web.login import pages as entry
from webhookproxy.web.login import second_factor, second_step
from webhookproxy.web.month import page as month
from webhookproxy.web.shared import access, errors, headers, request_limits
from webhookproxy.web.shared import formats as filters
from webhookproxy.web.webhooks import (
    pages as webhooks,
)
from webhookproxy.web.webhooks import (
    running as webhook_running,
)
from webhookproxy.web.webhooks import (
    secret as webhook_secret,
)

# Every address of a static file carries its version: it may be kept for a year.
STATIC_SECONDS = 31_536_000


def init_app(app: Flask) -> None:
    """Register every page, and believe exactly as many proxies as there are in front."""
    https = app.config["PREFERRED_URL_SCHEME"] == "https"
    static = WhiteNoise(
        app.wsgi_app,
        max_age=STATIC_SECONDS,
        allow_all_origins=False,
        add_headers_function=lambda found, _path, _url: headers.add_to_file(found, https=https),
    )
    static.add_files(str(Path(app.root_path) / "static"), prefix="static/")
    # mypy: a method may be replaced on an instance, as Werkzeug documents.
    app.wsgi_app = static  # type: ignore[method-assign]
    trusted, hops = app.config["TRUSTED_PROXIES"], app.config["PROXY_HOPS"]
    proxies = app.extensions["proxies"] = Proxies(app.wsgi_app, trusted, hops)
    app.wsgi_app = proxies  # type: ignore[method-assign]

    headers.init_app(app)
    filters.init_app(app)
    event_words.init_app(app)
    request_limits.init_app(app)
    errors.init_app(app)
    login_manager.init_app(app)
    # Before the check of the form's token: whoever is not logged in is sent to log in, also when
    # the session, and the token with it, expired behind an open form.
    access.init_app(app)
    csrf.init_app(app)
    compress.init_app(app)

    of_webhooks = (
        webhooks,
        webhook_filters,
        webhook_running,
        webhook_secret,
        deliveries,
        events,
        event_call,
    )
    of_resends = (bulk_resends, resend_selection)
    for_administrators = (users, audit, privacy)
    of_oneself = (entry, second_step, second_factor)
    for subject in (
        *of_oneself,
        panel,
        companies,
        connection,
        diagnosis,
        month,
        catalogue,
        *of_webhooks,
        *of_resends,
        exports,
        *for_administrators,
        health,
    ):
        app.register_blueprint(subject.blueprint)
