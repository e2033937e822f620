"""The pages: what people and their monitors see."""

from __future__ import annotations

from pathlib import Path

import gevent
from flask import Flask, before_render_template
from whitenoise import WhiteNoise

from webhookproxy.network.proxies import Proxies
from webhookproxy.request_extensions import compress, csrf
from webhookproxy.web import api_guide, guide, health, panel, theme
from webhookproxy.web.admin import audit, password_links, privacy, processes, users
from webhookproxy.web.alerts import confirming as alert_confirming
from webhookproxy.web.alerts import history as alert_history
from webhookproxy.web.alerts import watches as alert_watches
from webhookproxy.web.alerts.pages import blueprint as alerts
from webhookproxy.web.catalogue.pages import blueprint as catalogue
from webhookproxy.web.companies import editing as company_editing
from webhookproxy.web.companies import open_problems
from webhookproxy.web.companies.pages import blueprint as companies
from webhookproxy.web.connection import alarms, comparison, recovery
from webhookproxy.web.connection.panel import blueprint as connection
from webhookproxy.web.deliveries import attempts, bulk_resends, resend_selection, send_stored
from webhookproxy.web.deliveries.pages import blueprint as deliveries
from webhookproxy.web.diagnosis.next_token import blueprint as next_token
from webhookproxy.web.diagnosis.page import blueprint as diagnosis
from webhookproxy.web.events import by_telephone, call, call_words, words
from webhookproxy.web.events.pages import blueprint as events
from webhookproxy.web.exports.pages import blueprint as exports
from webhookproxy.web.filters.pages import blueprint as filters
from webhookproxy.web.formats import recipes
from webhookproxy.web.formats.pages import blueprint as body_formats
from webhookproxy.web.guests import links as guest_links
from webhookproxy.web.guests.pages import blueprint as guests
from webhookproxy.web.login import forgotten, second_factor, second_step, tokens
from webhookproxy.web.login.pages import blueprint as login
from webhookproxy.web.metrics.page import blueprint as metrics
from webhookproxy.web.month.page import blueprint as month
from webhookproxy.web.outages.pages import blueprint as outages
from webhookproxy.web.recordings import links as recording_links
from webhookproxy.web.recordings.door import blueprint as recordings
from webhookproxy.web.shared import access, errors, formats, headers, request_limits
from webhookproxy.web.webhooks import editing as webhook_editing
from webhookproxy.web.webhooks import refusals, running, secret
from webhookproxy.web.webhooks.pages import blueprint as webhooks

# The address of a static file carries the file's hash, so a browser may keep it for a year.
STATIC_SECONDS = 31_536_000
_BLUEPRINTS = (
    *(login, second_step.blueprint, second_factor.blueprint, tokens.blueprint),
    *(panel.blueprint, health.blueprint, metrics, theme.blueprint, guide.blueprint, exports),
    *(api_guide.blueprint,),
    *(companies, company_editing.blueprint, connection, diagnosis, next_token, month, catalogue),
    *(recovery.blueprint, comparison.blueprint),
    *(
        webhooks,
        webhook_editing.blueprint,
        running.blueprint,
        secret.blueprint,
        filters,
        body_formats,
        recipes.blueprint,
    ),
    *(refusals.blueprint, outages),
    *(deliveries, attempts.blueprint, bulk_resends.blueprint, resend_selection.blueprint),
    send_stored.blueprint,
    *(events, call.blueprint, by_telephone.blueprint),
    *(guest_links.blueprint, guests),
    *(recording_links.blueprint, recordings),
    *(users.blueprint, password_links.blueprint, forgotten.blueprint),
    *(audit.blueprint, privacy.blueprint, processes.blueprint),
    *(alerts, alert_watches.blueprint, alert_confirming.blueprint, alert_history.blueprint),
)


def init_app(app: Flask) -> None:
    """Register every page, and trust exactly as many proxies as PROXY_HOPS says."""
    https = app.config["PREFERRED_URL_SCHEME"] == "https"
    health.answer_every_host(app)
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

    for module in (guide, theme, headers, formats, words, call_words, request_limits, errors):
        module.init_app(app)
    # Before the check of the form's token: a user whose session expired behind an open form is
    # sent to log in, although the form's token expired with it.
    access.init_app(app)
    alarms.init_app(app)
    open_problems.init_app(app)
    csrf.init_app(app)
    compress.init_app(app)
    before_render_template.connect(_let_others_run, app)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)


def _let_others_run(*_: object, **_given: object) -> None:
    """Let others run between what a page read and its text: of long lists each takes 10 ms."""
    gevent.sleep(0)
