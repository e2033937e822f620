"""A conversation with a mail server: the standard library's, over a guarded connection."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from webhookproxy.alerts.channels.posting import no_answer
from webhookproxy.alerts.message import NotSent
from webhookproxy.config.mail import MailServer
from webhookproxy.network import dial
from webhookproxy.network.guard import Policy
from webhookproxy.reasons import AlertError

# Bytes of all that a server says in one conversation.
ANSWERS_MAX = 65_536
# The administrator names this server, as the database's, so it may be in the private network;
# addresses where clouds keep their credentials are refused all the same.
_POLICY = Policy(allow_private=True)


class Conversation:
    """One connection to a mail server, for one e-mail. The caller brings the time limit.

    `name` is the domain that we greet with. Every method but `end` raises NotSent.
    """

    def __init__(self, server: MailServer, name: str, seconds: float) -> None:
        self._server = server
        self._seconds = seconds
        # Without a host nothing is connected yet, and with a name none is looked up.
        self._smtp = _Bounded(local_hostname=name)

    def begin(self) -> None:
        """Connect, encrypt and log in."""
        server = self._server
        try:
            sock: socket.socket = dial.connect(
                server.host, server.port, _POLICY, dial.shared_resolver(), self._seconds
            )
            # At once, so that it is closed in the end whatever happens next.
            self._smtp.sock = sock
            if server.has_tls:
                self._smtp.sock = dial.wrap(sock, server.host, None)
            with _answers():
                _expect(self._smtp.getreply(), (220,), AlertError.REFUSED)
                self._greet()
            if not (server.has_tls or server.is_on_this_machine):
                self._encrypt(sock)
        except dial.DialError as error:
            raise no_answer(error.reason) from None
        if server.user:
            self._log_in()

    def hand_over(self, sender: str, to: str, letter: bytes) -> None:
        """Give the server the e-mail; it has it once this returns."""
        with _answers():
            _expect(self._smtp.mail(sender), (250,), AlertError.SENDER_REFUSED)
            _expect(self._smtp.rcpt(to), (250, 251), AlertError.BOUNCED)
            try:
                reply = self._smtp.data(letter)
            except smtplib.SMTPDataError as error:
                reply = error.smtp_code, b""
            _expect(reply, (250,), AlertError.MAIL_REFUSED)

    def end(self) -> None:
        """Say goodbye, without waiting for an answer, and close."""
        with suppress(OSError, smtplib.SMTPException):
            if self._smtp.sock is not None:
                self._smtp.sock.settimeout(1)
                self._smtp.putcmd("quit")
        self._smtp.close()

    def _greet(self) -> None:
        code, _ = self._smtp.ehlo()
        if code != 250:
            _expect(self._smtp.helo(), (250,), AlertError.REFUSED)

    def _encrypt(self, sock: socket.socket) -> None:
        with _answers():
            if not self._smtp.has_extn("starttls"):
                raise NotSent(AlertError.NO_ENCRYPTION, is_final=True)
            _expect(self._smtp.docmd("STARTTLS"), (220,), AlertError.NO_ENCRYPTION)
        # What the server said in the clear counts no more: its reader goes with it.
        self._smtp.sock = dial.wrap(sock, self._server.host, None)
        self._smtp.file = None
        with _answers():
            self._greet()

    def _log_in(self) -> None:
        with _answers():
            try:
                self._smtp.login(self._server.user, self._server.password)
            except smtplib.SMTPAuthenticationError as error:
                _expect((error.smtp_code, b""), (), AlertError.LOGIN_REFUSED)
            except smtplib.SMTPServerDisconnected:
                raise
            # The server knows no way of logging in, or none that we know.
            except smtplib.SMTPException:
                raise NotSent(AlertError.LOGIN_REFUSED, is_final=True) from None


class _Bounded(smtplib.SMTP):
    """Reads no more than ANSWERS_MAX bytes."""

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock.makefile("rb"))
        return super().getreply()


class _Lines:
    """The lines of a server's answers, as smtplib reads them."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = ANSWERS_MAX

    def readline(self, most: int) -> bytes:
        line: bytes = self._file.readline(min(most, self._left))
        self._left -= len(line)
        if not self._left:
            raise ValueError("the server says too much")
        return line

    def close(self) -> None:
        self._file.close()


@contextmanager
def _answers() -> Iterator[None]:
    """Turn what smtplib raises into NotSent."""
    try:
        yield
    except smtplib.SMTPServerDisconnected:
        raise NotSent(AlertError.CONNECTION_LOST, is_final=False) from None
    # A ValueError is too many answers, or base64 that is none, in the middle of a login.
    except (smtplib.SMTPException, ValueError):
        raise NotSent(AlertError.NOT_UNDERSTOOD, is_final=False) from None
    except OSError:
        raise NotSent(AlertError.CONNECTION_LOST, is_final=False) from None


def _expect(reply: tuple[int, bytes], good: Collection[int], refused: AlertError) -> None:
    """Raise NotSent unless the code is a good one; `refused` is what a final refusal means."""
    code, _ = reply
    if code in good:
        return
    if 500 <= code < 600:
        raise NotSent(refused, is_final=True)
    if 400 <= code < 500:
        raise NotSent(AlertError.MAIL_DELAYED, is_final=False)
    raise NotSent(AlertError.NOT_UNDERSTOOD, is_final=False)
