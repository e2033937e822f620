"""The one place where a connection is opened: resolve once, check every answer, connect, wrap.

It knows nothing of HTTP. Deliveries and the Socket.IO listener both use it.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import certifi
import gevent
from gevent import monkey
from gevent.threadpool import ThreadPool

from webhookproxy.network.addresses import address_allowed, parse_address
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import DeliveryReason

# A silent name holds its thread for as long as the system waits: 30 s are usual.
DNS_THREADS = 32
# Names whose last lookup took longer than SLOW_SECONDS share these threads.
SLOW_THREADS = 4
SLOW_SECONDS = 3.0
SLOW_NAMES_MAX = 1_000

# One answer of getaddrinfo: family, type, protocol, canonical name, socket address.
Answer = tuple[int, int, int, str, tuple[Any, ...]]
GetAddrInfo = Callable[..., Sequence[Answer]]

# gevent's version would run in the hub's own pool of ten threads, which others need too.
_native_getaddrinfo: GetAddrInfo = monkey.get_original("socket", "getaddrinfo")
_native_poll: Callable[[], Any] = monkey.get_original("select", "poll")

# OpenSSL's X509_V_ERR_ numbers (x509_vfy.h).
_EXPIRED = {9: "is not valid yet", 10: "has expired"}
_WRONG_NAME = (62, 64)


class DialError(Exception):
    """No connection was made.

    `detail` is a plain English sentence that is safe to show: it never has the address of a name.
    """

    def __init__(self, reason: DeliveryReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Resolver:
    """Resolves names in its own threads, one lookup at a time for each name and port.

    A dead name holds one thread, however many callers wait for it, and names that were slow last
    time share a few threads, so that they hold up no others. The callers bring their own
    gevent.Timeout: one that gives up leaves the lookup running for the others. No answer is
    cached, so that every connection is checked against what the name means now.
    """

    def __init__(self, getaddrinfo: GetAddrInfo = _native_getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._pool = ThreadPool(DNS_THREADS)
        self._slow_pool = ThreadPool(SLOW_THREADS)
        # A dict for its order: the oldest name is forgotten first.
        self._slow: dict[str, None] = {}
        self._lookups: dict[
            tuple[str, int], gevent.Greenlet[..., Sequence[Answer] | Exception]
        ] = {}

    def lookup(self, host: str, port: int) -> Sequence[Answer]:
        """Return what getaddrinfo says; an IP address is answered without it.

        Raises OSError or UnicodeError if the name does not resolve.
        """
        ip = parse_address(host)
        if ip is not None:
            family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
            address = (str(ip), port) if ip.version == 4 else (str(ip), port, 0, 0)
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
        key = (host, port)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = gevent.spawn(self._run, host, port)
        result = lookup.get()
        if isinstance(result, Exception):
            # A new exception for each caller: raising one object twice would mix tracebacks.
            raise OSError(f"{type(result).__name__} while resolving a name") from None
        return result

    def _run(self, host: str, port: int) -> Sequence[Answer] | Exception:
        pool = self._slow_pool if host in self._slow else self._pool
        try:
            result, seconds = pool.apply(self._ask, (host, port))
        finally:
            del self._lookups[host, port]
        self._slow.pop(host, None)
        if seconds > SLOW_SECONDS:
            self._slow[host] = None
            if len(self._slow) > SLOW_NAMES_MAX:
                del self._slow[next(iter(self._slow))]
        return result

    def _ask(self, host: str, port: int) -> tuple[Sequence[Answer] | Exception, float]:
        """Return the answers, or the exception (gevent prints one that is raised); and seconds."""
        started = time.monotonic()
        try:
            result: Sequence[Answer] | Exception = self._getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
        except Exception as error:
            result = error
        return result, time.monotonic() - started


@cache
def shared_resolver() -> Resolver:
    """Return the one resolver of everything but the sockets, which have their own.

    Threads of a pool never end, so a resolver for each request would leave them behind.
    """
    return Resolver()


@cache
def sockets_resolver() -> Resolver:
    """Return the one resolver of the sockets: webhooks with silent names must not hold them up."""
    return Resolver()


@contextmanager
def time_limit(seconds: float, late: Exception) -> Iterator[None]:
    """Raise `late` if the block takes longer; a gevent.Timeout of the caller passes."""
    timer = gevent.Timeout.start_new(max(0.0, seconds))
    try:
        yield
    except gevent.Timeout as caught:
        if caught is not timer:
            raise
        raise late from None
    finally:
        timer.close()


def resolve(
    host: str, port: int, policy: Policy, resolver: Resolver, timeout: float
) -> Sequence[Answer]:
    """Return a host's addresses, all of them allowed, in at most `timeout` seconds.

    One address that is not allowed refuses them all. Raises DialError.
    """
    late = DialError(DeliveryReason.NAME_NOT_RESOLVED, "The host name was not resolved in time.")
    try:
        with time_limit(timeout, late):
            answers = resolver.lookup(host, port)
    except (OSError, UnicodeError):
        answers = ()
    if not answers:
        raise DialError(DeliveryReason.NAME_NOT_RESOLVED, "The host name does not resolve.")
    if not all(address_allowed(str(answer[4][0]), policy) for answer in answers):
        raise DialError(
            DeliveryReason.ADDRESS_NOT_ALLOWED,
            "The host leads to an address that is not allowed.",
        )
    return answers


def connect(
    host: str, port: int, policy: Policy, resolver: Resolver, timeout: float
) -> socket.socket:
    """Return a blocking TCP socket to a checked address, in at most `timeout` seconds.

    The name is resolved once, and checked before anything is opened. Raises DialError.
    """
    deadline = time.monotonic() + timeout
    answers = resolve(host, port, policy, resolver, timeout)
    failures = []
    for position, answer in enumerate(answers):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            # Each address has its share of the time, so that a silent one leaves time for the next.
            return _connect_one(answer, left / (len(answers) - position))
        except OSError as error:
            failures.append(error)
    raise _connect_error(failures)


@cache
def tls_context(protocol: str | None) -> ssl.SSLContext:
    """Return the one client context for a protocol: TLS 1.2 or newer, certificates always checked.

    It trusts SSL_CERT_FILE or SSL_CERT_DIR if set, else the system's roots and certifi's. It names
    the protocol to the server (ALPN), if there is a name for it.
    """
    context = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        context.load_verify_locations(certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if protocol is not None:
        context.set_alpn_protocols([protocol])
    return context


def wrap(sock: socket.socket, host: str, protocol: str | None = "http/1.1") -> ssl.SSLSocket:
    """Return the socket with TLS, its certificate checked against `host`.

    Closes it and raises DialError if that fails. The caller brings the time limit, as a
    gevent.Timeout.
    """
    try:
        # Apart from the handshake: an interrupted constructor would leave an open socket behind.
        secure = tls_context(protocol).wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False
        )
    except (OSError, ValueError):
        sock.close()
        raise _tls_failed() from None
    try:
        secure.do_handshake()
    except ssl.SSLCertVerificationError as error:
        secure.close()
        raise _certificate_error(error) from None
    except (OSError, ValueError):
        secure.close()
        raise _tls_failed() from None
    except BaseException:
        secure.close()
        raise
    return secure


def wrap_in_time(sock: socket.socket, host: str, timeout: float) -> ssl.SSLSocket:
    """Return what wrap() returns, in at most `timeout` seconds; else raise DialError."""
    late = DialError(DeliveryReason.CONNECT_TIMEOUT, "The TLS handshake did not end in time.")
    with time_limit(timeout, late):
        return wrap(sock, host)


def is_stale(sock: socket.socket) -> bool:
    """Whether an idle connection cannot be used again: it was closed, or has bytes waiting."""
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    poll = _native_poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _connect_one(answer: Answer, timeout: float) -> socket.socket:
    family, kind, protocol, _, address = answer
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(timeout)
        sock.connect(address)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_error(failures: Sequence[OSError]) -> DialError:
    """Return the error for all addresses: a refusal tells more than silence, silence more than
    the rest.

    Without any failure the time was over before the first address.
    """
    if any(isinstance(failure, ConnectionRefusedError) for failure in failures):
        return DialError(DeliveryReason.CONNECTION_REFUSED, "The host refused the connection.")
    if not failures or any(isinstance(failure, TimeoutError) for failure in failures):
        return DialError(
            DeliveryReason.CONNECT_TIMEOUT, "The host did not accept the connection in time."
        )
    return DialError(DeliveryReason.CONNECTION_FAILED, "The host could not be reached.")


def _certificate_error(error: ssl.SSLCertVerificationError) -> DialError:
    if error.verify_code in _EXPIRED:
        detail = f"The host's certificate {_EXPIRED[error.verify_code]}."
        return DialError(DeliveryReason.TLS_EXPIRED, detail)
    if error.verify_code in _WRONG_NAME:
        return DialError(
            DeliveryReason.TLS_WRONG_NAME, "The host's certificate is for another name."
        )
    return DialError(
        DeliveryReason.TLS_UNTRUSTED, "The host's certificate is not from a known authority."
    )


def _tls_failed() -> DialError:
    return DialError(DeliveryReason.TLS_FAILED, "The TLS handshake failed: is this an https port?")
