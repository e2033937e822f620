"""webhookproxy-listen: sends a company's events to a program on your own machine, as they arrive.

It needs Python and `requests`, and nothing else of this package: the file may be copied alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import requests

# The server says something every five seconds.
SILENCE_SECONDS = 35.0
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
# Seconds before the next try, after the first failure and at most.
WAIT_FIRST, WAIT_MAX = 1.0, 30.0
_VISIBLE = "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}"


class Ended(Exception):
    """It cannot go on; the text says why and what to do."""


class Dropped(Exception):
    """The connection to the server ended; the text says how."""


class Wanted(NamedTuple):
    """What the user asked for."""

    server: str
    company: str
    like: str | None
    to: str
    token: str
    secret: str
    state: Path | None


class Message(NamedTuple):
    """One server-sent event: its kind, its data, and the place after it."""

    kind: str
    data: str
    place: str


class _Bearer(requests.auth.AuthBase):
    """The token; without an `auth` of ours, requests would take a password from ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, asked: requests.PreparedRequest) -> requests.PreparedRequest:
        asked.headers["Authorization"] = f"Bearer {self._token}"
        return asked


def main() -> int:
    """Follow until Ctrl-C; return the exit code."""
    try:
        wanted = _read_arguments()
        _say(f"Events of {wanted.company} go to {wanted.to}; Ctrl-C ends this.")
        listen(wanted)
    except Ended as ended:
        sys.stderr.write(f"Error: {ended}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _read_arguments() -> Wanted:
    parser = argparse.ArgumentParser(
        prog="webhookproxy-listen",
        description="Send a company's events to a program on this machine, as they arrive.",
        epilog="The token comes from WEBHOOKPROXY_TOKEN or --token-file; it needs the scope "
        "payloads.",
    )
    parser.add_argument("--server", required=True, help="https://webhooks.example.com")
    parser.add_argument("--company", required=True, help="its id: company_12")
    parser.add_argument("--to", required=True, help="http://localhost:3000/hook")
    parser.add_argument("--like", help="only what this webhook wants, in its format: webhook_7")
    parser.add_argument("--secret", help="signs every POST; without it one is made up and shown")
    parser.add_argument("--token-file", type=Path, help="a file with the token")
    parser.add_argument("--state", type=Path, help="a file that keeps the place over a restart")
    given = parser.parse_args()
    secret = given.secret or os.environ.get("WEBHOOKPROXY_SECRET", "")
    if not secret:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        _say(f"The secret that signs every POST: {secret}")
    server = given.server.rstrip("/")
    return Wanted(
        server, given.company, given.like, given.to, _token(given.token_file), secret, given.state
    )


def _token(file: Path | None) -> str:
    try:
        token = os.environ.get("WEBHOOKPROXY_TOKEN", "") if file is None else file.read_text()
    except (OSError, UnicodeError):
        raise Ended(f"{file} cannot be read: it must hold the token.") from None
    if not token.strip():
        raise Ended("There is no token: set WEBHOOKPROXY_TOKEN, or name a file by --token-file.")
    return token.strip()


def listen(wanted: Wanted) -> None:
    """Post each event once, in order, and come back after a drop. Raises Ended."""
    place, wait = _stored_place(wanted.state), WAIT_FIRST
    with requests.Session() as receiver:
        # No proxy lies between this program and one on the same machine.
        receiver.trust_env = False
        while True:
            try:
                for message in _follow(wanted, place):
                    if message.data:
                        _pass_on(receiver, wanted, message)
                    wait = WAIT_FIRST
                    if message.place != place:
                        place = message.place
                        _store_place(wanted.state, place)
            except Dropped as dropped:
                _say(f"{dropped} Next try in {wait:.0f} s.")
                time.sleep(wait)
                wait = min(wait * 2, WAIT_MAX)


def _follow(wanted: Wanted, place: str) -> Iterator[Message]:
    """Yield what the server sends, from a place on. Raises Dropped, or Ended."""
    headers = {"Accept": "text/event-stream"}
    if place:
        headers["Last-Event-ID"] = place
    try:
        with requests.get(
            f"{wanted.server}/api/v1/companies/{quote(wanted.company, safe='')}/stream",
            params={"like": wanted.like} if wanted.like else {},
            headers=headers,
            auth=_Bearer(wanted.token),
            stream=True,
            allow_redirects=False,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        ) as answer:
            _check(answer)
            yield from _messages(answer.iter_lines(chunk_size=65_536), place)
    except requests.exceptions.InvalidURL:
        raise Ended("--server is no address: write it as https://webhooks.example.com.") from None
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        raise Ended("--server needs http:// or https:// at its beginning.") from None
    except requests.RequestException as error:
        raise Dropped(f"The server cannot be reached ({type(error).__name__}).") from None
    raise Dropped("The server ended the stream.")


def _check(answer: requests.Response) -> None:
    if answer.status_code == 200:
        return
    said = f"The server answered {answer.status_code}"
    if answer.status_code == 429 or answer.status_code >= 500:
        raise Dropped(f"{said}: {_problem(answer)}")
    if answer.is_redirect:
        raise Ended(f"{said}, which leads to {answer.headers['Location']}: give that as --server.")
    raise Ended(f"{said}: {_problem(answer)}")


def _problem(answer: requests.Response) -> str:
    try:
        found = answer.json()
        words = [found["detail_en"], *(each["message_en"] for each in found["errors"])]
    except (ValueError, LookupError, TypeError, requests.RequestException):
        return "it says nothing more. Is this the address of webhookproxy?"
    return " ".join(words)


def _messages(lines: Iterator[bytes], place: str) -> Iterator[Message]:
    """Yield the server-sent events; one that was cut off by a drop is none."""
    kind, data = "", ""
    for raw in lines:
        name, _, value = raw.decode("utf-8").partition(": ")
        if name == "id":
            place = value
        elif name == "event":
            kind = value
        elif name == "data":
            data = value
        elif not raw:
            yield Message(kind, data, place)
            kind, data = "", ""


def _pass_on(receiver: requests.Session, wanted: Wanted, message: Message) -> None:
    """Post one event, and print the answer: a failure is said, and the next event follows."""
    found: dict[str, Any] = json.loads(message.data)
    about = f"{time.strftime('%H:%M:%S')} {found['event']} {found['event_id']}"
    if message.kind != "event":
        _say(f"{about}: has no body in this format. {found['detail']}")
        return
    body = found["body"].encode("utf-8")
    headers = signed_headers(found, body, wanted.secret, int(time.time()))
    began = time.monotonic()
    try:
        answer = receiver.post(
            wanted.to,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
        )
    except requests.exceptions.InvalidURL:
        raise Ended("--to is no address: write it as http://localhost:3000/hook.") from None
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        raise Ended("--to needs http:// or https:// at its beginning.") from None
    except requests.RequestException as error:
        _say(f"{about}: no answer ({type(error).__name__}). It is not sent again.")
        return
    _say(f"{about}: {answer.status_code} in {(time.monotonic() - began) * 1000:.0f} ms")


def signed_headers(found: dict[str, Any], body: bytes, secret: str, now_s: int) -> dict[str, str]:
    """Return the headers of a POST, which are those of a delivery of the server."""
    event_id = found["event_id"]
    key = _whsec_key(secret) or secret.encode("utf-8")
    signed = b"%b.%d.%b" % (event_id.encode("utf-8"), now_s, body)
    standard = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": found["content_type"],
        "X-Signature-SHA256": hmac.digest(secret.encode("utf-8"), body, hashlib.sha256).hex(),
        "webhook-id": event_id,
        "webhook-timestamp": str(now_s),
        "webhook-signature": f"v1,{standard}",
        "X-Webhook-Event": quote(found["event"], safe=_VISIBLE, errors="backslashreplace"),
        "X-Webhook-Attempt": "1",
        **found["headers"],
        "Accept": "application/json, */*;q=0.8",
        "User-Agent": "webhookproxy-listen",
    }


def _whsec_key(secret: str) -> bytes | None:
    """Return the bytes of a secret of Standard Webhooks; None if it has another form."""
    if not secret.startswith("whsec_"):
        return None
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return None
    return key if 24 <= len(key) <= 64 else None


def _stored_place(state: Path | None) -> str:
    try:
        return "" if state is None or not state.exists() else state.read_text().strip()
    except (OSError, UnicodeError):
        raise Ended(f"{state} cannot be read: it must be a file of this program.") from None


def _store_place(state: Path | None, place: str) -> None:
    if state is None:
        return
    try:
        new = state.with_name(f"{state.name}.new")
        new.write_text(f"{place}\n")
        new.replace(state)
    except OSError as error:
        raise Ended(f"{state} cannot be written ({error.strerror}).") from None


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
