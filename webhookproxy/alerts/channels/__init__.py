"""The ways to people: e-mail, Telegram, Slack, ntfy, and a signed POST of our own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from webhookproxy.alerts.channels.mail import send_mail
from webhookproxy.alerts.channels.posting import send_post
from webhookproxy.alerts.channels.services import POSTS
from webhookproxy.alerts.message import Message, NotSent
from webhookproxy.network.http.client import Client
from webhookproxy.reasons import AlertError
from webhookproxy.rules.alerts import AddressKind

logger = logging.getLogger(__name__)


class Channels:
    """Sends one message to one address; may be used by many greenlets at once."""

    def __init__(self, settings: Mapping[str, Any], http: Client) -> None:
        self._settings = settings
        self._http = http

    def send(self, kind: str, target: str, secret: str | None, message: Message) -> None:
        """Send the message, within 20 seconds, whatever the other side does.

        Raises NotSent and nothing else, but for GreenletExit and a gevent.Timeout of the caller.
        """
        try:
            if kind == AddressKind.EMAIL:
                send_mail(self._settings["SMTP_URL"], self._settings["SMTP_FROM"], target, message)
            else:
                send_post(self._http, POSTS[kind](self._settings, target, secret, message))
        except NotSent:
            raise
        except Exception as error:
            # Its text may quote what the other side said, or the address.
            logger.error("an alert was not sent by %s: %s", kind, type(error).__name__)
            raise NotSent(AlertError.INTERNAL, is_final=False) from None
