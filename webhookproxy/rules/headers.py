"""The checks of the headers that a webhook sends, and of the values that are sent in headers."""

from __future__ import annotations

import re

from webhookproxy.rules import Problems

# A name and its value.
Header = tuple[str, str]

HEADERS_MAX = 10
# Bytes of all of them together, as they are sent: many servers refuse more.
BYTES_MAX = 8_192
# Characters of one value that is sent as a header by itself, or signs.
VALUE_MAX = 1_024

# RFC 9110 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 9110 7.6.1, and those that decide how the answer is read.
_OF_CONNECTION = (
    "connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|accept-encoding"
)
# The names that may not be given, and why, in English and in Portuguese.
_NOT_GIVEN = tuple(
    (re.compile(names, re.IGNORECASE), english, portuguese)
    for names, english, portuguese in (
        (
            _OF_CONNECTION,
            "is about the connection, which this program manages: leave it out.",
            "é da conexão, que nós cuidamos: deixe de fora.",
        ),
        (
            "host|content-.*",
            "follows from the URL and the body: leave it out.",
            "vem da URL e do corpo: deixe de fora.",
        ),
        (
            "webhook-.*|x-webhook-.*|x-signature-.*",
            "is one of this program's own headers, which receivers trust: use another name.",
            "é dos nossos, em que quem recebe confia: use outro nome.",
        ),
        (
            "authorization",
            "has its own field: use the authorization (--auth).",
            "tem campo próprio: use o campo Autenticação.",
        ),
    )
)


def check_headers(given: tuple[Header, ...], problems: Problems) -> tuple[Header, ...]:
    """Return the headers, trimmed, without blank ones."""
    named = ((name.strip(), value.strip(" ")) for name, value in given)
    headers = tuple(each for each in named if any(each))
    if len(headers) > HEADERS_MAX:
        _add(
            problems,
            f"{len(headers)} headers: a webhook has at most {HEADERS_MAX}.",
            f"São {len(headers)} headers: um webhook tem até {HEADERS_MAX}.",
        )
        return headers
    seen: set[str] = set()
    for name, value in headers:
        if _check_name(name, seen, problems):
            _check_value(name, value, problems)
        seen.add(name.lower())
    size = sum(len(f"{name}: {value}\r\n") for name, value in headers)
    if size > BYTES_MAX:
        _add(
            problems,
            f"The headers have {size} bytes together: at most {BYTES_MAX} are sent.",
            f"Os headers somam {size} bytes: enviamos até {BYTES_MAX}.",
        )
    return headers


def _check_name(name: str, seen: set[str], problems: Problems) -> bool:
    """Return whether the name is good; otherwise note why not."""
    if not _TOKEN.fullmatch(name):
        _add(
            problems,
            f"{name[:60]!r} is not a header's name: use letters, digits and hyphens, as in "
            "X-Api-Key.",
            f"{name[:60]!r} não é um nome de header: use letras, números e hífens, como em "
            "X-Api-Key.",
        )
        return False
    shown = name[:60]
    if name.lower() in seen:
        _add(
            problems,
            f"{shown} is given twice: keep one of them.",
            f"{shown} aparece duas vezes: deixe uma só.",
        )
        return False
    for names, english, portuguese in _NOT_GIVEN:
        if names.fullmatch(name):
            _add(problems, f"{shown} {english}", f"{shown} {portuguese}")
            return False
    return True


def _check_value(name: str, value: str, problems: Problems) -> None:
    if value:
        check_header_value("headers", value, problems, name=name[:60], longest=BYTES_MAX)
    else:
        _add(
            problems,
            f"{name[:60]} has no value: give one, or leave the header out.",
            f"Informe o valor de {name[:60]}, ou apague o nome para não enviar este header.",
        )


def check_header_value(
    field: str, value: str | None, problems: Problems, *, name: str = "", longest: int = VALUE_MAX
) -> None:
    """Note what keeps a value from being sent in a header; `name` is that of the header."""
    if not value:
        return
    english, portuguese = (f"The value of {name}", f"O valor de {name}")
    if not name:
        english, portuguese = "The value", "O valor"
    if len(value) > longest:
        problems.add(
            field,
            f"{english} is longer than {longest} characters.",
            f"{portuguese} passa de {longest} caracteres.",
        )
    # A secret is never a header, but a line break in it is a copying mistake too, and
    # receivers in other languages would read other characters as other bytes.
    elif not value.isprintable() or any(ord(character) > 255 for character in value):
        problems.add(
            field,
            f"{english} has line breaks, control characters or characters outside Latin-1.",
            f"{portuguese} tem quebras de linha, caracteres de controle ou fora do Latin-1.",
        )
    elif value != value.strip():
        problems.add(
            field,
            f"{english} begins or ends with a space: paste it again without it.",
            f"{portuguese} começa ou termina com espaço: cole-o de novo sem ele.",
        )


def with_stored_values(given: tuple[Header, ...], stored: tuple[Header, ...]) -> tuple[Header, ...]:
    """Return the headers that were given; a blank value stands for the stored one of that name."""
    values = {name.lower(): value for name, value in stored}
    return tuple((name, value or values.get(name.strip().lower(), "")) for name, value in given)


def stored_headers(headers: tuple[Header, ...]) -> str | None:
    """Return checked headers as the database keeps them, one a line; None if there is none."""
    return "\n".join(f"{name}: {value}" for name, value in headers) or None


def read_headers(stored: str | None) -> tuple[Header, ...]:
    """Return the headers from the database's form."""
    lines = (line.partition(": ") for line in (stored or "").split("\n") if line)
    return tuple((name, value) for name, _, value in lines)


def _add(problems: Problems, english: str, portuguese: str) -> None:
    problems.add("headers", english, portuguese)
