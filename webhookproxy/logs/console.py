"""What the server prints: log lines, and one line for each event and webhook.

Nothing here waits for the reader of stdout: lines go through a bounded queue to one operating
system thread, because a full pipe would otherwise stop every greenlet at the next line.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from _queue import Empty, SimpleQueue
from collections.abc import Callable

from gevent.monkey import get_original

from webhookproxy.logs.redaction import Redaction, one_line, redact

QUEUE_LINES = 10_000
CLOSE_SECONDS = 2.0

# At INFO these print the socket's address with its token, and every payload.
NOISY_LOGGERS = ("engineio", "socketio", "urllib3", "websocket")

_STDOUT = 1
_BATCH = 200

# A greenlet that read the clock just before the second ended may still be counting.
_GRACE = 0.05

_RECEIVED, _SENT, _SUCCEEDED, _FAILED, _SIMULATED = range(5)


class _Summary:
    """The lines of one second that were counted instead of printed."""

    def __init__(self, second: int, limit: int) -> None:
        self.due = second + 1 + _GRACE
        self.counts = [0, 0, 0, 0, 0]
        self._limit = limit

    def __str__(self) -> str:
        received, sent, succeeded, failed, simulated = self.counts
        more = f", {simulated} simulated" if simulated else ""
        return (
            f"In one second, besides the {self._limit} lines above: {received} events received, "
            f"{sent} webhooks sent, {succeeded} succeeded, {failed} failed{more}."
        )


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"


class Console:
    """The queue, its thread, and the lines for events; used by one hub's greenlets."""

    def __init__(self, descriptor: int, level: int, lines_per_second: int) -> None:
        """Start the thread that writes to `descriptor`; after a fork, a new Console is needed."""
        self._queue: SimpleQueue[str | _Summary | None] = SimpleQueue()
        self._closed: SimpleQueue[bool] = SimpleQueue()
        self._closing = False
        self._dropped = 0
        self._level = level
        self._limit = float("inf") if level <= logging.DEBUG else lines_per_second
        self._second = 0
        self._shown = 0
        self._summary: _Summary | None = None
        # gevent does not patch _queue.SimpleQueue; threads it does, so the original is asked for.
        start: Callable[..., int] = get_original("_thread", "start_new_thread")
        start(_write_lines, (self._queue, self._closed, descriptor))

    def connected(self, company_id: int) -> None:
        if self._level <= logging.INFO:
            self.line(f"✅ Conectado ao socket da 3C Plus para empresa company_{company_id}!")

    def event_received(self, event: str, company_id: int) -> None:
        if self._level <= logging.INFO and self._admit(_RECEIVED):
            self.line(f"📥 Evento recebido: {event} para empresa company_{company_id}")

    def webhook_sent(self, event: str, url: str) -> None:
        """`url` as guard.masked_url gives it."""
        if self._level <= logging.INFO and self._admit(_SENT):
            self.line(f"📤 Webhook enviado: {event} → {url}")

    def webhook_succeeded(self, url: str) -> None:
        """`url` as guard.masked_url gives it."""
        if self._level <= logging.INFO and self._admit(_SUCCEEDED):
            self.line(f"✅ Webhook enviado com sucesso para {url}")

    def webhook_failed(self, event: str, url: str, reason: str, delay: float | None) -> None:
        """`reason` in English; `delay`: seconds until the next attempt, None if there is none."""
        if self._level <= logging.WARNING and self._admit(_FAILED):
            after = "no further attempt" if delay is None else f"next attempt in {_span(delay)}"
            self.line(f"Webhook failed: {event} → {url}: {reason}; {after}.")

    def webhook_simulated(self, event: str, url: str) -> None:
        """`url` as guard.masked_url gives it."""
        if self._level <= logging.INFO and self._admit(_SIMULATED):
            self.line(f"Webhook simulated: {event} → {url}: nothing was sent.")

    def line(self, text: str) -> None:
        """Print one line without waiting; if 10,000 are waiting already it is only counted."""
        self.put(redact(one_line(text)))

    def close(self, timeout: float = CLOSE_SECONDS) -> bool:
        """Write what waits, for at most `timeout` seconds; False if some lines were not written.

        Lines that come later are not printed. The wait blocks the whole process: call it last.
        """
        atexit.unregister(self.close)
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        try:
            self._closed.put(self._closed.get(timeout=timeout))
        except Empty:
            return False
        return True

    def _admit(self, kind: int) -> bool:
        """Whether this line is printed; if not, it is counted in the summary of its second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._shown = 0
            self._summary = None
        if self._shown < self._limit:
            self._shown += 1
            return True
        if self._summary is None:
            self._summary = _Summary(second, self._shown)
            self.put(self._summary)
        self._summary.counts[kind] += 1
        return False

    def put(self, item: str | _Summary) -> None:
        """Queue what is already redacted; `line` is for texts that are not."""
        if self._closing:
            return
        if self._queue.qsize() >= QUEUE_LINES:
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._queue.put(f"{dropped} lines are missing here: nobody read the output in time.")
        self._queue.put(item)


def _write_lines(
    queue: SimpleQueue[str | _Summary | None], closed: SimpleQueue[bool], descriptor: int
) -> None:
    """The thread. It may use nothing that gevent patches: no time.sleep, no lock, no logging."""
    summary: _Summary | None = None
    more = True
    while more:
        lines: list[str] = []
        try:
            wait = None if summary is None else max(0.0, summary.due - time.monotonic())
            item = queue.get(timeout=wait)
            while True:
                if isinstance(item, str):
                    lines.append(item)
                else:
                    # A second's summary is printed when it ends, the next one begins, or at the
                    # end of all.
                    lines += [] if summary is None else [str(summary)]
                    summary = item
                    more = item is not None
                if not more or len(lines) >= _BATCH:
                    break
                item = queue.get_nowait()
        except Empty:
            if summary is not None and time.monotonic() >= summary.due:
                lines.append(str(summary))
                summary = None
        if lines:
            _write(descriptor, "".join(f"{line}\n" for line in lines))
    closed.put(True)


def _write(descriptor: int, text: str) -> None:
    data = memoryview(text.encode("utf-8", "backslashreplace"))
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # Another program may have set the shared terminal or pipe to non-blocking.
            get_original("select", "select")([], [descriptor], [])
        except OSError:
            # The reader is gone: there is nobody left to tell.
            return


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
        """Without the handler's lock: the queue needs none, and gevent's belongs to one thread."""
        try:
            if self.filter(record):
                self.emit(record)
                return True
        except Exception as error:
            # logging's own way out prints the record's arguments, unredacted, to stderr.
            self.console.line(
                f"A log line of {record.name} could not be written ({type(error).__name__})."
            )
        return False

    def emit(self, record: logging.LogRecord) -> None:
        self.console.put(self.format(record))


def install(level: str, lines_per_second: int) -> Console:
    """Send every logger's records and the event lines to stdout; replaces an earlier console.

    `level` is DEBUG, INFO, WARNING or ERROR. Threads do not survive a fork: under gunicorn this is
    called in the worker.
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
