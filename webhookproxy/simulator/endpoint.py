"""The commands over plain HTTP under `/control/`, for clients on this machine only."""

from __future__ import annotations

import inspect
import json
import math
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl

from webhookproxy.simulator.control import Command, CommandError, Control
from webhookproxy.simulator.rest import API, Rest
from webhookproxy.simulator.wire import Receive, Scope, Send

_PREFIX = "/control/"
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "token": (str, "a text"),
    "event": (str, "a text"),
    "packet": (str, "a text"),
    "args": (list, "a list"),
    "binary_base64": (list, "a list"),
    "count": (int, "a whole number, 0 or more"),
    "since": (int, "a whole number, 0 or more"),
    "interval": (int, "a whole number above 0"),
    "timeout": (int, "a whole number above 0"),
    "seconds": ((int, float), "a number, 0 or more"),
    "rate": ((int, float), "a number above 0"),
    "distinct_keys": (bool, "true or false"),
    "pings": (bool, "true or false"),
    "refused": (bool, "true or false"),
    "kick": (bool, "true or false"),
    "only": (bool, "true or false"),
    "status": (int, "a whole number, 0 or more"),
    "page_size": (int, "a whole number above 0"),
    "retry_after": ((int, float), "a number, 0 or more"),
    "late": ((int, float), "a number, 0 or more"),
    "texts": (bool, "true or false"),
    "refuses": (bool, "true or false"),
    "replays": (int, "a whole number, 0 or more"),
    "order": (bool, "true or false"),
    "empty": (bool, "true or false"),
    "twice": (bool, "true or false"),
    "cut": (bool, "true or false"),
    "offsets": (bool, "true or false"),
    "role": (str, "a text"),
    "calls": (dict, "times by the ids of histories, in seconds since 1970"),
    "redirect": (str, "a text"),
    "content_type": (str, "a text"),
    "size": (int, "a whole number, 0 or more"),
}
_WHOLE_IN_QUERY = ("since",)
_ABOVE_ZERO = ("interval", "timeout", "rate", "page_size")


class Endpoint:
    """The ASGI application for everything that is not Socket.IO."""

    def __init__(self, control: Control, rest: Rest) -> None:
        self._control = control
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a command that cannot be done is a 4xx with `{"error": why}`."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        body = await _body(receive)
        if scope["path"].startswith(API):
            await self._rest.answer(scope, send)
            return
        status, answer = await self._answer(scope, body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _answer(self, scope: Scope, body: bytes) -> tuple[int, dict[str, Any]]:
        # The port may be open to others (--host); commands never are.
        if not ip_address(scope["client"][0]).is_loopback:
            return 403, {"error": "commands are taken from this machine only"}
        command = self._find(scope["method"], scope["path"])
        if command is None:
            return 404, {"error": self._help()}
        try:
            asked = dict(parse_qsl(scope["query_string"].decode())) | _parse(body)
            return 200, await command(**_checked(command, asked))
        except CommandError as error:
            return 400, {"error": str(error)}

    def _find(self, method: str, path: str) -> Command | None:
        known = {"GET": self._control.questions, "POST": self._control.commands}.get(method, {})
        return known.get(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None

    def _help(self) -> str:
        commands = ", ".join(self._control.commands)
        questions = ", ".join(self._control.questions)
        return f"under {_PREFIX} there is POST {commands}, and GET {questions}"


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise CommandError("the body must be JSON") from error
    if not isinstance(asked, dict):
        raise CommandError("the body must be a JSON object")
    return asked


def _checked(command: Command, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords for `command`; null counts as left out."""
    given = {key: value for key, value in asked.items() if value is not None}
    # A query holds only texts.
    for key in _WHOLE_IN_QUERY:
        if str(given.get(key, "")).isdecimal():
            given[key] = int(given[key])
    signature = inspect.signature(command)
    try:
        signature.bind(**given)
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise CommandError(f"{error}; the keys are {known}") from error
    for key, value in given.items():
        kind, words = _KINDS[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise CommandError(f'"{key}" must be {words}')
        if isinstance(value, (int, float)) and not _in_range(key, value):
            raise CommandError(f'"{key}" must be {words}')
    return given


def _in_range(key: str, number: float) -> bool:
    return math.isfinite(number) and (number > 0 if key in _ABOVE_ZERO else number >= 0)
