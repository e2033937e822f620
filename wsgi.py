from gevent import monkey

monkey.patch_all()  # before anything else is imported: what is not patched blocks every socket

# ruff: noqa: E402
import sys

from webhookproxy import create_app
from webhookproxy.config.keys import ConfigError
from webhookproxy.maintenance.keycheck import check_keys

try:
    app = create_app()
    check_keys(app)
except ConfigError as error:
    sys.stderr.write(f"webhookproxy: {error}\n")
    # gunicorn's code for an application that cannot be loaded: with any other its master would
    # start the worker anew, for ever.
    sys.exit(4)
