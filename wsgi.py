from gevent import monkey

monkey.patch_all()  # before anything else is imported: what is not patched blocks every socket

# ruff: noqa: E402
import sys

from webhookproxy import create_app
from webhookproxy.keys import ConfigError

try:
    app = create_app()
except ConfigError as error:
    sys.exit(f"webhookproxy: {error}")
