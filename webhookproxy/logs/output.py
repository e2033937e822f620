"""The bounded queue of lines to stdout, and the thread that writes them.

The caller never waits for the reader of stdout: a full pipe stops only this operating system
thread, not the greenlets.
"""

from __future__ import annotations

import os
import time
from _queue import Empty, SimpleQueue
from collections.abc import Callable
from typing import Protocol

from gevent.monkey import get_original

QUEUE_LINES = 10_000
_BATCH = 200


class LateLine(Protocol):
    """A line whose text (`str`) is taken when it is `due`, in seconds of time.monotonic()."""

    due: float


class Output:
    """Writes lines to a descriptor, from one hub's greenlets; a fork needs a new Output."""

    def __init__(self, descriptor: int) -> None:
        """Start the thread."""
        self._queue: SimpleQueue[str | LateLine | None] = SimpleQueue()
        self._closed: SimpleQueue[bool] = SimpleQueue()
        self._closing = False
        self._dropped = 0
        # gevent patches threads, but not _queue.SimpleQueue: this must be a real thread.
        start: Callable[..., int] = get_original("_thread", "start_new_thread")
        start(_write_lines, (self._queue, self._closed, descriptor))

    def put(self, line: str | LateLine) -> None:
        """Queue a line that is already redacted; while QUEUE_LINES wait it is only counted."""
        if self._closing:
            return
        if self._queue.qsize() >= QUEUE_LINES:
            self._dropped += 1
            return
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._queue.put(f"{dropped} lines are missing here: the output was not read in time.")
        self._queue.put(line)

    def close(self, timeout: float) -> bool:
        """Write the waiting lines, for at most `timeout` seconds; return False if some are left.

        Lines that come later are not printed. The wait blocks the whole process: call it last.
        """
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        try:
            self._closed.put(self._closed.get(timeout=timeout))
        except Empty:
            return False
        return True


def _write_lines(
    queue: SimpleQueue[str | LateLine | None], closed: SimpleQueue[bool], descriptor: int
) -> None:
    """Run the thread. It may use nothing that gevent patches: no time.sleep, lock or logging."""
    late: LateLine | None = None
    more = True
    while more:
        lines: list[str] = []
        try:
            wait = None if late is None else max(0.0, late.due - time.monotonic())
            item = queue.get(timeout=wait)
            while True:
                if isinstance(item, str):
                    lines.append(item)
                else:
                    # A late line is printed when it is due, the next one comes, or at the end.
                    lines += [] if late is None else [str(late)]
                    late = item
                    more = item is not None
                if not more or len(lines) >= _BATCH:
                    break
                item = queue.get_nowait()
        except Empty:
            if late is not None and time.monotonic() >= late.due:
                lines.append(str(late))
                late = None
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
            # The reader is gone, and with it the only place to report that.
            return
