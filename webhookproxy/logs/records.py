"""Sends the records of every logger to the console."""

from __future__ import annotations

import atexit
import logging
import time

from webhookproxy.logs.console import Console
from webhookproxy.logs.redaction import Redaction

# At INFO these print the socket's address with its token, and every payload.
NOISY_LOGGERS = ("engineio", "socketio", "urllib3", "websocket")

_STDOUT = 1


class _Handler(logging.Handler):
    """Gives records to the console, redacted and formatted."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.addFilter(Redaction())
        formatter = logging.Formatter(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Print a record without the handler's lock, which gevent ties to one thread."""
        try:
            if self.filter(record):
                self.emit(record)
                return True
        except Exception as error:
            # logging's own error report prints the record's arguments, unredacted, to stderr.
            self.console.line(
                f"A log line of {record.name} could not be written ({type(error).__name__})."
            )
        return False

    def emit(self, record: logging.LogRecord) -> None:
        self.console.output.put(self.format(record))


def install(level: str, lines_per_second: int) -> Console:
    """Send the records of every logger, and the event lines, to stdout; return the console.

    Replaces an earlier console. `level` is DEBUG, INFO, WARNING or ERROR. Threads do not survive a
    fork: under gunicorn this is called in the worker.
    """
    number = logging.getLevelNamesMapping()[level]
    console = Console(_STDOUT, number, lines_per_second)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Handler):
            root.removeHandler(handler)
            handler.console.close()
    root.addHandler(_Handler(console))
    root.setLevel(number)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    atexit.register(console.close)
    return console
