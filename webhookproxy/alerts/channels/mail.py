"""One e-mail, handed over to the mail server of the settings."""

from __future__ import annotations

import re
from email import policy
from email.message import EmailMessage
from email.utils import formataddr, formatdate

from webhookproxy.alerts.channels.smtp import Conversation
from webhookproxy.alerts.channels.text import body_of, one_line
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.config.mail import MailServer, is_mail_address
from webhookproxy.network.dial import time_limit
from webhookproxy.reasons import AlertError

SECONDS = 18.0
_BODY_MAX = 20_000
# A server that knows no 8BITMIME gets what every server takes.
_POLICY = policy.SMTP.clone(cte_type="7bit")


def send_mail(server: MailServer | None, sender: str, to: str, message: Message) -> None:
    """Hand the message over to the server, or raise NotSent, within SECONDS."""
    if server is None:
        raise NotSent(AlertError.NO_CHANNEL, is_final=True)
    if not is_mail_address(to):
        raise NotSent(AlertError.BAD_TARGET, is_final=True)
    letter = letter_of(sender, to, message)
    domain = sender.rpartition("@")[2]
    with time_limit(SECONDS, NotSent(AlertError.TOO_SLOW, is_final=False)):
        conversation = Conversation(server, domain, SECONDS)
        try:
            conversation.begin()
            conversation.hand_over(sender, to, letter)
        finally:
            conversation.end()


def letter_of(sender: str, to: str, message: Message) -> bytes:
    """Return the e-mail's bytes; no text of the message can begin a header of its own."""
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = formataddr(("webhookproxy", sender))
    mail["To"] = to
    mail["Subject"] = one_line(message.subject)
    mail["Date"] = formatdate()
    name = re.sub(r"[^A-Za-z0-9_-]", "-", message.id)
    mail["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    # No answer of a machine is wanted (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body_of(message, _BODY_MAX))
    return mail.as_bytes()
