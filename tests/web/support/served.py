"""A browser for the pages of a real server, which keeps whatever it hears."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import Client
from werkzeug.wrappers import Request

from tests.web.support.browser import Browser

_addresses = count(1)
_COOKIE = re.compile(r"(?m)^Set-Cookie: session=([^;]+)")


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: to what, and all of its text, with the session's cookie read as well."""

    method: str
    path: str
    endpoint: str
    asked: str
    status: int
    text: str


class Served(Browser):
    """Sends what it is told to the server on a port; `heard` gets every answer.

    Behind a proxy that the server believes (PROXY_HOPS) each has an address of its own.
    """

    def __init__(self, app: Flask, port: int, heard: list[Heard]) -> None:
        self.app = app
        # It has what Flask's client has, but for the way into the session.
        self.client = Client(self._forward)  # type: ignore[assignment]
        self._port = port
        self._address = f"203.0.113.{next(_addresses)}"
        self._heard = heard

    def token(self) -> str:
        """The token that a form of this session would carry."""
        page = self.client.get("/entrar")
        if page.status_code == 303:
            page = self.client.get("/conta" if page.location == "/" else page.location)
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
        assert found, page.text[:500]
        return found[1]

    def _forward(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        sent, query = request.get_data(), request.query_string.decode("latin-1")
        path = quote(request.path) + (f"?{query}" if query else "")
        headers = {**dict(request.headers), "X-Forwarded-For": self._address}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(request.method, path, sent, headers)
            answer = connection.getresponse()
            body = b"".join(_read(answer))
        finally:
            connection.close()
        asked = unquote_plus(f"{path} {sent.decode('utf-8', 'replace')}")
        self._keep(request.method, path, asked, answer, body)
        start(f"{answer.status} {answer.reason}", answer.getheaders())
        return [body]

    def _keep(
        self, method: str, path: str, asked: str, answer: http.client.HTTPResponse, body: bytes
    ) -> None:
        headers = "\n".join(f"{name}: {value}" for name, value in answer.getheaders())
        cookies = " ".join(self._opened(each) for each in _COOKIE.findall(headers))
        text = "\n".join((headers, cookies, body.decode("utf-8", "replace")))
        endpoint = _endpoint(self.app, method, path)
        self._heard.append(Heard(method, path, endpoint, asked, answer.status, text))

    def _opened(self, cookie: str) -> str:
        """What a session's cookie says: it is signed, not encrypted."""
        with self.app.app_context():
            serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
            return str(serializer.loads(cookie))


def _read(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body; of a stream, which never ends, as much as fills a page."""
    if answer.getheader("Content-Type", "").startswith("text/event-stream"):
        while (line := answer.readline()) and not line.startswith((b"event: beat", b"event: over")):
            yield line
    else:
        yield answer.read()


def _endpoint(app: Flask, method: str, path: str) -> str:
    try:
        return str(app.url_map.bind("localhost").match(urlsplit(path).path, method)[0])
    except HTTPException:
        return ""
