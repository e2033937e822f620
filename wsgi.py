import gc

# Nothing of what is imported is ever given back: to look for it would take a tenth of the start.
gc.disable()

from gevent import monkey

monkey.patch_all()  # before any other import: a module that is not patched blocks every socket

# ruff: noqa: E402
import os
import sys

# For the server and for every command: what they write is for their own user alone. gunicorn's
# setting of this name is for sockets and daemons.
os.umask(0o077)

from webhookproxy import create_app
from webhookproxy.config.keys import ConfigError
from webhookproxy.database.lease import refuse_shared_sessions
from webhookproxy.maintenance.keycheck import check_keys

try:
    app = create_app()
    refuse_shared_sessions(app.config["OWN_SESSION_URL"])
    check_keys(app)
except ConfigError as error:
    sys.stderr.write(f"webhookproxy: {error}\n")
    # gunicorn's code for an application that cannot be loaded. With any other code its master would
    # start the worker again, without end.
    sys.exit(4)
gc.freeze()
gc.enable()
