"""How the pages name channels, addresses and times of the day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from webhookproxy.models import AlertAddress
from webhookproxy.models.alerts.messages import Part
from webhookproxy.reasons import ALERT_ERROR_WORDS, AlertError, Words
from webhookproxy.rules.alerts import AddressKind

KIND_NAMES: Mapping[AddressKind, str] = MappingProxyType(
    {
        AddressKind.EMAIL: "E-mail",
        AddressKind.TELEGRAM: "Telegram",
        AddressKind.SLACK: "Slack",
        AddressKind.NTFY: "ntfy",
        AddressKind.WEBHOOK: "Webhook (POST assinado)",
    }
)
# What is typed as an address of each channel.
KIND_HELP: Mapping[AddressKind, str] = MappingProxyType(
    {
        AddressKind.EMAIL: "como ana@empresa.com.br",
        AddressKind.TELEGRAM: "o token do bot, um espaço e o chat: 123456:ABC… -1001234",
        AddressKind.SLACK: "a URL do “Incoming Webhook”, copiada do Slack",
        AddressKind.NTFY: "o tópico, como avisos-da-empresa; se o servidor pede um token de "
        "acesso, um espaço e o token: avisos-da-empresa tk_…",
        AddressKind.WEBHOOK: "a URL que recebe alert.opened e alert.closed (n8n, Make, o seu "
        "sistema)",
    }
)
# What a message told of an alert.
PART_NAMES: Mapping[Part, str] = MappingProxyType(
    {Part.OPENED: "começo", Part.CLOSED: "fim", Part.REMINDED: "lembrete"}
)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9])|h([0-5][0-9])?)?")


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an address: its word, drawing and colour, and why it is so."""

    label: str
    drawing: str
    colour: str
    why: Words | None = None


def standing(address: AlertAddress) -> Standing:
    """Return the state of an address."""
    why = error_words(address.last_error)
    if address.confirmed_at is None:
        return Standing("Falta confirmar", "clock", "amber", why)
    if why is not None:
        return Standing("Não recebeu o último aviso", "alert-triangle", "red", why)
    return Standing("Confirmado", "check", "green")


def error_words(code: str | None) -> Words | None:
    """Return the sentences for why a message was not sent; None without an error."""
    if code is None:
        return None
    try:
        return ALERT_ERROR_WORDS[AlertError(code)].filled()
    except ValueError:
        # A newer version of the program stored it.
        return ALERT_ERROR_WORDS[AlertError.INTERNAL].filled()


def clock_of_minutes(minutes: int | None) -> str:
    """Return a minute of the day as 22:05; "" for none."""
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def minutes_of_clock(typed: str) -> int | None:
    """Return the minute of the day of 22:05, 22h05, 22h or 22; None for another text."""
    found = _CLOCK.fullmatch(typed.lower())
    return None if found is None else int(found[1]) * 60 + int(found[2] or found[3] or 0)
