"""webhookproxy: every 3C Plus event becomes a signed POST."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from webhookproxy.version import __version__

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["__version__", "create_app"]


def create_app(overrides: Mapping[str, Any] | None = None, *, pages: bool = True) -> Flask:
    """Build the application. It runs nothing: the server starts the engine, a command its job.

    `overrides` wins over the environment. Without `pages` it answers no request, and a command does
    not wait until pages and API are imported. Raises ConfigError if a setting is wrong or unsafe.
    """
    # Imported here: the simulator, the key generator and gunicorn's master, which gevent does not
    # patch, import this package without all this.
    from flask import Flask

    from webhookproxy import cli
    from webhookproxy.broadcast import Broadcast
    from webhookproxy.config import settings as config
    from webhookproxy.config.keys import Keyring
    from webhookproxy.database import connections as database
    from webhookproxy.database.store import Store
    from webhookproxy.models.types import use_keyring
    from webhookproxy.network.guard import Policy
    from webhookproxy.search.index.place import SearchPlace

    app = Flask(__name__, instance_relative_config=True)
    given = dict(overrides or {})
    app.instance_path = given.pop("INSTANCE_PATH", app.instance_path)
    app.config.update(config.load(os.environ, given, app.instance_path))
    use_keyring(Keyring(app.config["DATA_KEYS"]))

    database.init_app(app)
    app.extensions["policy"] = Policy(
        allow_private=app.config["ALLOW_PRIVATE_TARGETS"],
        allow_http=app.config["ALLOW_HTTP"],
        rest_hosts=frozenset(app.config["REST_HOSTS"]),
    )
    app.extensions["store"] = Store(app.config["OWN_SESSION_URL"])
    app.extensions["search"] = SearchPlace(app.config["OWN_SESSION_URL"])

    app.extensions["broadcast"] = Broadcast()

    if pages:
        from webhookproxy import api, web

        api.init_app(app)
        web.init_app(app)
    cli.init_app(app)
    return app
