"""Runs the mail server beside a test, in its own process, and reads what it got."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 60.0
USER, PASSWORD = "avisos", "canary-mail-password"


class MailProcess:
    """A context manager: the server on three free ports. `letters` grows as e-mails come."""

    def __init__(self, certificate: Path) -> None:
        self._certificate = certificate
        self._ready = threading.Event()
        self.letters: list[dict[str, Any]] = []
        self.starttls = self.tls = self.plain = 0

    def __enter__(self) -> Self:
        command = [
            sys.executable,
            "-m",
            "tests.alerts.channels.mail_server",
            str(self._certificate),
        ]
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(START_SECONDS), "the mail server did not start"
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait_for(self, count: int, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Return the e-mails once there are `count`; fail after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.letters) < count:
            assert time.monotonic() < until, f"{len(self.letters)} of {count} e-mails came"
            time.sleep(0.01)
        return self.letters

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.starttls, self.tls, self.plain = json.loads(self._process.stdout.readline())
        self._ready.set()
        for line in self._process.stdout:
            self.letters.append(json.loads(line))


def parsed(letter: dict[str, Any]) -> EmailMessage:
    """Return an e-mail that came, as a mail program reads it."""
    mail = message_from_bytes(letter["content"].encode("ascii"), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail
