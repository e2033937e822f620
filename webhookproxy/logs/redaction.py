"""Keeps tokens, secrets, query strings and personal numbers out of everything that is printed."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from contextvars import ContextVar

HIDDEN = "…"

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # In quotes the whole text is the value; bare it may be two words, a scheme and the rest.
    (
        re.compile(
            r"(authorization(?:[\"']\s*[:=,]|\s*[:=])\s*)"
            r"(?:(b?[\"'])[^\"']*|[^\s\"',;]+(?:[ \t]+[^\s\"',;]+)?)",
            re.IGNORECASE,
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"\b(bearer\s+)[^\s\"',;]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), f"whsec_{HIDDEN}"),
    # user:password@ of an address, as in a DATABASE_URL.
    (re.compile(r"(?<=://)[^\s/@\"'<>]+@"), f"{HIDDEN}@"),
    # A query belongs to an address, or shows by its "name=" that it is one.
    (
        re.compile(
            r"((?:https?|wss?)://[^\s?\"'<>]*)\?[^\s\"'<>]*|\?(?=[^\s=?\"'<>]{1,100}=)[^\s\"'<>]*",
            re.IGNORECASE,
        ),
        rf"\1?{HIDDEN}",
    ),
    (
        re.compile(
            r"((?:token|key|secret|password)(?:=|[\"']\s*[:=,]\s*)(?:b?[\"'])?)[^\s\"'&,;)]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    # Brazilian documents and telephones, which only a payload that strayed into a text would show:
    # 123.456.789-09, (11) 98765-4321, and eleven digits, or 55 and ten or eleven, on their own.
    (
        re.compile(
            r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"
            r"|(?<![\w.])(?:\+?55[ -]?)?\(?\d{2}\)?[ -]?9?\d{4}-\d{4}(?!\w)"
            r"|(?<![\w.])\+?(?:55\d{10,11}|\d{11})(?![\w.]\w|\w)"
        ),
        HIDDEN,
    ),
)


# Of what is shorter the log is full anyway.
_TYPED_MIN = 6
_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def hide_typed(values: Iterable[str]) -> None:
    """Have `redact` hide these too, in this greenlet and until it is called again.

    A password has no form to know it by, and any library may quote in an error what it was given.
    """
    _typed.set(tuple(sorted({v for v in values if len(v) >= _TYPED_MIN}, key=len, reverse=True)))


def redact(text: str) -> str:
    """The text with what shows by its form that it is a credential, a CPF or a telephone hidden."""
    for value in _typed.get():
        text = text.replace(value, HIDDEN)
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str) -> str:
    """The text with line breaks and other unprintable characters written as escapes.

    Event names come from outside: none may begin a line of its own or move the cursor.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


class Redaction(logging.Filter):
    """Redacts a record's message, traceback and stack in place; for handlers, not loggers.

    A logger's filters see only what was logged to that very logger. Continuation lines of a
    traceback are indented, so that no text in it can pass for a record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(one_line(record.getMessage().rstrip()))
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = _block(record.exc_text)
        if record.stack_info:
            record.stack_info = _block(record.stack_info)
        return True


# What gunicorn could not read it quotes, and of what failed it says the address.
_QUOTED = re.compile(r"b?(['\"]).*\1|(?<=^Error handling request) .*", re.DOTALL)


class ServerRedaction(Redaction):
    """The same for gunicorn's own log: nothing of a request is left, whatever its form."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _QUOTED.sub(HIDDEN, record.getMessage()), None
        return super().filter(record)


def _block(text: str) -> str:
    return "\n".join(f"  {redact(one_line(line))}" for line in text.split("\n"))
