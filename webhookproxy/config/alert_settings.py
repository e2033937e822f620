"""The settings of what tells people of a problem."""

from __future__ import annotations

from webhookproxy.config import mail, parse
from webhookproxy.config.setting import Setting

ALERT_SETTINGS: tuple[Setting, ...] = (
    Setting(
        "SMTP_URL",
        "",
        "address",
        "The server that takes alerts by e-mail, with its user and password: "
        "smtp://user:password@host:587 begins with STARTTLS and smtps://…:465 with TLS; only a "
        "server on this machine may have neither. Empty: no e-mail.",
        mail.server,
    ),
    Setting(
        "SMTP_FROM",
        "",
        "e-mail address",
        "The sender of these e-mails; many servers take only addresses of the user's own.",
        mail.sender,
    ),
    Setting(
        "TELEGRAM_URL",
        "https://api.telegram.org",
        "address",
        "Where alerts for Telegram are sent; a Bot API server of your own does too.",
        parse.origin,
    ),
    Setting(
        "SLACK_URL",
        "https://hooks.slack.com",
        "address",
        "The only server that an alert address for Slack may lead to.",
        parse.origin,
    ),
    Setting(
        "NTFY_URL",
        "https://ntfy.sh",
        "address",
        "Where alerts for ntfy are sent; an ntfy server of your own does too.",
        parse.origin,
    ),
)
