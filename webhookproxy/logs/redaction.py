"""Keeps tokens, secrets, query strings and personal numbers out of everything that is printed."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable
from contextvars import ContextVar

HIDDEN = "…"

_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A quoted value ends at its quote; a bare one may be two words, a scheme and the rest.
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
    # The token of a link that opens something by itself.
    (re.compile(r"(/(?:convidado|senha|confirmar|gravacao)/)[\w-]{16,}", re.ASCII), rf"\1{HIDDEN}"),
    # A Telegram bot's token, and the path of a Slack webhook.
    (re.compile(r"(?<!\d)\d{5,20}:[\w-]{20,80}", re.ASCII), HIDDEN),
    (re.compile(r"(hooks\.slack\.com/)[^\s\"'<>]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # A query follows an address, or is known by its "name=".
    (
        re.compile(
            # Bounded: the search begins again at each scheme of "http://http://…".
            r"((?:https?|wss?)://[^\s?\"'<>]{0,2048}+)\?[^\s\"'<>]*"
            r"|\?(?=[^\s=?\"'<>]{1,100}=)[^\s\"'<>]*",
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
    # Brazilian documents and telephones, in case a part of a payload is printed: 123.456.789-09,
    # (11) 98765-4321, and eleven digits, or 55 and ten or eleven, on their own.
    (
        re.compile(
            r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"
            r"|(?<![\w.])(?:\+?55[ -]?)?\(?\d{2}\)?[ -]?9?\d{4}-\d{4}(?!\w)"
            r"|(?<![\w.])\+?(?:55\d{10,11}|\d{11})(?![\w.]\w|\w)"
        ),
        HIDDEN,
    ),
)


# The patterns need 20 ms for the worst text of this length, and no line of ours is so long.
_TEXT_MAX = 8_192
# A server may show a part of a token.
_PIECE = 8
# Shorter texts occur everywhere in a log.
_TYPED_MIN = 6
_typed: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def hide_typed(values: Iterable[str]) -> None:
    """Make `redact` hide these too, in this greenlet, until the next call.

    No pattern recognises a password, and any library may quote its input in an error.
    """
    _typed.set(tuple(sorted({v for v in values if len(v) >= _TYPED_MIN}, key=len, reverse=True)))


def redact(text: str) -> str:
    """Return the text without anything that looks like a credential, a CPF or a telephone.

    A text of more than 8,192 characters is cut there.
    """
    for value in _typed.get():
        text = text.replace(value, HIDDEN)
    if len(text) > _TEXT_MAX:
        # A secret that is cut here still begins like one, so its beginning is hidden too.
        text = f"{text[:_TEXT_MAX]}{HIDDEN}"
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def without_pieces(text: str, secret: str) -> str:
    """Return the text with every piece of the secret of 8 or more characters hidden."""
    pieces = {secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1)}
    marks = [False] * len(text)
    for at in range(len(text) - _PIECE + 1):
        if text[at : at + _PIECE] in pieces:
            marks[at : at + _PIECE] = [True] * _PIECE
    shown = "".join("\0" if hidden else each for each, hidden in zip(text, marks, strict=True))
    return re.sub("\0+", HIDDEN, shown)


def one_line(text: str) -> str:
    """Return the text with line breaks and other unprintable characters written as escapes.

    Event names come from outside: they must not begin a line or move the cursor.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


class Redaction(logging.Filter):
    """Redacts a record's message, traceback and stack in place; for handlers, not loggers.

    A logger's filters see only the records of that logger. The lines of a traceback are indented,
    so that no text in it looks like a record.
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


# gunicorn quotes a request that it cannot read, and names the address of one that failed.
_QUOTED = re.compile(r"b?(['\"]).*\1|(?<=^Error handling request) .*", re.DOTALL)


class ServerRedaction(Redaction):
    """Redacts gunicorn's own log: it hides everything that a request said."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _QUOTED.sub(HIDDEN, record.getMessage()), None
        return super().filter(record)


def _block(text: str) -> str:
    return "\n".join(f"  {redact(one_line(line))}" for line in text.split("\n"))
