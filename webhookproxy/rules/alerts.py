"""The checks of an address at which a person is told of problems."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

import idna

from webhookproxy.config.mail import is_mail_address
from webhookproxy.network.guard import Policy, Target, UrlRefused, check_url
from webhookproxy.rules import Refused

ADDRESSES_MAX = 20

_BOT_TOKEN = re.compile(r"([0-9]{5,20}):[A-Za-z0-9_-]{20,80}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z][A-Za-z0-9_]{3,31}")
# docs.ntfy.sh/publish: what an ntfy server takes.
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
# docs.ntfy.sh/config: what a server's `ntfy token add` makes.
_TOPIC_TOKEN = re.compile(r"tk_[A-Za-z0-9]{1,64}")


class AddressKind(StrEnum):
    """The channels, in the order in which pages list them."""

    EMAIL = "email"
    TELEGRAM = "telegram"
    SLACK = "slack"
    NTFY = "ntfy"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class AddressInput:
    """An address that can be stored: `target` is a secret, `label` is what pages show of it."""

    kind: AddressKind
    target: str
    label: str


def check_address(kind: str, typed: str, policy: Policy, slack_url: str) -> AddressInput:
    """Return the address; raise Refused if it is none of its kind.

    `typed` is an e-mail address, a bot's token and a chat with a space between, a URL, or a topic
    that an access token may follow.
    `slack_url` is the only server that an address for Slack may lead to.
    """
    text = typed.strip()
    if kind == AddressKind.EMAIL:
        return _email(text)
    if kind == AddressKind.TELEGRAM:
        return _telegram(text)
    if kind == AddressKind.SLACK:
        return _slack(text, policy, slack_url)
    if kind == AddressKind.NTFY:
        return _ntfy(text)
    if kind == AddressKind.WEBHOOK:
        target = _url(text, policy)
        return AddressInput(AddressKind.WEBHOOK, target.url, target.host)
    raise Refused.one(
        "kind",
        f"The kind of an address is one of: {', '.join(AddressKind)}.",
        "Escolha por onde quer ser avisado: e-mail, Telegram, Slack, ntfy ou webhook.",
    )


def _email(text: str) -> AddressInput:
    local, at, domain = text.rpartition("@")
    try:
        domain = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        domain = ""
    address = f"{local}{at}{domain}"
    if "." not in domain or not is_mail_address(address):
        raise Refused.one(
            "target",
            "This is not an e-mail address that we can send to: write it as name@company.com.",
            "Isto não é um e-mail para o qual possamos enviar: escreva como nome@empresa.com.br.",
        )
    shown = local[:2] if len(local) > 3 else local[:1]
    return AddressInput(AddressKind.EMAIL, address, f"{shown}…@{domain}")


def _telegram(text: str) -> AddressInput:
    token, _, chat = text.partition(" ")
    chat = chat.strip()
    known = _BOT_TOKEN.fullmatch(token)
    if known is None:
        raise Refused.one(
            "target",
            "This is not a bot's token: copy it from @BotFather (123456:ABC…), then a space and "
            "the chat.",
            "O token do bot não está certo: copie-o inteiro do @BotFather (123456:ABC…).",
        )
    if not _CHAT.fullmatch(chat):
        raise Refused.one(
            "target",
            "The chat is a number (a group's begins with -) or a channel's @name.",
            "O chat é um número (o de um grupo começa com -) ou o @nome de um canal.",
        )
    return AddressInput(AddressKind.TELEGRAM, f"{token} {chat}", f"bot {known[1]}, …{chat[-3:]}")


def _slack(text: str, policy: Policy, slack_url: str) -> AddressInput:
    target = _url(text, policy)
    server = urlsplit(slack_url)
    port = server.port or (443 if server.scheme == "https" else 80)
    if (target.scheme, target.host, target.port) != (server.scheme, server.hostname, port):
        raise Refused.one(
            "target",
            f"The URL of a Slack webhook begins with {slack_url}/: copy it from Slack.",
            f"A URL de um webhook do Slack começa com {slack_url}/: copie-a do Slack. Para outro "
            "sistema, escolha “webhook”.",
        )
    if target.path_and_query == "/":
        raise Refused.one(
            "target",
            "The URL has no path: copy the whole webhook URL from Slack.",
            "A URL está incompleta: copie do Slack a URL inteira do webhook.",
        )
    return AddressInput(AddressKind.SLACK, target.url, target.host)


def _ntfy(text: str) -> AddressInput:
    topic, _, token = text.partition(" ")
    token = token.strip()
    if token and not _TOPIC_TOKEN.fullmatch(token):
        raise Refused.one(
            "target",
            "After the topic comes nothing, or a space and an access token of the ntfy server, "
            "which begins with tk_.",
            "Depois do tópico não vem nada, ou um espaço e o token de acesso do servidor ntfy, "
            "que começa com tk_.",
        )
    if not _TOPIC.fullmatch(topic):
        raise Refused.one(
            "target",
            "A topic of ntfy has 1 to 64 letters, digits, - or _.",
            "Um tópico do ntfy tem de 1 a 64 letras sem acento, números, - ou _.",
        )
    return AddressInput(AddressKind.NTFY, f"{topic} {token}".strip(), f"{topic[:2]}…")


def _url(text: str, policy: Policy) -> Target:
    try:
        return check_url(text, policy)
    except UrlRefused as refused:
        raise Refused.one("target", refused.english, refused.portuguese) from None
