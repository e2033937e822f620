"""The port and the password of the demo, which stay the same from one start to the next."""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from webhookproxy.config.parse import number
from webhookproxy.demo.programs import ROOT, DemoError

# Not below: bin/serve's own 5000 may be in use beside the demo.
FIRST_PORT = 5001
FILE = ROOT / "instance" / "demo.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """The port of the pages, and the password of the administrator."""

    port: int
    password: str


def keep(file: Path = FILE) -> Kept:
    """Return what the last demo used, else something new, and keep it in `file`.

    PORT chooses the port. Raises DemoError if another program listens there, because an address
    that changes silently is no bookmark.
    """
    last = _read(file)
    chosen = os.environ.get("PORT") or ""
    try:
        wanted = number(0, 65_535)(chosen or "0")
    except ValueError as rule:
        raise DemoError(f"PORT {rule}.") from None
    port = wanted or (last.port if last else _free_port())
    kept = Kept(port, last.password if last else secrets.token_urlsafe(12))
    if _is_taken(port):
        raise DemoError(
            f"another program listens on port {port}, perhaps another demo: end it, or choose "
            f"a port, as in PORT={_free_port()} bin/demo."
        )
    _write(file, kept)
    return kept


def _read(file: Path) -> Kept | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        stored = json.loads(file.read_text(encoding="utf-8"))
        return Kept(int(stored["port"]), str(stored["password"]))
    return None


def _write(file: Path, kept: Kept) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(asdict(kept), opened)


def _free_port() -> int:
    return next(port for port in range(FIRST_PORT, 65_536) if not _is_taken(port))


def _is_taken(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
