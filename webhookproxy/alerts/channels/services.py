"""What each service is sent, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from webhookproxy.alerts.channels.posting import Post
from webhookproxy.alerts.channels.text import body_of, one_line, whole_of
from webhookproxy.alerts.message import Message
from webhookproxy.database.clock import seconds_now
from webhookproxy.events import contract
from webhookproxy.reasons import AlertError
from webhookproxy.rules.alerts import AddressKind
from webhookproxy.version import __version__

# Telegram and ntfy take 4,096 (characters, bytes).
_TEXT_MAX = 3_800
_JSON = {"Content-Type": "application/json", "User-Agent": f"webhookproxy/{__version__}"}


def telegram(settings: Mapping[str, Any], target: str, _secret: str | None, told: Message) -> Post:
    """Return the call of sendMessage (core.telegram.org/bots/api); a target is token and chat."""
    token, _, chat = target.partition(" ")
    content = {
        "chat_id": chat,
        "text": whole_of(told, _TEXT_MAX),
        "link_preview_options": {"is_disabled": True},
    }
    refusals = {
        400: AlertError.CHAT_NOT_FOUND,
        401: AlertError.BOT_UNKNOWN,
        403: AlertError.BOT_BLOCKED,
        404: AlertError.BOT_UNKNOWN,
    }
    return _post(f"{settings['TELEGRAM_URL']}/bot{token}/sendMessage", content, refusals)


def slack(_settings: Mapping[str, Any], target: str, _secret: str | None, told: Message) -> Post:
    """Return the call of an incoming webhook (docs.slack.dev), which is the target."""
    text = whole_of(told, _TEXT_MAX)
    # Without this <!channel> in a company's name would call everyone.
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    content = {"text": text, "unfurl_links": False, "unfurl_media": False}
    return _post(target, content, dict.fromkeys((403, 404, 410), AlertError.SLACK_REMOVED))


def ntfy(settings: Mapping[str, Any], target: str, _secret: str | None, told: Message) -> Post:
    """Return the publishing as JSON (docs.ntfy.sh/publish); a target is topic and access token."""
    topic, _, token = target.partition(" ")
    content: dict[str, object] = {
        "topic": topic,
        "title": one_line(told.subject),
        "message": body_of(told, _TEXT_MAX),
    }
    if told.link:
        content["click"] = told.link
    refusals = dict.fromkeys((401, 403), AlertError.TOPIC_REFUSED)
    post = _post(f"{settings['NTFY_URL']}/", content, refusals)
    if token:
        post.headers["Authorization"] = f"Bearer {token}"
    return post


def own_post(_settings: Mapping[str, Any], target: str, secret: str | None, told: Message) -> Post:
    """Return our own POST to any URL, signed as Standard Webhooks says."""
    now = seconds_now()
    content = {
        "type": told.kind,
        "timestamp": contract.timestamp(round(now * 1000)),
        "data": {
            **told.data,
            "subject": one_line(told.subject),
            "text": body_of(told, _TEXT_MAX),
            "link": told.link,
        },
    }
    post = _post(target, content, {410: AlertError.GONE}, refuses_finally=False)
    post.headers.update({"webhook-id": told.id, "webhook-timestamp": str(int(now))})
    if secret:
        post.headers["webhook-signature"] = contract.standard_signature(
            [secret], told.id, int(now), post.body
        )
        post.headers["X-Signature-SHA256"] = contract.signature(secret, post.body)
    return post


def _post(
    url: str,
    content: Mapping[str, object],
    refusals: Mapping[int, AlertError],
    *,
    refuses_finally: bool = True,
) -> Post:
    body = json.dumps(content, ensure_ascii=False).encode()
    return Post(url, body, dict(_JSON), refusals, refuses_finally=refuses_finally)


Formatter = Callable[[Mapping[str, Any], str, str | None, Message], Post]
POSTS: Mapping[str, Formatter] = MappingProxyType(
    {
        AddressKind.TELEGRAM: telegram,
        AddressKind.SLACK: slack,
        AddressKind.NTFY: ntfy,
        AddressKind.WEBHOOK: own_post,
    }
)
