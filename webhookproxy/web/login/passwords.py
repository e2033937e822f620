"""Passwords are hashed in their own thread: the 0.1 s that it takes must not stop the sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2.exceptions import InvalidHashError, VerificationError
from gevent.event import Event
from gevent.threadpool import ThreadPool
from werkzeug.exceptions import TooManyRequests

from webhookproxy.models.accounts.people import hasher
from webhookproxy.rules.people import check_password

# How many may wait for their turn, about 0.1 s each; those who are known here come on top.
WAITING_MAX = 50
WAIT_SECONDS = 5

_pool = ThreadPool(1)


class _Line:
    """Lets in one password at a time; those who are known here go first."""

    def __init__(self) -> None:
        self._busy = False
        # By kind (0: known here), each with the event that lets it in.
        self._waiting: tuple[deque[Event], deque[Event]] = (deque(), deque())

    @contextmanager
    def turn(self, *, known: bool) -> Iterator[None]:
        """Wait for the turn of a password; raise TooManyRequests (429) if the line is full."""
        if self._busy:
            self._wait(self._waiting[0 if known else 1])
        self._busy = True
        try:
            yield
        finally:
            self._next()

    def _wait(self, line: deque[Event]) -> None:
        if len(line) >= WAITING_MAX:
            raise TooManyRequests(retry_after=WAIT_SECONDS)
        mine = Event()
        line.append(mine)
        try:
            mine.wait()
        except BaseException:
            # The visitor has gone: the turn, if it came just now, is the next one's.
            if mine.is_set():
                self._next()
            else:
                line.remove(mine)
            raise

    def _next(self) -> None:
        for line in self._waiting:
            if line:
                line.popleft().set()
                return
        self._busy = False


_line = _Line()


def hashed(password: str) -> str:
    """Return the hash of a password. Raises Refused if it is too short or too long."""
    # Checked here: what is raised in a thread of the pool is printed on the console, with a trace.
    check_password(password)
    with _line.turn(known=True):
        return str(_pool.apply(hasher.hash, (password,)))


def verified(password_hash: str | None, password: str, *, known: bool = True) -> bool:
    """Return whether the password is right; it takes as long if there is no such user (None).

    `known` is false for a visitor who has not logged in from there lately: they wait behind the
    others. Raises TooManyRequests (429) if too many wait already.
    """
    with _line.turn(known=known):
        return bool(_pool.apply(_verify, (password_hash, password)))


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with weaker parameters than today's."""
    return bool(hasher.check_needs_rehash(password_hash))


@cache
def _dummy_hash() -> str:
    return hasher.hash("no password of any user")


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        hasher.verify(password_hash or _dummy_hash(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None
