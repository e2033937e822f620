import gc
import sys

# Nothing of what is imported is ever given back: to look for it would take a tenth of the start.
gc.disable()

# `flask status` waits for nothing but the database, and a third of its time would be the patching.
if sys.argv[1:2] != ["status"]:
    from gevent import monkey

    monkey.patch_all()  # before any other import: a module that is not patched blocks every socket

# ruff: noqa: E402
import os

import click

# For the server and for every command: what they write is for their own user alone. gunicorn's
# setting of this name is for sockets and daemons.
os.umask(0o077)

from webhookproxy import create_app
from webhookproxy.config.keys import ConfigError
from webhookproxy.database.ownership.locks import refuse_shared_sessions
from webhookproxy.maintenance.keycheck import check_keys

# Flask looks for a command of ours in the context of `flask` itself. `flask run`, `shell` and
# `routes`, which need the pages, have a context of their own, and a server has none.
context = click.get_current_context(silent=True)

try:
    app = create_app(pages=context is None or context.parent is not None)
    refuse_shared_sessions(app.config["OWN_SESSION_URL"])
    check_keys(app)
except ConfigError as error:
    sys.stderr.write(f"webhookproxy: {error}\n")
    # gunicorn's code for an application that cannot be loaded. With any other code its master would
    # start the worker again, without end.
    sys.exit(4)
gc.enable()
