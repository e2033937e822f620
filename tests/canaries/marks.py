"""The marked secrets, and the places to search for them.

Every secret is marked: token, authorization, own headers, signing secrets, passwords, a key in a
webhook's URL. None may be in what is printed, nor in the files of the database; a URL's key is the
one that is stored as it is. The phone may be in payloads only.
"""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask
from sqlalchemy import inspect

from tests.support.application import rows
from tests.support.receiver import Plain, Received
from webhookproxy.extensions import db

MARK = "marked-canary"
TOKEN = f"{MARK}-token-0123456789-abcdef"
REST_TOKEN = f"{MARK}-second-token-0123456789-abcdef"
NEXT_TOKEN = f"{MARK}-next-token-0123456789-abcdef"
AUTH = f"Bearer {MARK}-authorization-1"
OWN_HEADER = f"Token {MARK}-own-header-1"
SECRET, OLD_SECRET = f"{MARK}-signing-secret-2", f"{MARK}-signing-secret-1"
URL_KEY = f"key-{MARK}-of-the-receiver"
URL = f"http://127.0.0.1:4009/?key={URL_KEY}"
# Where a person is told of problems, by the kind of the address, and what the server logs in with.
MAIL_PASSWORD = f"{MARK}-mail-password"
BOT = f"123456789:{MARK}-bot-token-0123456789"
TOPIC, SLACK_KEY = f"{MARK}-topic", f"{MARK}-slack-webhook"
# What a token of ntfy may have is less than the mark.
TOPIC_TOKEN = "tk_markedcanary0123456789"
PHONE = "11912345678"
PHONE_SHOWN = "(11) 91234-5678"
# Its first half, alone or after its area; within a longer number or token it is there by chance.
PHONE_PART = re.compile(r"(?<![0-9A-Za-z])(55)?(11)?91234")
# The phone may be in the payloads as they came.
PAYLOADS = ("events", "payload")


def shows_the_phone(text: str) -> bool:
    """Return whether the phone, or its first half, is in a text in any form."""
    return PHONE in text or PHONE_SHOWN in text or PHONE_PART.search(text) is not None


def echo(got: Received) -> Plain:
    """Return the error page of a receiver in debug mode, which shows the headers that it got."""
    return 500, {}, f"<pre>{dict(got.headers)}</pre>".encode()


def cells(app: Flask) -> dict[tuple[str, str], str]:
    """Return all stored values, by table and column."""
    with app.app_context():
        tables = inspect(db.engine).get_table_names()
    found: dict[tuple[str, str], str] = {}
    for table in tables:
        for row in rows(app, f"SELECT * FROM {table}"):
            for column, value in row._mapping.items():
                found[table, column] = found.get((table, column), "") + f"{value}\n"
    return found


def files_of(sqlite_url: str) -> bytes:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))


def assert_no_secret_is_stored(app: Flask, sqlite_url: str) -> None:
    stored = cells(app)
    marked = {where for where, text in stored.items() if MARK in text}
    assert marked == {("webhooks", "url")}
    # The bytes too: the write-ahead log has older ones. A URL's key is an exception.
    told = (MAIL_PASSWORD, BOT, TOPIC, TOPIC_TOKEN, SLACK_KEY)
    tokens = (TOKEN, REST_TOKEN, NEXT_TOKEN)
    for secret in (*tokens, AUTH.split()[-1], OWN_HEADER.split()[-1], SECRET, OLD_SECRET, *told):
        assert secret.encode() not in files_of(sqlite_url)


def assert_the_phone_is_in_payloads_only(app: Flask) -> None:
    found = {where for where, text in cells(app).items() if shows_the_phone(text)}
    assert found == {PAYLOADS}


def assert_prints_nothing(output: str) -> None:
    marks = (MARK, TOPIC_TOKEN)
    lines = [line for line in output.splitlines() if any(mark in line for mark in marks)]
    lines += [line for line in output.splitlines() if shows_the_phone(line)]
    assert not lines, "\n".join(lines)
